// SPDX-License-Identifier: Apache-2.0
// Aside, by threads.
#include "engine/gate/aside.h"

#include <chrono>
#include <future>
#include <utility>

namespace wardenv::engine {

struct Aside::Impl {
  std::future<void> work;
};

Aside::Aside(Worth worth, std::function<void()> work)
    : impl_(new Impl{std::async(worth == Worth::kThread ? std::launch::async | std::launch::deferred : std::launch::deferred, std::move(work))}) {}

Aside::~Aside() = default;

void Aside::finish() {
  if (impl_->work.valid()) impl_->work.get();
}

bool Aside::is_done() const { return !impl_->work.valid() || impl_->work.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }

}  // namespace wardenv::engine
