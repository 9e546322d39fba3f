#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace wharf::io {

class Connection;

/// Who serves the connections that wait to be accepted when a loop stops accepting slowly.
enum class Backlog : std::uint8_t {
  served,  ///< this loop does, and then closes the sockets
  left     ///< another process, which has the same sockets: they are closed here at once
};

/// The k-th of `count` (from 0) is due at begin + time * k / count. It owns no clock.
class EvenPace {
 public:
  EvenPace() = default;
  EvenPace(base::Time begin, base::Time time, std::size_t count) : begin_(begin), time_(time), count_(count) {}

  /// How many should have had their turn by now, and have not.
  [[nodiscard]] std::size_t due(base::Time now) const {
    if (now < begin_) return 0;
    if (now >= begin_ + time_) return count_ - done_;
    const auto passed = static_cast<std::uint64_t>((now - begin_).count());
    const std::uint64_t by_now = passed * count_ / static_cast<std::uint64_t>(time_.count()) + 1;
    return std::min<std::uint64_t>(by_now, count_) - done_;
  }
  void done() { done_ += done_ < count_ ? 1 : 0; }
  [[nodiscard]] bool over() const { return done_ == count_; }
  /// When the next is due; never if all had their turn. Rounded up to milliseconds.
  [[nodiscard]] base::Time next() const {
    if (over()) return base::never;
    const std::uint64_t whole = static_cast<std::uint64_t>(time_.count()) * done_;
    return begin_ + base::Time{static_cast<base::Time::rep>((whole + count_ - 1) / count_)};
  }

 private:
  base::Time begin_{0};
  base::Time time_{0};
  std::uint64_t count_ = 0;
  std::uint64_t done_ = 0;
};

/// How far a loop that drains has come.
struct Drain {
  enum class Phase : std::uint8_t {
    announcing,  // to every connection
    telling,     // those that do not end by themselves to end, at an even pace
    ending       // everybody that is left is told to end
  };

  Drain(base::Time now, base::Time time) : telling_until(now + time * 3 / 4), cut_at(now + time) {}

  base::Time telling_until;
  base::Time cut_at;
  base::Time close_listeners = base::never;  // those from which everybody has been accepted by then
  Phase phase = Phase::announcing;
  Connection* next = nullptr;  // of the walk through the loop's list
  std::size_t to_be_told = 0;
  EvenPace pace;
};

}  // namespace wharf::io
