// SPDX-License-Identifier: Apache-2.0
// What a run may reach, and what is told of it. Plain data; matching is in rules.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/egress/address.h"
#include "sandbox/base/error.h"

namespace wardenv::engine {

enum class HostMatch {
  kExact,    // this name
  kSuffix,   // every name below it, and not itself: *.example.org
  kAddress,  // addresses, given as numbers or come to by a name that another rule allows
};

// A header that the proxy adds to plain HTTP requests of its rule. The secret stays in the engine; a header of that name that the command
// sends is dropped. It is read when the run starts: a missing one is an error.
struct InjectedHeader {
  std::string name{};       // "Authorization"
  std::string prefix{};     // put before the secret: "Bearer "
  std::string file{};       // the secret is the first line of this file,
  std::string variable{};   // or the value of this environment variable of the engine,
  std::string value{};      // or this: for presets, which find it in the configuration of a package manager
  bool operator==(const InjectedHeader&) const = default;
};

// One thing that may be reached. Made by parse_egress_rule, or field by field with names from normalise_host.
struct EgressRule {
  std::string text{};                          // as it was written: reports name the rule by it
  HostMatch match = HostMatch::kExact;
  std::string host{};                          // normalised; kSuffix: without the "*."
  std::vector<AddressRange> addresses{};       // kAddress: what is allowed. Else: ranges that the name may resolve to though they aren't public
  std::vector<std::uint16_t> ports{80, 443};
  std::vector<std::string> methods{};          // plain HTTP only; with methods or a path the rule allows plain HTTP and no tunnel
  std::string path_prefix{};                   // begins with "/"; whole path segments
  std::vector<InjectedHeader> inject{};
  bool operator==(const EgressRule&) const = default;
};

// Rules that are derived from how this host and venv are configured, when the run starts.
enum class EgressPreset { kPipIndex, kNpmRegistry, kAptSources, kGitRemote };

// Of one run. 0: no cap.
struct EgressCaps {
  std::uint64_t bytes = 4ULL << 30;           // through the proxy, both directions
  std::uint64_t bytes_per_second = 0;
  std::uint32_t connections_at_once = 1024;   // 1 to 4096
  std::uint32_t connections = 10'000;         // all in all, refused ones too
  bool operator==(const EgressCaps&) const = default;
};

struct EgressSettings {
  std::vector<EgressRule> rules{};            // an empty list allows nothing
  std::vector<EgressPreset> presets{};
  EgressCaps caps;
  std::string ca_file{};                      // PEM certificates that clients inside trust instead of the system's; empty: the system's
  bool operator==(const EgressSettings&) const = default;
};

enum class EgressEventKind {
  kOpened,   // allowed; told before the first byte goes out
  kClosed,   // the end of an opened one, with its bytes
  kRefused,  // by the rules, or as malformed
  kFailed,   // allowed, and could not be reached
};

struct EgressEvent {
  EgressEventKind kind = EgressEventKind::kRefused;
  std::string protocol{};        // connect | http | socks5; empty: nothing was understood
  std::string host{};            // as asked for, normalised where it could be
  std::uint16_t port = 0;
  std::string method{};          // plain HTTP
  std::string address{};         // that was connected to, or would have been
  std::string rule{};            // text of the rule that allowed it
  std::string reason{};          // of a refusal or failure, one line
  std::string needed{};          // the rule that would allow it; empty: none would
  std::uint64_t bytes_up = 0;    // kClosed: from the command, and to it
  std::uint64_t bytes_down = 0;
};

// The connections of a run to one place that came out alike, added up.
struct EgressConnection {
  enum class Verdict { kConnected, kRefused, kFailed };
  std::string host{};
  std::uint16_t port = 0;
  Verdict verdict = Verdict::kRefused;
  std::string reason{};          // of a refusal or failure
  std::uint64_t count = 0;
  std::uint64_t bytes_up = 0;    // from the command
  std::uint64_t bytes_down = 0;
};

// Called in the proxy's thread, one call at a time. What it takes the run's other connections wait for.
using EgressSink = std::function<void(const EgressEvent&)>;

// The names of presets: pip-index, npm-registry, apt-sources, git-remote.
Result<EgressPreset> parse_egress_preset(std::string_view name);
std::string_view to_string(EgressPreset preset);

// One rule as text, for --allow-host and profiles:
//   [METHOD[,METHOD…] ]HOST[:PORT[,PORT…]][/PATH][=RANGE[,RANGE…]]
// HOST is a name, *.name, an address, a range, or [IPv6 address or range]. RANGE: addresses that the name may resolve to though they are
// not public. Error kBadInput with a good example.
Result<EgressRule> parse_egress_rule(std::string_view text);

// Lower case, without a trailing dot; letters, digits, "-" and "_" in labels of 1 to 63 characters, 253 in all (RFC 1123, 2.1). Names in
// other scripts are taken in their ASCII form only (xn--…, RFC 5890). Error kBadInput: anything else, and what inet_aton(3) would
// take for an address.
Result<std::string> normalise_host(std::string_view name);

}  // namespace wardenv::engine
