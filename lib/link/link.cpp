#include "link/link.h"

#include <exception>
#include <utility>

namespace wharf::session {

/// While one is alive, a call from the carrier is on the stack, and its end will settle the link: touch() need not schedule that.
class Link::Turn {
 public:
  explicit Turn(Link& link) : link_(link), outermost_(!link.in_turn_) { link_.in_turn_ = true; }
  ~Turn() {
    if (outermost_) link_.in_turn_ = false;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Link& link_;
  bool outermost_;
};

void Link::write_through(std::string_view head, std::string_view body) {
  out_.append(head);
  out_.append(body);
}

void Link::cork() {
  if (!output_ending_) corked_ = true;
}

void Link::uncork() {
  if (std::exchange(corked_, false)) touch();
}

void Link::end_output() {
  output_ending_ = true;
  corked_ = false;
  touch();
}

void Link::become(std::unique_ptr<Session> next) {
  next_ = std::move(next);
  touch();
}

void Link::hold_input() {
  if (std::exchange(held_, true)) return;
  input_wanted_changed();
}

void Link::resume_input() {
  if (!std::exchange(held_, false)) return;
  input_wanted_changed();
  touch();
}

void Link::finish() {
  if (ending()) return;
  finishing_ = true;
  input_wanted_changed();
  touch();
}

void Link::abort() {
  if (std::exchange(aborted_, true)) return;
  input_wanted_changed();
  touch();
}

/// Runs a part of what the carrier asks for, within which a session is called.
template <class Call>
void Link::sheltered(Call&& call) noexcept {
  try {
    call();
  } catch (...) {
    lose();
  }
}

/// Within a handler. What the session was about to do is not known any more, so it does nothing but end.
void Link::lose() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    tell_lost(error.what());
  } catch (...) {
    tell_lost("an exception that says nothing");
  }
  if (!std::exchange(aborted_, true)) input_wanted_changed();
}

void Link::begin(std::unique_ptr<Session> first) noexcept {
  next_ = std::move(first);
  if (!next_) abort();
  settle();
}

void Link::deliver(std::span<char> bytes) noexcept {
  const Turn turn(*this);
  sheltered([this, bytes] {
    begin_work();
    if (kept_input_) kept_input_->bytes.append(bytes.data(), bytes.size());
    else if (const std::span<char> rest = feed(bytes); !rest.empty())
      keep(std::make_unique<KeptInput>(KeptInput{std::string(rest.data(), rest.size()), 0}));
    else if (asked_again_) input_wanted_changed();
  });
  settle();
}

void Link::deliver_end_of_input() noexcept {
  input_ended_ = true;
  settle();
}

void Link::deliver_deadline() noexcept {
  const Turn turn(*this);
  sheltered([this] {
    if (next_ && !ending()) swap_session();  // whose deadline it is
    if (session_ && !ending()) session_->deadline();
  });
  settle();
}

void Link::deliver_shut_down() noexcept {
  const Turn turn(*this);
  sheltered([this] {
    if (next_ && !ending()) swap_session();
    if (session_ && !ending()) session_->shut_down();
  });
  settle();
}

void Link::settle() noexcept {
  sheltered([this] { work(); });
  if (ending()) end_session();
  else if (next_ || wants_turn_ || (input_waits() && !held_ && !may_go_on()))
    schedule();  // asked for by end_of_input() or room(), or for later
}

void Link::work() {
  const Turn turn(*this);
  begin_work();
  if (session_ && !next_ && !ending() && std::exchange(wants_turn_, false)) session_->turn();
  if (next_ || (input_waits() && !held_)) feed_kept_input();
  if (input_ended_ && !input_waits() && session_ && !ending() && !std::exchange(told_input_ended_, true)) session_->end_of_input();
  if (!aborted_ && !out_.empty() && !held_back()) flush();
  give_room();
  if (output_ending_ && out_.empty() && !ending() && !std::exchange(output_ended_, true)) output_ended();
}

/// Once in each turn of the loop, however often the link is called in it.
void Link::begin_work() {
  if (const std::uint32_t now = turn_number(); now != work_turn_) {
    work_turn_ = now;
    work_left_ = work_per_turn;
  }
}

/// The one place where sessions are fed and swapped, and where they stop for this turn. Returns what nobody may use yet; nothing
/// when the link is ending.
std::span<char> Link::feed(std::span<char> bytes) {
  while (!ending()) {
    if (next_) {
      swap_session();
      continue;
    }
    if ((bytes.empty() && !asked_again_) || held_ || !may_go_on()) return bytes;
    asked_again_ = false;
    const std::size_t used = session_->input(bytes);
    bytes = bytes.subspan(used);
    spend(static_cast<std::int64_t>(used) + 1);
    if (used == 0 && !asked_again_ && !next_ && !ending())
      return bytes;  // nothing comes of asking again before something has changed
  }
  return {};
}

void Link::feed_kept_input() {
  std::unique_ptr<KeptInput> kept = std::move(kept_input_);
  std::span<char> rest = kept ? std::span<char>(kept->bytes).subspan(kept->used) : std::span<char>();
  try {
    rest = feed(rest);
  } catch (...) {  // what the session was given stays until it has been told of its end
    kept_input_ = std::move(kept);
    throw;
  }
  if (rest.empty()) return input_wanted_changed();
  kept->used = kept->bytes.size() - rest.size();
  keep(std::move(kept));
}

/// As long as input is kept, the carrier reads no more: there is never more than one of its buffers.
void Link::keep(std::unique_ptr<KeptInput> rest) {
  kept_input_ = std::move(rest);
  input_wanted_changed();
}

/// The old session lives until the new one has started, so that the new one may look at what the old one holds.
void Link::swap_session() {
  const std::unique_ptr<Session> old = std::exchange(session_, std::move(next_));
  corked_ = asked_again_ = wants_turn_ = false;
  told_input_ended_ = false;
  most_read_ = usual_read;
  session_->start();
}

void Link::give_room() {
  if (!wants_room_ || blocked() || out_.size() > limits_->low_water || !session_ || ending()) return;
  wants_room_ = false;
  session_->room();
  if (!aborted_ && !out_.empty() && !held_back()) flush();
  // What is left of a flush leaves when the carrier takes more, and not before: nothing comes of asking it again and again.
  const bool wants_more_room = wants_room_ && !blocked() && (out_.empty() || held_back());
  if (wants_more_room || (input_waits() && !held_)) schedule();
}

void Link::end_session() noexcept {
  if (std::exchange(wound_up_, true)) return;
  next_.reset();
  asked_again_ = false;
  if (session_) {
    const Turn turn(*this);
    sheltered([this] { session_->ended(); });
    session_.reset();
  }
  kept_input_.reset();
  wind_up();
}

}  // namespace wharf::session
