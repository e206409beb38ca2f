// SPDX-License-Identifier: Apache-2.0
// The configuration is read strictly, and only from files that nobody else can write.
#include "engine/gate/config.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/gate/text_file.h"
#include "tests/support/catch.h"
#include "tests/unit/engine/scratch.h"

using namespace wardenv;
using namespace wardenv::engine;

TEST_CASE("a configuration says policy, grant, store, state and index") {
  const auto config = parse_config(R"({"policy": "/p.json", "grant": "ci", "quota_store": "redis://h", "state": "/s", "index_url": "https://i/simple"})");
  REQUIRE(config);
  CHECK(*config == Config{"/p.json", "ci", "redis://h", "/s", "https://i/simple"});
  CHECK(*parse_config("{}") == Config{});
  CHECK(parse_config(R"({"uid_range_first": 500000, "uid_range_count": 65536})")->ids == sandbox::IdRange{500'000, 65'536});
  CHECK(parse_config(R"({"uid_range_first": 4294967167, "uid_range_count": 128})")->ids.first == 4294967167U);
  CHECK(parse_config(R"({"quota_store": "sqlite"})")->quota_store.empty());
}

TEST_CASE("a wrong configuration is refused") {
  for (const char* text : {"", "[]", "{", R"({"polcy": "/p"})", R"({"policy": 1})", R"({"policy": ""})", R"({"policy": "p.json"})", R"({"state": "s"})",
                           R"({"quota_store": "file"})", R"({"policy": "/a", "policy": "/b"})", R"({"grant": null})", R"({"uid_range_first": 500000})", R"({"uid_range_count": 500000})", R"({"uid_range_first": 0, "uid_range_count": 65536})",
                           R"({"uid_range_first": 999, "uid_range_count": 65536})", R"({"uid_range_first": 500000, "uid_range_count": 127})",
                           R"({"uid_range_first": 4294967168, "uid_range_count": 128})", R"({"uid_range_first": -5, "uid_range_count": 128})",
                           R"({"uid_range_first": 500000.5, "uid_range_count": 128})", R"({"uid_range_first": "500000", "uid_range_count": 128})",
                           R"({"uid_range_first": 4294967296500000, "uid_range_count": 128})", R"({"uid_range_first": 500000, "uid_range_count": 4294967295})"}) {
    INFO(text);
    CHECK_FALSE(parse_config(text));
  }
}

TEST_CASE("a named configuration must exist, a usual one need not") {
  CHECK_FALSE(read_config("/no/such/file"));
  const testing::Folder folder;
  ::setenv("XDG_CONFIG_HOME", folder.path().c_str(), 1);
  folder.folder("wardenv");
  std::ofstream(folder.at("wardenv/config.json")) << R"({"grant": "from-home"})";
  const auto config = read_config(std::nullopt);
  ::unsetenv("XDG_CONFIG_HOME");
  REQUIRE(config);
  CHECK(config->grant == "from-home");
}

TEST_CASE("a file that others can write decides nothing") {
  const testing::Folder folder;
  const std::string path = folder.at("file");
  std::ofstream(path) << "text";
  REQUIRE(read_trusted_file(path, 100) == std::string("text"));
  CHECK_FALSE(read_trusted_file(path, 3));
  ::chmod(path.c_str(), 0666);
  CHECK_FALSE(read_trusted_file(path, 100));
  CHECK_FALSE(read_trusted_file(folder.path(), 100));
  REQUIRE(::mkfifo(folder.at("fifo").c_str(), 0600) == 0);
  CHECK_FALSE(read_trusted_file(folder.at("fifo"), 100));
  if (::geteuid() != 0) return;
  ::chmod(path.c_str(), 0644);
  REQUIRE(::chown(path.c_str(), 12345, 12345) == 0);
  CHECK_FALSE(read_trusted_file(path, 100));
}
