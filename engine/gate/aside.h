// SPDX-License-Identifier: Apache-2.0
// Aside: work that is done beside ours, where that is worth a thread.
#pragma once

#include <functional>
#include <memory>

namespace wardenv::engine {

enum class Worth { kThread, kNothing };   // kNothing: it is done when it is asked for

class Aside {
 public:
  // `work` may not throw. Where no thread can be had, it is done when it is asked for, too.
  Aside(Worth worth, std::function<void()> work);
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  ~Aside();   // waits for a thread; work that nobody asked for is not done

  void finish();                        // done when this returns; later calls do nothing
  [[nodiscard]] bool is_done() const;   // waits for nothing

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace wardenv::engine
