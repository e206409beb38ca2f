// SPDX-License-Identifier: Apache-2.0
// The addresses of a host, in time or not at all.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <vector>

#include "engine/post/post.h"

namespace wardenv::engine::post {

using Deadline = std::chrono::steady_clock::time_point;
using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

// How long somebody can wait before he has to look whether all was cancelled: until `deadline` where nobody can cancel.
Deadline next_look(Deadline deadline, int cancel_fd);

// The error's message is what follows a subject, as of send().
Result<Endpoints> look_up(const Url& url, Deadline deadline, int cancel_fd);

}  // namespace wardenv::engine::post
