#include "link/link.h"

#include <exception>
#include <utility>

namespace wharf::session {

void Link::write_through(std::string_view head, std::string_view body) {
  out_.append(head);
  out_.append(body);
}

void Link::cork() {
  if (output_ == Output::flows) output_ = Output::corked;
}

void Link::uncork() {
  if (output_ != Output::corked) return;
  output_ = Output::flows;
  touch();
}

void Link::end_output() {
  if (output_ != Output::ended) output_ = Output::ending;
  touch();
}

void Link::become(std::unique_ptr<Session> next) {
  next_ = std::move(next);
  touch();
}

void Link::hold_input() {
  if (std::exchange(holds_, Holds::input) == Holds::input) return;
  input_wanted_changed();
}

void Link::resume_input() {
  if (std::exchange(holds_, Holds::nothing) == Holds::nothing) return;
  input_wanted_changed();
  touch();
}

void Link::finish() {
  if (ending()) return;
  stage_ = Stage::finishing;
  input_wanted_changed();
  touch();
}

void Link::abort() {
  if (std::exchange(stage_, Stage::aborted) == Stage::aborted) return;
  input_wanted_changed();
  touch();
}

/// Within a handler. The state of the session is unknown now, so it only ends.
void Link::lose() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    tell_lost(error.what());
  } catch (...) {
    tell_lost("an exception that says nothing");
  }
  if (std::exchange(stage_, Stage::aborted) != Stage::aborted) input_wanted_changed();
}

void Link::begin(std::unique_ptr<Session> first) noexcept {
  next_ = std::move(first);
  if (!next_) abort();
  settle();
}

void Link::deliver(std::span<char> bytes) noexcept {
  settle_after([this, bytes] { take(bytes); });
}

void Link::deliver_end_of_input() noexcept {
  if (input_end_ == InputEnd::awaited) input_end_ = InputEnd::came;
  settle();
}

void Link::deliver_deadline() noexcept {
  settle_after([this] {
    if (next_ && !ending()) swap_session();  // the deadline is the next session's
    if (session_ && !ending()) session_->deadline();
  });
}

void Link::deliver_shut_down() noexcept {
  settle_after([this] {
    if (marks_.has(Mark::shut_down)) return;  // each has heard of it, or does when it takes over
    marks_.add(Mark::shut_down);
    marks_.remove(Mark::waits_to_be_told);
    if (next_ && !ending()) swap_session();
    else if (session_ && !ending()) session_->shut_down();
  });
}

void Link::deliver_drain() noexcept {
  if (marks_.has(Mark::shut_down) || marks_.has(Mark::drains)) return;
  marks_.add(Mark::drains);
  if (!session_ && !next_) return;
  settle_after([this] {
    if (next_ && !ending()) swap_session();
    else if (session_ && !ending()) drain_session();
  });
}

void Link::drain_session() {
  if (session_->drain() == Session::Drains::when_told) marks_.add(Mark::waits_to_be_told);
  else marks_.remove(Mark::waits_to_be_told);
}

void Link::settle() noexcept {
  settle_after([] {});
}

/// Every call of the carrier goes through here: what it brings, and all that follows from that. What a session touches meanwhile
/// need not be scheduled.
template <class Call>
void Link::settle_after(Call&& call) noexcept {
  ++calls_;
  try {
    begin_work();
    call();
    work();
  } catch (...) {
    lose();
  }
  --calls_;
  if (ending()) end_session();
  else if (next_ || marks_.has(Mark::own_turn) || (!may_go_on() && wants_kept_input()))
    schedule();  // wanted by end_of_input() or room(), or later
}

void Link::work() {
  if (session_ && !next_ && !ending() && marks_.take(Mark::own_turn)) session_->turn();
  if (next_ || wants_kept_input()) feed_kept_input();
  if (input_end_ == InputEnd::came && (!input_waits() || marks_.has(Mark::awaits_more)) && session_ && !ending()) {
    input_end_ = InputEnd::told;
    session_->end_of_input();
  }
  if (!out_.empty() && !aborted() && !held_back()) flush();
  give_room();
  if (output_ == Output::ending && out_.empty() && !ending()) {
    output_ = Output::ended;
    output_ended();
  }
}

/// Once in each turn of the loop, however often the link is called in it.
void Link::begin_work() {
  if (const std::uint32_t now = turn_number(); now != work_turn_) {
    work_turn_ = now;
    work_left_ = work_per_turn;
  }
}

void Link::take(std::span<char> bytes) {
  if (kept_input_) {
    marks_.remove(Mark::awaits_more);
    kept_input_->bytes.append(bytes.data(), bytes.size());
  } else if (const std::span<char> rest = feed(bytes); !rest.empty()) {
    keep(std::make_unique<KeptInput>(KeptInput{std::string(rest.data(), rest.size()), 0}));
  }
}

/// The one place where sessions are fed and swapped, and where they stop for this turn. Returns the bytes that nobody may use yet;
/// none if the link is ending.
std::span<char> Link::feed(std::span<char> bytes) {
  while (!ending()) {
    if (next_) {
      swap_session();
      continue;
    }
    if ((bytes.empty() && !marks_.has(Mark::more_input)) || holds_ == Holds::input || !may_go_on()) return bytes;
    marks_.remove(Mark::more_input);
    const std::size_t used = session_->input(bytes);
    bytes = bytes.subspan(used);
    spend(static_cast<std::int64_t>(used) + 1);
    if (used == 0 && !marks_.has(Mark::more_input) && !next_ && !ending())
      return bytes;  // asking again is useless before something has changed
  }
  return {};
}

void Link::feed_kept_input() {
  std::unique_ptr<KeptInput> kept = std::move(kept_input_);
  std::span<char> rest = kept ? std::span<char>(kept->bytes).subspan(kept->used) : std::span<char>();
  try {
    rest = feed(rest);
  } catch (...) {  // the bytes of the session are kept until it has been told of its end
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

/// The old session lives until the new one has started, so that the new one may look at what the old one holds. A session that
/// takes over while the server stops is told so too: it may have been on its way meanwhile, as while a password was checked.
void Link::swap_session() {
  std::unique_ptr<Session> old = std::exchange(session_, std::move(next_));
  if (output_ == Output::corked) output_ = Output::flows;
  if (input_end_ == InputEnd::told) input_end_ = InputEnd::came;
  marks_.remove(Mark::more_input, Mark::own_turn, Mark::awaits_more);
  most_read_ = usual_read;
  session_->start();
  old.reset();
  if (next_ || ending()) return;
  if (marks_.has(Mark::shut_down)) session_->shut_down();
  else if (marks_.has(Mark::drains)) drain_session();
}

void Link::give_room() {
  if (!marks_.has(Mark::room) || blocked() || out_.size() > limits_->low_water || !session_ || ending()) return;
  marks_.remove(Mark::room);
  session_->room();
  if (!aborted() && !out_.empty() && !held_back()) flush();
  // The rest of a flush leaves when the carrier takes more, and not before: asking it again and again is useless.
  const bool wants_more_room = marks_.has(Mark::room) && !blocked() && (out_.empty() || held_back());
  if (wants_more_room || wants_kept_input()) schedule();
}

void Link::end_session() noexcept {
  if (marks_.has(Mark::wind_up)) return;
  marks_.add(Mark::wind_up);
  next_.reset();
  marks_.remove(Mark::more_input);
  if (session_) {
    ++calls_;
    try {
      session_->ended();
    } catch (...) {
      lose();
    }
    session_.reset();
    --calls_;
  }
  kept_input_.reset();
  wind_up();
}

}  // namespace wharf::session
