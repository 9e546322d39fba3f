#include "base/timer_wheel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace wharf::base;

constexpr Time horizon{std::int64_t{1} << 24};  // 4.66 hours: the span of the wheel

struct Named : Timer {
  explicit Named(int is) : id(is) {}
  int id;
};

/// The timers that expire by `now`, in order.
std::vector<int> expired(TimerWheel& wheel, Time now) {
  std::vector<int> ids;
  wheel.advance(now, [&ids](Timer& timer) {
    CHECK_FALSE(timer.pending());
    ids.push_back(static_cast<Named&>(timer).id);
  });
  return ids;
}

}  // namespace

TEST_CASE("timer wheel: expires at the deadline, not before, once") {
  for (const std::int64_t delay : {1, 2, 63, 64, 65, 127, 128, 4095, 4096, 4097, 262'143, 262'144, 262'145, 16'777'215}) {
    for (const std::int64_t start : {0, 1, 63, 64, 4095, 123'456'789}) {
      CAPTURE(delay);
      CAPTURE(start);
      TimerWheel wheel(Time{start});
      Named timer(1);
      wheel.set(timer, Time{start + delay});
      CHECK(timer.pending());
      CHECK(expired(wheel, Time{start + delay - 1}).empty());
      CHECK(wheel.next() == Time{start + delay});
      CHECK(expired(wheel, Time{start + delay}) == std::vector<int>{1});
      CHECK_FALSE(timer.pending());
      CHECK(wheel.next() == never);
      CHECK(expired(wheel, Time{start + delay + 1000}).empty());
    }
  }
}

TEST_CASE("timer wheel: next() leads to a deadline in few steps, and never beyond it") {
  TimerWheel wheel(Time{1'000'003});
  Named timer(1);
  const Time due = Time{1'000'003} + 3 * horizon + Time{12'345};
  wheel.set(timer, due);
  int steps = 0;
  while (timer.pending() && ++steps < 20) {
    const Time next = wheel.next();
    CHECK(next <= due);
    CHECK(expired(wheel, next).empty() == (next < due));
  }
  CHECK_FALSE(timer.pending());
  CHECK(steps < 20);
}

TEST_CASE("timer wheel: a deadline that never comes does not come") {
  TimerWheel wheel;
  Named timer(1);
  wheel.set(timer, never);
  CHECK(expired(wheel, 100 * horizon).empty());
  CHECK(timer.pending());
}

TEST_CASE("timer wheel: a deadline that has passed comes with the next millisecond") {
  TimerWheel wheel(Time{500});
  Named first(1);
  Named second(2);
  wheel.set(first, Time{500});
  wheel.set(second, Time{3});
  CHECK(wheel.next() <= Time{501});
  CHECK(expired(wheel, Time{501}).size() == 2);
}

TEST_CASE("timer wheel: the order is that of the deadlines, whatever the order of setting and however late the call") {
  TimerWheel wheel;
  Named a(1), b(2), c(3), d(4);
  wheel.set(c, Time{70'000});
  wheel.set(a, Time{5});
  wheel.set(d, 2 * horizon);
  wheel.set(b, Time{69});
  CHECK(expired(wheel, 3 * horizon) == std::vector<int>{1, 2, 3, 4});
}

TEST_CASE("timer wheel: a deadline moves away, again and again, and then nearer") {
  TimerWheel wheel;
  Named timer(1);
  for (int i = 0; i < 1000; ++i) {
    wheel.set(timer, Time{i + 100});
    CHECK(expired(wheel, Time{i}).empty());
  }
  wheel.set(timer, Time{5000});
  wheel.set(timer, Time{1010});
  CHECK(wheel.next() <= Time{1010});
  CHECK(expired(wheel, Time{1009}).empty());
  CHECK(expired(wheel, Time{1010}).size() == 1);
}

TEST_CASE("timer wheel: cancelled and destroyed timers do not expire, and leave the wheel to rest") {
  TimerWheel wheel;
  Named cancelled(1);
  auto destroyed = std::make_unique<Named>(2);
  wheel.set(cancelled, Time{10});
  wheel.set(*destroyed, Time{300});
  wheel.cancel(cancelled);
  wheel.cancel(cancelled);
  CHECK_FALSE(cancelled.pending());
  destroyed.reset();
  CHECK(expired(wheel, Time{1000}).empty());
  CHECK(wheel.next() == never);
}

TEST_CASE("timer wheel: a timer may set itself when it expires") {
  TimerWheel wheel;
  Named timer(1);
  int count = 0;
  wheel.set(timer, Time{10});
  wheel.advance(Time{95}, [&](Timer& due) { wheel.set(due, Time{10 * (++count + 1)}); });
  CHECK(count == 9);
  CHECK(timer.pending());
}

TEST_CASE("timer wheel: of two timers of one millisecond, the first may cancel, destroy, move or keep the other") {
  const std::map<std::string, std::function<void(TimerWheel&, std::unique_ptr<Named>&)>> deeds{
      {"cancel", [](TimerWheel& wheel, std::unique_ptr<Named>& other) { wheel.cancel(*other); }},
      {"destroy", [](TimerWheel&, std::unique_ptr<Named>& other) { other.reset(); }},
      {"move", [](TimerWheel& wheel, std::unique_ptr<Named>& other) { wheel.set(*other, Time{80}); }},
      {"keep", [](TimerWheel&, std::unique_ptr<Named>&) {}}};
  for (const auto& entry : deeds) {
    const auto& name = entry.first;
    const auto& deed = entry.second;
    CAPTURE(name);
    TimerWheel wheel;
    std::unique_ptr<Named> timers[] = {std::make_unique<Named>(0), std::make_unique<Named>(1)};
    for (auto& timer : timers) wheel.set(*timer, Time{50});
    int count = 0;
    const auto expire = [&](Timer& due) {
      if (++count == 1) deed(wheel, timers[1 - static_cast<Named&>(due).id]);
    };
    wheel.advance(Time{60}, expire);
    CHECK(count == (name == "keep" ? 2 : 1));
    wheel.advance(Time{80}, expire);
    CHECK(count == (name == "keep" || name == "move" ? 2 : 1));
  }
}

namespace {

/// Compares the wheel with a sorted map.
class Comparison {
 public:
  explicit Comparison(unsigned seed) : random_(seed), now_(static_cast<std::int64_t>(random_() % 100'000'000)), wheel_(Time{now_}) {
    for (int id = 0; id < 60; ++id) timers_.push_back(std::make_unique<Named>(id));
  }

  void step() {
    const auto choice = random_() % 10;
    if (choice < 8) change_one();
    else advance(some_delay());
    check_next();
  }
  void advance(std::int64_t by) {
    const std::int64_t target = now_ + by;
    wheel_.advance(Time{target}, [&](Timer& timer) { expire(static_cast<Named&>(timer), target); });
    now_ = target;
    if (!expected_.empty()) REQUIRE(expected_.begin()->first > target);
  }
  [[nodiscard]] std::size_t expirations() const { return expirations_; }

 private:
  std::int64_t some_delay() {
    static constexpr std::int64_t spans[] = {2, 10, 70, 400, 5'000, 300'000, 20'000'000, 70'000'000};
    return static_cast<std::int64_t>(random_()) % spans[random_() % std::size(spans)];
  }
  void forget(int id) {
    std::erase_if(expected_, [id](const auto& entry) { return entry.second == id; });
  }
  void change_one() {
    const std::size_t id = random_() % timers_.size();
    forget(static_cast<int>(id));
    switch (random_() % 8) {
      case 0: wheel_.cancel(*timers_[id]); break;
      case 1: timers_[id] = std::make_unique<Named>(static_cast<int>(id)); break;
      default: {
        const std::int64_t due = random_() % 16 == 0 ? now_ - 5 : now_ + 1 + some_delay();
        wheel_.set(*timers_[id], Time{due});
        expected_.emplace(std::max(due, now_ + 1), static_cast<int>(id));
      }
    }
  }
  void expire(Named& timer, std::int64_t target) {
    const int id = timer.id;
    REQUIRE_FALSE(expected_.empty());
    now_ = expected_.begin()->first;
    REQUIRE(now_ <= target);
    const auto [from, to] = expected_.equal_range(now_);
    REQUIRE(std::any_of(from, to, [id](const auto& entry) { return entry.second == id; }));
    forget(id);
    ++expirations_;
    for (auto count = random_() % 3; count > 0; --count) change_one();  // that may destroy the timer that expired
  }
  void check_next() {
    const Time next = wheel_.next();
    if (expected_.empty()) return;
    REQUIRE(next > Time{now_});
    REQUIRE(next <= Time{expected_.begin()->first});
  }

  std::mt19937 random_;
  std::int64_t now_;
  TimerWheel wheel_;
  std::vector<std::unique_ptr<Named>> timers_;
  std::multimap<std::int64_t, int> expected_;
  std::size_t expirations_ = 0;
};

}  // namespace

TEST_CASE("timer wheel: it does the same as a sorted map, in and out of callbacks, near and beyond the horizon") {
  std::size_t expirations = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Comparison comparison(seed);
    for (int step = 0; step < 3000; ++step) comparison.step();
    expirations += comparison.expirations();
  }
  CHECK(expirations > 10'000);  // or the test checked nothing
}
