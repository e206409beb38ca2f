// SPDX-License-Identifier: Apache-2.0
// Text from anywhere, made fit for an operator's terminal.
#pragma once

#include <string>
#include <string_view>

#include "sandbox/base/error.h"

namespace wardenv::tools {

// Every control character but newline, carriage return and tab, every byte that is not UTF-8, and every character that hides or that turns the
// text around it (options/unicode.h), made visible: ^[ \x9b \u202e.
std::string visible(std::string_view text);

// The same with those three made visible, too: what somebody wrote into a name can't begin a line that looks like one of ours.
std::string one_line(std::string_view text);

// "<message> — <hint>", in one line.
std::string one_line(const Error& error);

}  // namespace wardenv::tools
