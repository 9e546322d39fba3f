#pragma once
#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <semaphore>
#include <utility>

#include "io/executor.h"

namespace wharf::test {

/// A task in which other threads wait until the test releases them. It owns what it touches, so it may outlive the test.
class Gate {
 public:
  [[nodiscard]] io::Executor::Task task() const {
    return [shared = shared_] {
      shared->begun.release();
      shared->gate.acquire();
      ++shared->over;
    };
  }
  /// Waits until that many threads are in it.
  void wait_for(std::size_t threads = 1) const {
    for (std::size_t i = 0; i < threads; ++i) shared_->begun.acquire();
  }
  /// Whether one has come in that nobody has waited for.
  [[nodiscard]] bool another_came() const { return shared_->begun.try_acquire(); }
  void let_go(std::size_t threads = 1) const { shared_->gate.release(static_cast<std::ptrdiff_t>(threads)); }
  [[nodiscard]] int over() const { return shared_->over; }

 private:
  struct Shared {
    std::counting_semaphore<> begun{0};
    std::counting_semaphore<> gate{0};
    std::atomic<int> over{0};
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

/// Keeps all threads of an executor busy, so that nothing new begins there.
class BlockedThreads {
 public:
  BlockedThreads(io::Executor& executor, std::size_t threads) : threads_(threads) {
    for (std::size_t i = 0; i < threads; ++i) REQUIRE(executor.run(this, gate_.task()));
    gate_.wait_for(threads);
  }
  ~BlockedThreads() { unblock(); }
  BlockedThreads(const BlockedThreads&) = delete;
  BlockedThreads& operator=(const BlockedThreads&) = delete;

  void unblock() {
    if (std::exchange(blocked_, false)) gate_.let_go(threads_);
  }

 private:
  std::size_t threads_;
  Gate gate_;
  bool blocked_ = true;
};

}  // namespace wharf::test
