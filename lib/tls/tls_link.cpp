#include "tls/tls_link.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace wharf::tls {

TlsLink::TlsLink(session::Link& below, const Context& context, LoopParts& parts, session::SessionMaker make_session,
                 const std::string& server_name)
    : Link(parts.pool, parts.output),
      below_(below),
      parts_(parts),
      make_session_(std::move(make_session)),
      engine_(context, below.out(), server_name) {
  set_peer(below.peer().address);
}

// ---- The handshake ----

void TlsLink::start() {
  below_.set_deadline(below_.now() + parts_.handshake_time);
  below_.resume_input();
  shake_hands();  // a client speaks first
}

void TlsLink::shake_hands() {
  switch (engine_.shake_hands()) {
    case Engine::State::handshaking: return;
    case Engine::State::open: return begin_session();
    case Engine::State::peer_ended: return handshake_failed("the peer ended it");
    case Engine::State::failed: return handshake_failed(engine_.error());
  }
}

/// An alert that is queued below still leaves.
void TlsLink::handshake_failed(std::string_view why) {
  stage_ = Stage::over;
  parts_.log.info(base::LogKind("TLS handshakes that failed"), address(), ": no TLS, ", why);
  below_.finish();
}

void TlsLink::begin_session() {
  stage_ = Stage::open;
  facts_ = engine_.facts();
  set_tls(facts_);
  below_.set_deadline(base::never);
  begin(std::exchange(make_session_, nullptr)(*this));
}

// ---- Input ----

std::size_t TlsLink::input(std::span<char> bytes) {
  if (stage_ == Stage::open && below_.out().size() > most_sealed + most_replies) {
    marks_.add(Mark::replies_wait);
    below_.hold_input();
    below_.want_room();
    return 0;
  }
  engine_.give(bytes);
  if (stage_ == Stage::handshaking) shake_hands();
  if (stage_ == Stage::open) read();
  else if (stage_ == Stage::winding_up) drop();
  if (stage_ == Stage::open && !out().empty()) flush();  // it may have waited for these bytes
  if (stage_ == Stage::open && marks_.has(Mark::idle)) tell_idle();
  const std::size_t left = engine_.take_back();
  const bool goes_on = stage_ == Stage::open && engine_.state() == Engine::State::open;
  return goes_on ? bytes.size() - left : bytes.size();  // what comes after the end is dropped
}

/// Hands over what has been received, as long as the session above wants it.
void TlsLink::read() {
  while (stage_ == Stage::open && !input_held() && !ending()) {
    const std::size_t room = std::min(parts_.plain.size(), std::max(most_read(), largest_record));
    const std::size_t size = engine_.read(std::span(parts_.plain).first(room));
    if (size != 0) deliver(std::span(parts_.plain).first(size));
    else break;
  }
  if (stage_ != Stage::open || ending()) return;
  below_.read_at_most(std::max(most_read(), largest_record));
  if (engine_.state() == Engine::State::peer_ended && !input_held()) {
    deliver_end_of_input();
  } else if (engine_.state() == Engine::State::failed) {
    parts_.log.info(base::LogKind("broken TLS records"), address(), ": cut, ", engine_.error());
    abort();
    settle();
  }
}

/// For OpenSSL's own sake: what comes may be what it waits for.
void TlsLink::drop() {
  while (engine_.read(parts_.plain) != 0) {
  }
  conclude();
}

/// Without a close_notify, what came may have been cut short by anybody (RFC 8446 section 6.1). But a peer that has only ended its side
/// still gets what is there for it.
void TlsLink::end_of_input() {
  if (stage_ == Stage::handshaking) return handshake_failed("the peer ended the connection");
  if (stage_ != Stage::open || engine_.state() == Engine::State::peer_ended) return;
  marks_.add(Mark::cut_short);
  finish();
  settle();
}

bool TlsLink::nothing_came() const { return engine_.state() == Engine::State::open && !engine_.has_part() && below_.quiet(); }

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
  if (engine_.has_part()) below_.now_busy();
  else below_.now_idle();
}

std::string TlsLink::address() const {
  return peer().address.text() == below_.peer().address.text() ? below_.address() : Link::address();
}

/// Plain bytes that wait here come to the session in a turn, since nothing else may wake it.
void TlsLink::input_wanted_changed() {
  if (input_held() && !ending()) return below_.hold_input();
  below_.resume_input();
  if (stage_ == Stage::open && (engine_.has_more() || engine_.state() == Engine::State::peer_ended)) below_.want_turn();
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
  if (engine_.state() == Engine::State::failed) abort();
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
  const std::size_t sealed = engine_.seal(plain.substr(0, most));
  out().consume(sealed);
  sealed_since_rest_ = std::min(sealed_since_rest_ + sealed, small_until);
  return sealed != 0;
}

void TlsLink::output_ended() {
  engine_.close_notify();
  below_.end_output();
}

// ---- Time and turns ----

void TlsLink::room() {
  if (marks_.take(Mark::replies_wait) && !input_held()) below_.resume_input();
  proceed();
}

void TlsLink::turn() { proceed(); }

/// The link below has room, or this one asked for a turn.
void TlsLink::proceed() {
  if (stage_ == Stage::handshaking || stage_ == Stage::over) return;
  settle();
  if (stage_ == Stage::open) read();
  if (stage_ == Stage::winding_up) conclude();
}

void TlsLink::deadline() {
  if (stage_ == Stage::handshaking) {
    stage_ = Stage::over;
    parts_.log.info(base::LogKind("TLS handshakes that failed"), address(), ": no TLS, the handshake took too long");
    below_.abort();
  } else if (stage_ == Stage::open) {
    deliver_deadline();
  } else if (stage_ == Stage::winding_up) {
    give_up();
  }
}

void TlsLink::shut_down() {
  if (stage_ == Stage::handshaking) {
    stage_ = Stage::over;
    below_.finish();
  } else if (stage_ == Stage::open) {
    deliver_shut_down();
  }
}

// ---- The end ----

/// The session above is gone. What it has queued still leaves, if it was finished.
void TlsLink::wind_up() {
  if (stage_ == Stage::over) return;
  if (engine_.state() == Engine::State::failed || !aborted()) {
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
    const bool failed = engine_.state() == Engine::State::failed;
    if (!failed) flush();
    if (!failed && !out().empty()) return;
    stage_ = Stage::over;
    if (!failed && !marks_.has(Mark::cut_short)) engine_.close_notify();
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
  const bool began = stage_ != Stage::handshaking;
  stage_ = Stage::over;
  if (!began) return;
  abort();
  settle();
}

}  // namespace wharf::tls
