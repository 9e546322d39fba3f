#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "io/loop.h"

namespace wharf::server {

/// Calls on the thread of a loop, at once and then periodically, as long as the loop turns. Destroyed there, before the loop.
class Watchdog final : public io::Timed {
 public:
  Watchdog(io::Loop& loop, base::Time period, std::function<void()> call)
      : loop_(loop), period_(std::min<base::Time>(period, std::chrono::hours(24))), call_(std::move(call)) {
    on_timer();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() = default;

  void on_timer() override {
    loop_.wheel().set(*this, loop_.now() + period_);
    call_();
  }

 private:
  io::Loop& loop_;
  base::Time period_;
  std::function<void()> call_;
};

}  // namespace wharf::server
