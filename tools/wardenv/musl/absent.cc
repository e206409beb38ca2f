// SPDX-License-Identifier: Apache-2.0
// What `wardenv` leaves to wardenv-cli, which it has become before any of this could be called (run_here.cc): a launcher that has to be started,
// sandboxes that are begun ahead by a thread, named egress. Only what engine.cc and slots.cc name is here.
#include <stdlib.h>

#include "engine/backstage.h"
#include "engine/egress/proxy.h"
#include "engine/engine.h"
#include "sandbox/launcher_client.h"

namespace wardenv {
namespace sandbox {

Result<LauncherClient> LauncherClient::start(const std::string&) { return fail(ErrorCode::kInternal, "this program starts no launcher"); }

}  // namespace sandbox

namespace engine {

Result<std::unique_ptr<Backstage>> make_backstage(const sandbox::HostFacts&, const sandbox::LauncherClient&) {
  return fail(ErrorCode::kInternal, "this program begins nothing ahead");
}
std::optional<Slot> Backstage::take(const sandbox::CgroupPlan&, const std::vector<std::uint8_t>&) { abort(); }
void Backstage::want(First, const sandbox::CgroupPlan&, std::size_t) { abort(); }
Result<sandbox::CgroupLeaf> Backstage::group_for(const sandbox::CgroupPlan&) { abort(); }
std::size_t Backstage::ready() { abort(); }
void Backstage::dispose(Slot) { abort(); }
Backstage::~Backstage() { abort(); }

struct EgressProxy::Impl {};
Result<std::unique_ptr<EgressProxy>> EgressProxy::make(const EgressSettings&, EgressSink) {
  return fail(ErrorCode::kInternal, "this program has no proxy");
}
EgressProxy::~EgressProxy() { abort(); }
void EgressProxy::serve(UniqueFd) { abort(); }
EgressSummary EgressProxy::stop() { abort(); }

Status Engine::add_presets(RunRequest& request, RunReport&) {
  return request.egress.presets.empty() ? Status() : fail(ErrorCode::kInternal, "this program derives no presets");
}

}  // namespace engine
}  // namespace wardenv
