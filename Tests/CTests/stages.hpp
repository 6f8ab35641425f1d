// SPDX-License-Identifier: MIT
// What the tests of workpool.hpp share: exceptions that are expected, a gate to wait at without
// sleeping, things whose lives are counted.
#ifndef STAGES_HPP
#define STAGES_HPP

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <workpool.hpp>

#include "check.h"

// The status of the Error that `function` throws; 0 if it throws nothing, 1 if something else.
template <class Function>
int32_t status_of(Function function) {
  try {
    function();
    return 0;
  } catch (const workpool::Error &error) {
    return error.status();
  } catch (...) {
    return 1;
  }
}
#define CHECK_THROWS(expression, status) \
  CHECK_EQUAL(status_of([&] { static_cast<void>(expression); }), status)

// An exception of the tests' own, which the header knows nothing of. It is no std::exception.
struct Oops {
  uint64_t number;
};

// Calls `function`; the number of the Oops that it throws, or -1.
template <class Function>
int64_t oops_of(Function function) {
  try {
    function();
  } catch (const Oops &oops) {
    return static_cast<int64_t>(oops.number);
  } catch (...) {
    return -2;
  }
  return -1;
}

class Gate {
 public:
  // Passes when it has been opened.
  void pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    arrived_++;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  void wait_for(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this, count] { return arrived_ >= count; });
  }
  void open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool is_open_ = false;
};

// How many of them live.
struct Counted {
  static inline std::atomic<int> alive{0};
  Counted() { alive++; }
  Counted(const Counted &) { alive++; }
  Counted(Counted &&) noexcept { alive++; }
  Counted &operator=(const Counted &) = default;
  Counted &operator=(Counted &&) noexcept = default;
  ~Counted() { alive--; }
};

#endif
