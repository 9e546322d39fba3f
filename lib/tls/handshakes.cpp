#include "tls/handshakes.h"

namespace wharf::tls {

void Waiting::join(WaitingLine& line) {
  leave();
  line_ = &line;
  previous_ = line.last_;
  (line.last_ != nullptr ? line.last_->next_ : line.first_) = this;
  line.last_ = this;
  if (line.first_asleep_ == nullptr) line.first_asleep_ = this;
  line.call();
}

void Waiting::leave() {
  if (line_ == nullptr) return;
  WaitingLine& line = *line_;
  if (line.first_asleep_ == this) line.first_asleep_ = next_;
  (previous_ != nullptr ? previous_->next_ : line.first_) = next_;
  (next_ != nullptr ? next_->previous_ : line.last_) = previous_;
  if (state_ == State::called) --line.called_;
  line_ = nullptr;
  previous_ = next_ = nullptr;
  state_ = State::asleep;
  line.call();
}

void WaitingLine::call_at_most(std::size_t most) {
  most_called_ = most;
  call();
}

void WaitingLine::call() {
  while (first_asleep_ != nullptr && called_ < most_called_) {
    Waiting& next = *first_asleep_;
    first_asleep_ = next.next_;
    next.state_ = Waiting::State::called;
    ++called_;
    next.below_.want_turn();
  }
}

bool Lent::begin() {
  const std::lock_guard lock(mutex_);
  if (!over_) ++users_;
  return !over_;
}

void Lent::end() {
  const std::lock_guard lock(mutex_);
  --users_;
  changed_.notify_all();
}

void Lent::take_back() {
  std::unique_lock lock(mutex_);
  over_ = true;
  changed_.wait(lock, [this] { return users_ == 0; });
}

bool Handshakes::has_room(std::uint32_t turn) {
  if (turn != turn_) {
    turn_ = turn;
    spent_ = 0;
  }
  return spent_ < per_turn;
}

}  // namespace wharf::tls
