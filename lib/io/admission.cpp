#include "io/admission.h"

#include <algorithm>
#include <utility>

namespace wharf::io {

Admission::Place Admission::take_of(std::size_t most) {
  for (std::size_t taken = taken_.load(); taken < most;)
    if (taken_.compare_exchange_weak(taken, taken + 1)) return Place(this);
  return {};
}

bool Admission::has_idle() {
  const std::lock_guard lock(mutex_);
  return std::any_of(members_.begin(), members_.end(),
                     [](const Member* member) { return member->idle.load(std::memory_order_relaxed) != 0; });
}

/// A loop that is about to wait says so before it checks a last time, so that one of the two sees the other.
void Admission::leave_place() noexcept {
  taken_.fetch_sub(1);
  if (waiting_.load() == 0) return;
  const std::lock_guard lock(mutex_);
  for (Member* const member : members_) {
    if (!std::exchange(member->waits, false)) continue;
    waiting_.fetch_sub(1);
    member->room_came();
    return;
  }
}

void Admission::join(Member& member) {
  const std::lock_guard lock(mutex_);
  members_.push_back(&member);
}

void Admission::leave(Member& member) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(member.waits, false)) waiting_.fetch_sub(1);
  members_.erase(std::remove(members_.begin(), members_.end(), &member), members_.end());
}

void Admission::wait_for_room(Member& member, Shortage shortage) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(member.waits, true)) waiting_.fetch_add(1);
  Member* most_idle = nullptr;
  for (Member* const other : members_) {
    if (other == &member || other->idle.load(std::memory_order_relaxed) == 0) continue;
    if (most_idle == nullptr || other->idle.load(std::memory_order_relaxed) > most_idle->idle.load(std::memory_order_relaxed))
      most_idle = other;
  }
  if (most_idle != nullptr) most_idle->room_wanted();
  if (shortage == Shortage::descriptors || taken_.load() >= most_ || !std::exchange(member.waits, false)) return;
  waiting_.fetch_sub(1);
  member.room_came();
}

}  // namespace wharf::io
