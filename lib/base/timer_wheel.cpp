#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace wharf::base {

void TimerWheel::set(Timer& timer, Time due) {
  timer.due_ = count(due);
  if (timer.pending() && timer.wake_ <= timer.due_) return;
  cancel(timer);
  place(timer);
}

/// The timer's level is no longer known, but an empty slot may lose its bit on every level.
void TimerWheel::cancel(Timer& timer) {
  timer.unlink();
  for (int level = 0; level < levels; ++level) {
    const std::uint64_t slot = (timer.wake_ >> (level * slot_bits)) % slots;
    Level& here = levels_[static_cast<std::size_t>(level)];
    if (!here.heads[slot].pending()) here.used &= ~(std::uint64_t{1} << slot);
  }
}

void TimerWheel::place(Timer& timer) {
  constexpr std::uint64_t horizon = std::uint64_t{1} << (slot_bits * levels);
  const std::uint64_t distance = timer.due_ > now_ ? std::min(timer.due_ - now_, horizon - 1) : 1;
  timer.wake_ = now_ + distance;
  const int level = (static_cast<int>(std::bit_width(distance)) - 1) / slot_bits;
  const std::uint64_t slot = (timer.wake_ >> (level * slot_bits)) % slots;
  levels_[static_cast<std::size_t>(level)].used |= std::uint64_t{1} << slot;
  timer.link_before(levels_[static_cast<std::size_t>(level)].heads[slot]);
}

std::uint64_t TimerWheel::next_slot_time() const {
  std::uint64_t soonest = none;
  for (int level = 0; level < levels; ++level) {
    const std::uint64_t used = levels_[static_cast<std::size_t>(level)].used;
    if (used == 0) continue;
    const int shift = level * slot_bits;
    const std::uint64_t position = now_ >> shift;
    const int ahead = 1 + std::countr_zero(std::rotr(used, static_cast<int>((position + 1) % slots)));
    soonest = std::min(soonest, (position + static_cast<std::uint64_t>(ahead)) << shift);
  }
  return soonest;
}

Time TimerWheel::next() const {
  const std::uint64_t moment = next_slot_time();
  return moment == none ? never : Time{static_cast<Time::rep>(moment)};
}

void TimerWheel::collect(std::uint64_t moment, Timer& due) {
  for (int level = levels - 1; level >= 0; --level) {
    const int shift = level * slot_bits;
    if (moment % (std::uint64_t{1} << shift) != 0) continue;
    const std::uint64_t slot = (moment >> shift) % slots;
    Level& here = levels_[static_cast<std::size_t>(level)];
    here.used &= ~(std::uint64_t{1} << slot);
    Timer& head = here.heads[slot];
    while (head.pending()) {
      Timer& timer = *head.next_;
      timer.unlink();
      if (timer.due_ <= moment) timer.link_before(due);
      else place(timer);
    }
  }
}

}  // namespace wharf::base
