// SPDX-License-Identifier: Apache-2.0
// Configuration files that are the operator's word: those that no run could have written.
#pragma once

#include <string>
#include <vector>

namespace wardenv::engine {

// The text of a regular file; the last part of `path` is no link. Nothing where there is none.
std::string read_plain(const std::string& path);

class OperatorFiles {
 public:
  // `written`: real paths of folders and files that runs can write.
  explicit OperatorFiles(std::vector<std::string> written) : written_(std::move(written)) {}

  // As read_plain, links followed; nothing, too, where the file lies within reach of runs or is named by a link that does.
  std::string read(const std::string& path);

  // Whether a run could have written what is at `path`, or chosen what is. What can't be found out is.
  [[nodiscard]] bool in_reach(const std::string& path) const;

  [[nodiscard]] const std::vector<std::string>& passed_over() const { return passed_over_; }   // files that read() did not believe

 private:
  std::vector<std::string> written_;
  std::vector<std::string> passed_over_;
};

}  // namespace wardenv::engine
