// SPDX-License-Identifier: Apache-2.0
// Tells of each connection, and adds up what was refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/egress/settings.h"

namespace wardenv::engine {

// Refusals and failures of one kind, as the report names them.
struct EgressRefusal {
  std::string what{};    // "connect evil.example:443"
  std::uint64_t count = 0;
  std::string hint{};    // the reason, and the rule that would be needed
  EgressConnection::Verdict verdict = EgressConnection::Verdict::kRefused;
};

struct EgressSummary {
  std::vector<EgressRefusal> refusals{};
  std::vector<EgressConnection> connections{};
};

class EgressReporter {
 public:
  // At most `events` refusals and failures are told one by one; what comes then is only counted.
  EgressReporter(EgressSink sink, std::uint64_t events);
  void tell(const EgressEvent& event);
  [[nodiscard]] EgressSummary take();

 private:
  void count_refusal(const EgressEvent& event);
  void count_connection(const EgressEvent& event);

  EgressSink sink_;
  std::uint64_t left_;
  EgressSummary summary_;
};

// "the reason; a rule that allows it: --allow-host 'x'", in one line of printable ASCII. The rule is left out where a shell could read it as
// anything but one word.
std::string refusal_text(const std::string& reason, const std::string& needed);

}  // namespace wardenv::engine
