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
  engine_.give(bytes);
  if (stage_ == Stage::handshaking) shake_hands();
  if (stage_ == Stage::open) read();
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

/// Without a close_notify, what came may have been cut short by anybody (RFC 8446 section 6.1).
void TlsLink::end_of_input() {
  if (stage_ == Stage::handshaking) return handshake_failed("the peer ended the connection");
  if (stage_ != Stage::open || engine_.state() == Engine::State::peer_ended) return;
  abort();
  settle();
}

/// Plain bytes that wait here come to the session in a turn, since nothing else may wake it.
void TlsLink::input_wanted_changed() {
  if (input_held() && !ending()) return below_.hold_input();
  below_.resume_input();
  if (stage_ == Stage::open && (engine_.has_more() || engine_.state() == Engine::State::peer_ended)) below_.want_turn();
}

// ---- Output ----

void TlsLink::flush() {
  if (stage_ != Stage::open && stage_ != Stage::winding_up) return;
  while (!out().empty() && engine_.state() != Engine::State::failed && !aborted()) {
    if (below_.out().size() >= most_sealed) below_.flush();
    if (below_.out().size() >= most_sealed) {
      below_.want_room();
      break;
    }
    seal_record();
  }
  if (engine_.state() == Engine::State::failed) abort();
  below_.touch();
}

std::size_t TlsLink::record_size() {
  const base::Time now = below_.now();
  if (now - std::exchange(last_sealed_, now) >= rest) sealed_since_rest_ = 0;
  return sealed_since_rest_ < small_until ? small_record : largest_record;
}

void TlsLink::seal_record() {
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
  plain = plain.substr(0, most);
  engine_.seal(plain);
  out().consume(plain.size());
  sealed_since_rest_ = std::min(sealed_since_rest_ + plain.size(), small_until);
}

void TlsLink::output_ended() {
  engine_.close_notify();
  below_.end_output();
}

// ---- Time and turns ----

void TlsLink::room() { proceed(); }

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
    if (!failed) engine_.close_notify();
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
