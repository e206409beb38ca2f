// SPDX-License-Identifier: Apache-2.0
#include "tools/mcp/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <shared_mutex>

namespace wardenv::mcp {
namespace {

constexpr std::string_view kPrompts = "prompts/get";   // counted among the tools
const prometheus::Histogram::BucketBoundaries kSeconds{0.0001, 0.001, 0.01, 0.1, 0.5, 1, 5, 30, 120, 600};

// Metrics by their labels. The library looks them up under a lock and in maps of maps: once for each is enough.
template <typename T>
class ByLabel {
 public:
  template <typename Make>
  T& get(std::string_view first, std::string_view second, Make make) {
    std::string key(first);
    key.append("|").append(second);
    {
      std::shared_lock lock(mutex_);
      if (const auto at = known_.find(key); at != known_.end()) return *at->second;
    }
    std::unique_lock lock(mutex_);
    return *known_.try_emplace(key, &make()).first->second;
  }

 private:
  std::shared_mutex mutex_;
  std::map<std::string, T*, std::less<>> known_;
};

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter().Name("wardenv_requests_total").Help("JSON-RPC requests, by method and era").Register(registry);
  prometheus::Family<prometheus::Counter>& calls =
      prometheus::BuildCounter().Name("wardenv_tool_calls_total").Help("Calls of tools, by how they ended").Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram().Name("wardenv_tool_call_seconds").Help("How long calls of tools took").Register(registry);
  prometheus::Family<prometheus::Gauge>& now = prometheus::BuildGauge().Name("wardenv_now").Help("What is there at this moment").Register(registry);
  prometheus::Gauge& running = now.Add({{"what", "running_calls"}});
  prometheus::Gauge& queued = now.Add({{"what", "queued_calls"}});
  prometheus::Gauge& sessions = now.Add({{"what", "sessions"}});
  prometheus::Gauge& tasks = now.Add({{"what", "tasks"}});
  prometheus::Gauge& connections = now.Add({{"what", "connections"}});
  ByLabel<prometheus::Counter> request_by;
  ByLabel<prometheus::Counter> call_by;
  ByLabel<prometheus::Histogram> seconds_by;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::request(std::string_view method, Era era) {
  const char* name = era == Era::kModern ? "modern" : "legacy";
  impl_->request_by.get(method, name, [&]() -> auto& { return impl_->requests.Add({{"method", std::string(method)}, {"era", name}}); }).Increment();
}

void Metrics::call(std::string_view tool, std::string_view ending, double seconds) {
  auto counter = [&]() -> auto& { return impl_->calls.Add({{"tool", std::string(tool)}, {"ending", std::string(ending)}}); };
  impl_->call_by.get(tool, ending, counter).Increment();
  impl_->seconds_by.get(tool, "", [&]() -> auto& { return impl_->seconds.Add({{"tool", std::string(tool)}}, kSeconds); }).Observe(seconds);
}

std::string Metrics::text(const ServerLoad& load, std::size_t connections, const Shown& shown) const {
  impl_->running.Set(static_cast<double>(load.running));
  impl_->queued.Set(static_cast<double>(load.queued));
  impl_->sessions.Set(static_cast<double>(load.sessions));
  impl_->tasks.Set(static_cast<double>(load.tasks));
  impl_->connections.Set(static_cast<double>(connections));
  auto families = impl_->registry.Collect();
  for (auto& family : families) {
    std::erase_if(family.metric, [&](const auto& metric) {
      return std::any_of(metric.label.begin(), metric.label.end(), [&](const auto& label) { return label.name == "tool" && label.value != kPrompts && !shown(label.value); });
    });
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace wardenv::mcp
