// SPDX-License-Identifier: Apache-2.0
// The launcher is started by Boost.Process, in a file of its own: a front end that has forked it already goes without.
#include <boost/asio/io_context.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/process/v2/stdio.hpp>

#include <cerrno>

#include "sandbox/launcher_client.h"

namespace wardenv::sandbox {

Result<LauncherClient> LauncherClient::start(const std::string& program) try {
  namespace process = boost::process::v2;
  auto ends = make_ends();
  if (!ends) return tl::unexpected(ends.error());
  WARDENV_TRY(tell_sender(ends->theirs));
  boost::asio::io_context context;
  process::process child(context, program, std::initializer_list<boost::string_view>{},
                         process::process_stdio{ends->theirs.get(), nullptr, nullptr});
  const int pid = static_cast<int>(child.id());
  child.detach();   // it is waited for by its id
  return adopt(std::move(ends->ours), pid, false);
} catch (const boost::system::system_error& error) {
  const std::string limit = error.code().value() == EAGAIN ? kProcessesHint : usual_hint(error.code().value());
  return fail(ErrorCode::kLauncher, "cannot start `" + program + "`: " + error.what(), limit.empty() ? "install wardenv again: the launcher belongs beside it" : limit);
} catch (const std::exception& error) {
  return fail(ErrorCode::kLauncher, "cannot start `" + program + "`: " + error.what(), "install wardenv again: the launcher belongs beside it");
}

}  // namespace wardenv::sandbox
