#pragma once
#include <array>
#include <cstdint>

#include "base/clock.h"

namespace wharf::base {

/// What a TimerWheel holds: embed it (or derive from it); it unlinks itself when destroyed.
class Timer {
 public:
  Timer() = default;
  ~Timer() { unlink(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  [[nodiscard]] bool pending() const { return next_ != this; }

 private:
  friend class TimerWheel;

  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }
  void link_before(Timer& other) {
    next_ = &other;
    previous_ = other.previous_;
    previous_->next_ = this;
    other.previous_ = this;
  }

  Timer* previous_ = this;
  Timer* next_ = this;
  std::uint64_t due_ = 0;   // when it expires
  std::uint64_t wake_ = 0;  // when its slot comes up, never after due_
};

/// A hierarchical timing wheel with slots of one millisecond. Setting, moving and cancelling a timer take constant time, and moving
/// a deadline further away, which is what activity on a connection does, is a plain store: the timer is checked when its old slot
/// comes up, and moved to its right slot then.
class TimerWheel {
 public:
  explicit TimerWheel(Time now = Time{0}) : now_(count(now)) {}

  /// Makes the timer expire at `due`, or at the next advance() if that has passed already.
  void set(Timer& timer, Time due);
  void cancel(Timer& timer);

  /// When advance() should be called next: never after the first deadline, sometimes before it; base::never if nothing is pending.
  [[nodiscard]] Time next() const;

  /// Moves the clock and calls `expired(timer)` for each timer whose time has come, in the order of their milliseconds. The timer
  /// is no longer pending then. The call may set, cancel and destroy any timer, this one included.
  template <class Expired>
  void advance(Time now, Expired&& expired);

 private:
  static constexpr int levels = 4;
  static constexpr int slot_bits = 6;
  static constexpr int slots = 1 << slot_bits;
  static constexpr std::uint64_t none = ~std::uint64_t{0};

  struct Level {
    std::uint64_t used = 0;  // a bit for each slot; may stay set after the slot's timers were moved away or destroyed
    std::array<Timer, slots> heads;
  };

  static std::uint64_t count(Time time) { return static_cast<std::uint64_t>(time.count()); }
  void place(Timer& timer);
  [[nodiscard]] std::uint64_t next_slot_time() const;
  void collect(std::uint64_t moment, Timer& due);

  std::uint64_t now_;
  std::array<Level, levels> levels_;
};

template <class Expired>
void TimerWheel::advance(Time now, Expired&& expired) {
  const std::uint64_t target = count(now);
  for (std::uint64_t moment = next_slot_time(); moment <= target; moment = next_slot_time()) {
    now_ = moment;
    Timer due;
    collect(moment, due);
    while (due.pending()) {
      Timer& timer = *due.next_;
      timer.unlink();
      if (timer.due_ > moment) place(timer);  // a timer that expired before it has moved it
      else expired(timer);
    }
  }
  if (target > now_) now_ = target;
}

}  // namespace wharf::base
