// SPDX-License-Identifier: Apache-2.0
// Drives a fuzzer where libFuzzer does not: every seed as it is, then mutations of seeds. The same ones each time, so that a failure is
// found again: usage: wardenv-fuzz-NAME FOLDER [MUTATIONS]
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMaxBytes = 64 * 1024;
constexpr int kMutations = 50'000;
constexpr std::chrono::seconds kMostTime{15};   // a slow parser gets fewer

const Bytes* current = nullptr;

// Keeps what brought the program down, for `wardenv-fuzz-NAME FILE`.
void keep_input(int number) {
  if (FILE* file = current != nullptr ? std::fopen("crash-input", "wb") : nullptr) {
    std::fwrite(current->data(), 1, current->size(), file);
    std::fclose(file);
    constexpr char kSaid[] = "the input is in ./crash-input\n0 passed, 1 failed\n";
    (void)!::write(STDOUT_FILENO, kSaid, sizeof kSaid - 1);
  }
  ::signal(number, SIG_DFL);
  ::raise(number);
}

Bytes read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<Bytes> read_seeds(const std::string& place) {
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(place)) {
    for (const auto& entry : std::filesystem::directory_iterator(place)) paths.push_back(entry.path());
  } else {
    paths.emplace_back(place);
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> seeds;
  for (const auto& path : paths) seeds.push_back(read(path));
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<Bytes>& seeds) : seeds_(seeds) {}

  Bytes next() {
    Bytes bytes = seeds_[below(seeds_.size())];
    for (std::size_t i = 0, count = 1 + below(6); i < count; ++i) mutate(bytes);
    if (bytes.size() > kMaxBytes) bytes.resize(kMaxBytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }

  // A value that parsers stumble over.
  std::uint8_t notable() {
    constexpr std::uint8_t kBytes[] = {0, 1, 0x7f, 0x80, 0xff, '"', '\\', '{', '}', '[', ']', '\r', '\n', '-', '=', ':', '/', '.', '%', '9'};
    return kBytes[below(sizeof kBytes)];
  }

  void mutate(Bytes& bytes) {
    const std::size_t at = below(bytes.size() + 1);
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const std::size_t rest = bytes.size() - at;
    switch (below(8)) {
      case 0: if (rest > 0) *place = static_cast<std::uint8_t>(*place ^ (1U << below(8))); return;
      case 1: if (rest > 0) *place = byte(); return;
      case 2: if (rest > 0) *place = notable(); return;
      case 3: bytes.insert(place, notable()); return;
      case 4: bytes.erase(place, place + static_cast<std::ptrdiff_t>(below(rest + 1) % 32)); return;
      case 5: bytes.resize(at); return;
      case 6: repeat(bytes, at); return;
      default: splice(bytes, at); return;
    }
  }

  void repeat(Bytes& bytes, std::size_t at) {
    const Bytes part(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + below(bytes.size() - at + 1)));
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), part.begin(), part.end());
  }

  void splice(Bytes& bytes, std::size_t at) {
    const Bytes& other = seeds_[below(seeds_.size())];
    bytes.resize(at);
    bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size() + 1)), other.end());
  }

  const std::vector<Bytes>& seeds_;
  std::mt19937_64 random_{20'260'101};
};

void run(const Bytes& bytes) {
  current = &bytes;
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<Bytes> seeds = argc > 1 ? read_seeds(argv[1]) : std::vector<Bytes>{};
  if (seeds.empty()) return std::fputs("usage: wardenv-fuzz-NAME FOLDER|FILE [MUTATIONS]\n", stderr), 2;
  for (int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::signal(number, keep_input);
  for (const Bytes& seed : seeds) run(seed);
  Mutator mutator(seeds);
  const int mutations = argc > 2 ? std::atoi(argv[2]) : kMutations;
  const auto end = std::chrono::steady_clock::now() + kMostTime;
  int done = 0;
  for (; done < mutations && std::chrono::steady_clock::now() < end; ++done) run(mutator.next());
  std::printf("%zu seeds, %d mutations\n1 passed, 0 failed\n", seeds.size(), done);
  return 0;
}
