#pragma once
#include <doctest/doctest.h>
#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "io/loop.h"

namespace wharf::test {

/// A loop within one of the test's own, which the test runs turn by turn. At the end nothing may be left in it.
class Turns {
 public:
  explicit Turns(const io::LoopLimits& limits = {}) : limits_(limits) {
    REQUIRE(uv_loop_init(&callers_) == 0);
    loop_ = std::move(*io::Loop::create(&callers_, limits_, log_));
  }
  ~Turns() {
    loop_->stop(base::Time{0}, nullptr);
    uv_run(&callers_, UV_RUN_DEFAULT);
    loop_.reset();
    CHECK(uv_loop_close(&callers_) == 0);
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  void one() { uv_run(&callers_, UV_RUN_NOWAIT); }

  /// Turns until it is so; false when it is not for much longer than anything here takes.
  [[nodiscard]] bool until(const std::function<bool()>& is_so) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (one(); !is_so(); one()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  /// Turns for that long, to show that something does not happen.
  void for_a_while(std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      one();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    one();
  }

  io::Loop& loop() { return *loop_; }
  uv_loop_t* callers() { return &callers_; }

  std::vector<std::string> log_lines;

 private:
  io::LoopLimits limits_;
  base::Log log_{base::LogLevel::debug, [this](base::LogLevel, std::string_view text) { log_lines.emplace_back(text); }};
  uv_loop_t callers_{};
  std::unique_ptr<io::Loop> loop_;
};

}  // namespace wharf::test
