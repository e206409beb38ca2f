// SPDX-License-Identifier: Apache-2.0
#include "engine/kept_name.h"

#include <cstdint>
#include <string_view>

#include "engine/paths.h"

namespace wardenv::engine {
namespace {

constexpr std::size_t kVersion = 1;   // another with every change of what a view is made like

__extension__ using Wide = unsigned __int128;

// FNV-1a of 128 bits (RFC 9923). A text is led by its length.
class Sum {
 public:
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
  }
  void add(std::uint64_t number) {
    for (int i = 0; i < 8; ++i, number >>= 8) add_byte(static_cast<unsigned char>(number));
  }

  [[nodiscard]] std::string text() const {
    std::string text(32, '0');
    Wide rest = value_;
    for (std::size_t i = text.size(); i-- > 0; rest >>= 4) text[i] = "0123456789abcdef"[static_cast<unsigned>(rest) & 15U];
    return text;
  }

 private:
  static constexpr Wide kPrime = (Wide{1} << 88) + 0x13b;

  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * kPrime; }

  Wide value_ = (Wide{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
};

void add_look(Sum& sum, const struct stat& look) {
  for (const std::uint64_t number : {std::uint64_t{look.st_dev}, std::uint64_t{look.st_ino}, std::uint64_t{look.st_mode}, static_cast<std::uint64_t>(look.st_size),
                                     static_cast<std::uint64_t>(look.st_mtim.tv_sec), static_cast<std::uint64_t>(look.st_mtim.tv_nsec),
                                     static_cast<std::uint64_t>(look.st_ctim.tv_sec), static_cast<std::uint64_t>(look.st_ctim.tv_nsec)}) {
    sum.add(number);
  }
}

}  // namespace

bool is_in_etc(const std::string& path) { return is_beneath(path, "/etc"); }

std::string kept_name(const SystemView& system) {
  Sum sum;
  for (const std::size_t number : {kVersion, system.files.size(), system.symlinks.size(), system.mounts.size()}) sum.add(number);
  for (const sandbox::SyntheticFile& file : system.files) {
    sum.add(file.path);
    sum.add(file.content);
  }
  for (const sandbox::Symlink& link : system.symlinks) {
    if (!is_in_etc(link.path)) continue;
    sum.add(link.path);
    sum.add(link.target);
  }
  for (std::size_t i = 0; i < system.mounts.size(); ++i) {
    const sandbox::Mount& mount = system.mounts[i];
    if (!is_in_etc(mount.target)) continue;
    sum.add(mount.target);
    sum.add(mount.kept ? mount.source : "");
    if (mount.kept) add_look(sum, system.looks[i]);
  }
  return sum.text();
}

}  // namespace wardenv::engine
