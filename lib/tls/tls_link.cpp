#include "tls/tls_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace wharf::tls {

/// The link may go while the thread is at it: so there is no single owner.
struct TlsLink::Signing {
  std::shared_ptr<Engine::Aside> step;
  TlsLink* link;  // for the loop alone; nullptr: it has gone
  bool done = false;
};

TlsLink::TlsLink(session::Link& below, const Context& context, LoopParts& parts, session::SessionMaker make_session,
                 const std::string& server_name, Failed failed)
    : Link(parts.pool, parts.output),
      below_(below),
      parts_(parts),
      opening_(std::make_unique<Opening>(below, context, std::move(make_session), std::move(failed))) {
  set_peer(below.peer().address);
  set_proxied(below.peer().proxied);
  if (context.role() == Role::server) counts_ = parts.counts;
  if (context.role() == Role::client) {
    engine_.emplace(context, below.out(), server_name);
    set_keys();
  }
}

TlsLink::TlsLink(session::Link& below, std::shared_ptr<const NamedContexts> contexts, LoopParts& parts,
                 session::SessionMaker make_session)
    : TlsLink(below, contexts->own(), parts, std::move(make_session)) {
  opening_->contexts = std::move(contexts);
}

TlsLink::~TlsLink() {
  if (opening_ && opening_->signing) opening_->signing->link = nullptr;
}

// ---- The handshake ----

void TlsLink::start() {
  below_.set_deadline(opening_->deadline.value_or(below_.now() + parts_.handshake_time));
  below_.resume_input();
  if (opening_->context.role() == Role::client) shake_hands();
}

/// False: input is held until it is this link's turn.
bool TlsLink::may_shake_hands() {
  if (marks_.take(Mark::called)) return true;
  if (!opening_->waiting.waits() && parts_.handshakes.may_begin(turn_number())) return true;
  if (!opening_->waiting.waits()) wait_in(parts_.handshakes.turns);
  return false;
}

/// A server's, when the first bytes have come: a client that says nothing costs next to nothing.
void TlsLink::make_engine() {
  if (opening_->contexts != nullptr) engine_.emplace(*opening_->contexts, below_.out());
  else engine_.emplace(opening_->context, below_.out());
  set_keys();
}

void TlsLink::set_keys() {
  if (parts_.outside != nullptr) engine_->put_large_keys_aside();
}

void TlsLink::wait_in(WaitingLine& line) {
  below_.hold_input();
  opening_->waiting.join(line);
}

/// This link is at the front of its line, or its signature is back.
void TlsLink::my_turn() {
  Opening& opening = *opening_;
  if (opening.signing) {
    if (!opening.signing->done) return;
    const std::shared_ptr<Signing> signing = std::exchange(opening.signing, nullptr);
    below_.resume_input();
    return go_on_from(engine_->come_back(*signing->step));
  }
  if (!opening.waiting.waits()) return;
  if (opening.waiting.waits_in(parts_.handshakes.threads)) return sign();
  if (!parts_.handshakes.has_room(turn_number())) return below_.want_turn();
  opening.waiting.leave();
  marks_.add(Mark::called);
  below_.resume_input();  // what waits there comes at once
}

void TlsLink::shake_hands() {
  const std::size_t before = below_.out().size();
  const Engine::State state = engine_->shake_hands();
  if (below_.out().size() != before) parts_.handshakes.spend(engine_->cost());
  go_on_from(state);
}

void TlsLink::go_on_from(Engine::State state) {
  switch (state) {
    case Engine::State::handshaking: return;
    case Engine::State::must_sign: return sign();
    case Engine::State::open: return begin_session();
    case Engine::State::peer_ended: return handshake_failed("the peer ended it");
    case Engine::State::failed: return handshake_failed(engine_->error());
  }
}

/// On another thread, or in line for it. If there is no thread at all, the loop does it.
void TlsLink::sign() {
  Handshakes& handshakes = parts_.handshakes;
  const bool is_called = opening_->waiting.waits_in(handshakes.threads);
  if (!handshakes.may_go_away() || (!is_called && !handshakes.threads.empty())) return wait_in(handshakes.threads);
  below_.hold_input();
  auto signing = std::make_shared<Signing>(Signing{engine_->go_aside(), this});
  opening_->signing = signing;
  const auto done = [signing, &handshakes] {
    handshakes.comes_back();
    signing->done = true;
    if (signing->link != nullptr) signing->link->below_.want_turn();
  };
  const auto task = [step = signing->step, lent = handshakes.lent()] { lent->use([&step] { step->run(); }); };
  if (parts_.outside->work(server::Executor::signing, {}, task, done)) {
    handshakes.goes_away();
  } else {
    signing->step->run();
    signing->done = true;
    below_.want_turn();
  }
  opening_->waiting.leave();
}

void TlsLink::count(std::atomic<std::uint64_t> session::OpeningCounts::*which) {
  if (counts_ != nullptr) session::add(counts_->*which);
}

/// An alert that is queued below still leaves.
void TlsLink::handshake_failed(std::string_view why) {
  below_.finish();
  say_failed(why);
}

/// Whoever wants to hear of it says it in the log himself.
void TlsLink::say_failed(std::string_view why) {
  if (!opening_->failed) parts_.log.info(base::LogKind("TLS handshakes that failed"), address(), ": no TLS, ", why);
  tell_failed(why);
}

void TlsLink::tell_failed(std::string_view why) {
  stage_ = Stage::over;
  count(&session::OpeningCounts::tls_failed);
  const Failed failed = std::exchange(opening_->failed, nullptr);
  if (failed) failed(why);
}

void TlsLink::begin_session() {
  facts_ = engine_->facts();  // without memory for that, there is still somebody to tell
  set_tls(facts_);
  stage_ = Stage::open;
  below_.set_deadline(base::never);
  const std::unique_ptr<Opening> opening = std::move(opening_);
  count(&session::OpeningCounts::tls_handshakes);
  if (facts_.version == "TLSv1.2") count(&session::OpeningCounts::tls_1_2);
  if (facts_.resumed == "yes") count(&session::OpeningCounts::tls_resumed);
  begin(opening->make_session(*this));
}

// ---- Input ----

std::size_t TlsLink::input(std::span<char> bytes) {
  if (stage_ == Stage::over) return bytes.size();
  if (stage_ == Stage::handshaking && !may_shake_hands()) return 0;
  if (stage_ == Stage::open && below_.out().size() > most_sealed + most_replies) {
    marks_.add(Mark::replies_wait);
    below_.hold_input();
    below_.want_room();
    return 0;
  }
  const auto known = std::min(looked_ahead_, static_cast<std::uint32_t>(bytes.size()));
  looked_ahead_ -= known;
  if (!engine_) make_engine();
  const std::int64_t work = below_.work_left();
  engine_->give(bytes.subspan(known), work);
  if (stage_ == Stage::handshaking) shake_hands();
  if (stage_ == Stage::open) read();
  else if (stage_ == Stage::winding_up) drop();
  if (stage_ == Stage::open && !out().empty()) flush();  // it may have waited for these bytes
  if (stage_ == Stage::open && marks_.has(Mark::idle)) tell_idle();
  below_.spend(work - engine_->work_left());
  const std::size_t left = engine_->take_back();
  const bool goes_on = stage_ == Stage::handshaking || (stage_ != Stage::over && engine_->state() == Engine::State::open);
  return goes_on ? bytes.size() - left : bytes.size();  // what comes after the end is dropped
}

/// Hands over what has been received, as long as the session above wants it.
void TlsLink::read() {
  while (stage_ == Stage::open && !input_held() && !ending()) {
    const std::size_t room = std::min(parts_.plain.size(), std::max(most_read(), largest_record));
    const std::size_t size = engine_->read(std::span(parts_.plain).first(room));
    if (size != 0) deliver(std::span(parts_.plain).first(size));
    else break;
  }
  if (stage_ != Stage::open || ending()) return;
  below_.read_at_most(std::max(most_read(), largest_record));
  if (engine_->state() == Engine::State::peer_ended && !input_held()) {
    deliver_end_of_input();
  } else if (engine_->state() == Engine::State::failed) {
    parts_.log.info(base::LogKind("broken TLS records"), address(), ": cut, ", engine_->error());
    count(&session::OpeningCounts::tls_cut);
    abort();
    settle();
  }
}

/// For OpenSSL's own sake: what comes may be what it waits for.
void TlsLink::drop() {
  while (engine_->read(parts_.plain) != 0) {
  }
  conclude();
}

/// Without a close_notify, what came may have been cut short by anybody (RFC 8446 section 6.1). But a peer that has only ended its side
/// still gets what is there for it.
void TlsLink::end_of_input() {
  if (stage_ == Stage::handshaking) return handshake_failed("the peer ended the connection");
  if (stage_ != Stage::open || engine_->state() == Engine::State::peer_ended) return;
  marks_.add(Mark::cut_short);
  finish();
  settle();
}

/// A record may be for OpenSSL alone, such as a ticket (RFC 8446 section 4.6.1): then nothing came. So the engine gets what lies below
/// already; it comes once more as input.
bool TlsLink::nothing_came() {
  if (stage_ != Stage::open || engine_->look()) return false;
  if (below_.quiet()) return !engine_->has_part();
  const std::size_t size = below_.look_at_input(parts_.record);
  if (size == 0 || size == parts_.record.size()) return false;
  const std::int64_t work = engine_->work_left();  // of an input() that this may be within
  engine_->give(std::span(parts_.record).subspan(looked_ahead_, size - looked_ahead_), session::work_per_turn);
  const bool came = engine_->look();
  below_.spend(session::work_per_turn - engine_->work_left());
  looked_ahead_ = static_cast<std::uint32_t>(size - engine_->take_back());
  engine_->give({}, work);
  return !came && !engine_->has_part();
}

void TlsLink::now_idle() {
  marks_.add(Mark::idle);
  tell_idle();
}

void TlsLink::now_busy() {
  marks_.remove(Mark::idle);
  below_.now_busy();
}

/// With a part of a record, the next exchange may have begun.
void TlsLink::tell_idle() {
  if (engine_->has_part()) below_.now_busy();
  else below_.now_idle();
}

std::string TlsLink::address() const {
  return peer().address.text() == below_.peer().address.text() ? below_.address() : Link::address();
}

/// Plain bytes that wait here come to the session in a turn, since nothing else may wake it.
void TlsLink::input_wanted_changed() {
  if (input_held() && !ending()) return below_.hold_input();
  below_.resume_input();
  if (stage_ == Stage::open && (engine_->has_more() || engine_->state() == Engine::State::peer_ended)) below_.want_turn();
}

// ---- Output ----

/// All of it when the session is gone: from then on the link below bounds the time that it may take.
void TlsLink::flush() {
  if (stage_ != Stage::open && stage_ != Stage::winding_up) return;
  try {
    while (!out().empty() && !aborted()) {
      const bool bounded = stage_ == Stage::open;
      if (bounded && below_.out().size() >= most_sealed) below_.flush();
      if (bounded && below_.out().size() >= most_sealed) {
        below_.want_room();
        break;
      }
      if (!seal_record()) break;
    }
  } catch (...) {  // there is no memory
    abort();
    throw;
  }
  if (engine_->state() == Engine::State::failed) abort();
  below_.touch();
}

std::size_t TlsLink::record_size() {
  const base::Time now = below_.now();
  if (now - std::exchange(last_sealed_, now) >= rest) sealed_since_rest_ = 0;
  return sealed_since_rest_ < small_until ? small_record : largest_record;
}

/// False if nothing can be sealed now.
bool TlsLink::seal_record() {
  const std::size_t most = std::min(record_size(), out().size());
  std::string_view plain = out().front();
  if (plain.size() < most) {
    std::array<std::string_view, 16> pieces;
    std::size_t size = 0;
    for (const std::string_view piece : std::span(pieces.data(), out().peek(pieces))) {
      const std::size_t part = std::min(piece.size(), most - size);
      std::memcpy(parts_.record.data() + size, piece.data(), part);
      size += part;
    }
    plain = {parts_.record.data(), size};
  }
  const std::size_t sealed = engine_->seal(plain.substr(0, most));
  out().consume(sealed);
  sealed_since_rest_ = std::min(sealed_since_rest_ + static_cast<std::uint32_t>(sealed), small_until);
  return sealed != 0;
}

void TlsLink::output_ended() {
  engine_->close_notify();
  below_.end_output();
}

/// RFC 8446 section 6.1.
void TlsLink::say_goodbye() noexcept {
  if (stage_ != Stage::open || !out().empty()) return;
  try {
    engine_->close_notify();
    below_.flush();
  } catch (...) {  // there is no memory
  }
}

// ---- Time and turns ----

void TlsLink::room() {
  if (marks_.take(Mark::replies_wait) && !input_held()) below_.resume_input();
  proceed();
}

void TlsLink::turn() {
  if (stage_ == Stage::handshaking) my_turn();
  else proceed();
}

/// The link below has room, or this one asked for a turn.
void TlsLink::proceed() {
  if (stage_ == Stage::handshaking || stage_ == Stage::over) return;
  settle();
  if (stage_ == Stage::open) read();
  if (stage_ == Stage::winding_up) conclude();
}

void TlsLink::deadline() {
  if (stage_ == Stage::handshaking) {
    below_.abort();
    say_failed("the handshake took too long");
  } else if (stage_ == Stage::open) {
    deliver_deadline();
  } else if (stage_ == Stage::winding_up) {
    give_up();
  }
}

/// A session above that does not end by itself is told through this one; one that is not there yet hears of it at its start.
session::Session::Drains TlsLink::drain() {
  deliver_drain();
  return waits_to_be_told() ? Drains::when_told : Drains::by_itself;
}

void TlsLink::shut_down() {
  if (stage_ == Stage::handshaking) {
    below_.finish();
    tell_failed("the loop stops");
  } else if (stage_ == Stage::open) {
    deliver_shut_down();
  }
}

// ---- The end ----

/// The session above is gone. What it has queued still leaves, if it was finished.
void TlsLink::wind_up() {
  if (stage_ == Stage::over) return;
  if (engine_->state() == Engine::State::failed || !aborted()) {
    stage_ = Stage::winding_up;
    below_.set_deadline(below_.now() + closing_wait);
    below_.resume_input();
    conclude();
  } else {
    give_up();
  }
}

/// An alert that is queued below still leaves.
void TlsLink::conclude() noexcept {
  try {
    const bool failed = engine_->state() == Engine::State::failed;
    if (!failed) flush();
    if (!failed && !out().empty()) return;
    stage_ = Stage::over;
    if (!failed && !marks_.has(Mark::cut_short)) engine_->close_notify();
    below_.finish();
  } catch (...) {  // there is no memory
    give_up();
  }
}

void TlsLink::give_up() {
  stage_ = Stage::over;
  if (!below_.ending()) below_.abort();
}

/// The link below has ended.
void TlsLink::ended() {
  if (stage_ == Stage::over) return;
  if (stage_ == Stage::handshaking) return tell_failed("the connection was lost");
  stage_ = Stage::over;
  abort();
  settle();
}

}  // namespace wharf::tls
