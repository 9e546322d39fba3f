#include "protocol/ws.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "codec/utf8.h"
#include "protocol/services.h"

namespace wharf::session {
// ---- Life ----

std::unique_ptr<Session> Ws::open(Link& link, Protocol& protocol, const RequestView& request,
                                  const std::optional<codec::DeflateAgreement>& deflate) {
  const wharf_row& row = protocol.row;
  std::unique_ptr<Ws> session(new (StateSize{row.state_size}) Ws(link, protocol));
  if (deflate) session->deflate_as(*deflate);
  const bool made = session->make_state(protocol.home.handles, [&](void* state) {
    return row.open == nullptr || row.open(state, protocol.shared, session.get(), &request) == 0;
  });
  if (made) {
    add(protocol.counts->opened);
    add(protocol.counts->open);
  } else {
    session->close(1011, "");
  }
  return session;
}

Ws::Ws(Link& link, Protocol& protocol)
    : wharf_peer{&service_table()},
      link_(link),
      protocol_(protocol),
      decoder_(codec::Role::server, protocol.message_limit()),
      quiet_since_(link.now()) {
  if (protocol.row.fragment != nullptr) decoder_.hand_out_pieces();
  decoder_.inflate_room_by_room();
  set_timer();
  arrive(*protocol.guests);
}

void Ws::deflate_as(const codec::DeflateAgreement& agreement) {
  const auto context = [](bool no_takeover) {
    return no_takeover ? codec::DeflateContext::forgotten : codec::DeflateContext::kept;
  };
  decoder_.inflate_with(protocol_.home.deflate, agreement.client_max_window_bits, context(agreement.client_no_context_takeover));
  encoder_.deflate_with(protocol_.deflate_settings, agreement.server_max_window_bits,
                        context(agreement.server_no_context_takeover));
  if (agreement.reads_compressed_only) encoder_.compress_all();
  update_short_below();
}

Ws::~Ws() {
  destroy_state();
  depart(*protocol_.guests);
}

void Ws::ended() { destroy_state(); }

void Ws::destroy_state() {
  tell_closing(1006, {});
  end_sending();  // nothing may be sent from destroy() either
  end_state(protocol_.home.handles, [this](void* state) {
    add(protocol_.counts->open, std::uint64_t{0} - 1);
    if (protocol_.row.destroy != nullptr) protocol_.row.destroy(state);
  });
}

void Ws::tell_closing(std::uint16_t code, std::string_view reason) {
  if (std::exchange(told_closing_, true) || !has_state()) return;
  end_sending();
  if (protocol_.row.closing != nullptr) protocol_.row.closing(state(), code, reason.data(), reason.size());
}

// ---- Frames out ----

void Ws::send_frame(const codec::WsOutFrame& frame) {
  if (frame.payload.size() >= write_through_from) {
    char head[codec::max_frame_header];
    link_.write_through({head, frame.write_header(head)}, frame.payload);
  } else {
    char* const room = link_.out().reserve(codec::max_frame_header + frame.payload.size());
    const std::size_t head = frame.write_header(room);
    if (!frame.payload.empty()) std::memcpy(room + head, frame.payload.data(), frame.payload.size());
    link_.out().commit(head + frame.payload.size());
  }
  link_.touch();
}

// ---- Input ----

void Ws::heard() {
  quiet_since_ = link_.now();
  if (std::exchange(pinged_, false)) set_timer();
}

std::size_t Ws::input(std::span<char> bytes) {
  if (!bytes.empty()) heard();
  std::span<char> rest = bytes;
  codec::WsEvent event;
  const std::int64_t allowed = link_.work_left();
  std::int64_t work = 0;
  while (halted_ == 0 && !link_.ending() && work < allowed) {
    decoder_.next(rest, event);
    if (event.type == codec::WsEvent::Type::text || event.type == codec::WsEvent::Type::binary) {
      work += event_work + static_cast<std::int64_t>(event.payload.size());
      on_message(event);
    } else if (event.type != codec::WsEvent::Type::more) {
      work += event_work;
      on_control(event);
    } else if (decoder_.has_more()) {
      work += static_cast<std::int64_t>(codec::DeflatePool::room_size);
    } else {
      break;
    }
  }
  link_.spend(work);
  if (decoder_.has_more()) link_.ask_again();
  return bytes.size() - rest.size();
}

/// Everything but messages.
void Ws::on_control(const codec::WsEvent& event) {
  using Type = codec::WsEvent::Type;
  const std::string_view payload(event.payload.data(), event.payload.size());
  switch (event.type) {
    case Type::ping:  // even after our close frame: only the peer's ends the pongs (RFC 6455 section 5.5.2)
      if (sending_ == Sending::late) return;
      send_frame({codec::Opcode::pong, true, false, payload});
      hold_if_overfull();
      return;
    case Type::pong: return on_pong(payload);
    case Type::close: return on_close(event.code, payload);
    case Type::error: return on_error(event.error);
    default: return;
  }
}

void Ws::on_message(const codec::WsEvent& event) {
  static_assert(static_cast<int>(codec::WsEvent::Type::text) == WHARF_TEXT);
  static_assert(static_cast<int>(codec::WsEvent::Type::binary) == WHARF_BINARY);
  if (sending_over()) return;
  if (protocol_.row.message == nullptr) return on_fragment(event);
  protocol_.row.message(state(), static_cast<wharf_kind>(event.type), event.payload.data(), event.payload.size());
}

void Ws::on_fragment(const codec::WsEvent& event) {
  static_assert(static_cast<int>(codec::WsPart::first) == WHARF_FIRST && static_cast<int>(codec::WsPart::last) == WHARF_LAST);
  if (protocol_.row.fragment == nullptr) return;
  protocol_.row.fragment(state(), static_cast<wharf_kind>(event.type), static_cast<wharf_part>(event.part), event.payload.data(),
                         event.payload.size());
}

void Ws::on_pong(std::string_view payload) {
  if (!sending_over() && protocol_.row.pong != nullptr) protocol_.row.pong(state(), payload.data(), payload.size());
}

/// The peer's close frame: the answer to ours, or answered with its own code (RFC 6455 section 5.5.1).
void Ws::on_close(std::uint16_t code, std::string_view reason) {
  if (end_sending()) send_close(code, {});
  tell_closing(code, reason);
  link_.finish();
}

void Ws::on_error(codec::WsError error) {
  protocol_.home.log.info(base::LogKind("bad frames"), link_.address(), " ", protocol_.row.name, ": closed with ",
                          codec::close_code(error), ", ", codec::message(error));
  if (end_sending()) send_close(codec::close_code(error), codec::message(error));
  link_.finish();
}

void Ws::end_of_input() { link_.finish(); }

// ---- Output ----

/// From here on the row sends nothing. Returns whether it could until now.
bool Ws::end_sending() {
  const bool was_open = !sending_over();
  if (was_open) sending_ = Sending::over;
  update_short_below();
  return was_open;
}

void Ws::update_short_below() {
  std::uint64_t below = std::min<std::uint64_t>(codec::short_payload, encoder_.compress_from());
  if (sending_over() || (halted_ & overfull) != 0 || encoder_.in_message()) below = 0;
  short_below_ = static_cast<std::uint8_t>(below);
}

/// A close frame; with code 1005, which means that there is none, an empty one. `reason` fits.
void Ws::send_close(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (code != 1005) payload.append({static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)}).append(reason);
  send_frame({codec::Opcode::close, true, false, payload});
}

wharf_flow Ws::send(wharf_kind kind, std::string_view data) { return send_part(kind, WHARF_WHOLE, data); }

wharf_flow Ws::send_part(wharf_kind kind, wharf_part part, std::string_view data) {
  if (sending_over() || link_.ending() || cut_beyond_cap()) return WHARF_CLOSED;
  constexpr unsigned known_parts = WHARF_WHOLE;
  codec::WsOutFrame frame;
  const codec::WsEncoder::Fault fault =
      encoder_.encode(kind == WHARF_TEXT ? codec::Opcode::text : codec::Opcode::binary,
                      static_cast<codec::WsPart>(static_cast<unsigned>(part) & known_parts), data, frame);
  if (fault != codec::WsEncoder::Fault::none) return refuse_to_send(fault);
  send_frame(frame);
  if (part != WHARF_WHOLE) update_short_below();
  return flow();
}

wharf_flow Ws::refuse_to_send(codec::WsEncoder::Fault fault) {
  const bool is_text = fault == codec::WsEncoder::Fault::text_not_utf8;
  protocol_.home.log.error(base::LogKind("messages that may not be sent"), protocol_.row.name,
                           is_text                 ? ": asked to send text that is not UTF-8; closed with 1011"
                           : encoder_.in_message() ? ": asked to begin a message before the last piece of another; closed with 1011"
                                                   : ": asked to send a piece of a message that was not begun; closed with 1011");
  close(1011, "");
  return WHARF_CLOSED;
}

wharf_flow Ws::flow() {
  if ((halted_ & overfull) == 0 && link_.out().size() <= link_.limits().high_water) return WHARF_GO;
  if (!hold_if_overfull()) return WHARF_GO;
  return link_.ending() ? WHARF_CLOSED : WHARF_HOLD;
}

wharf_flow Ws::ping(std::string_view data) {
  if (sending_over() || link_.ending() || cut_beyond_cap()) return WHARF_CLOSED;
  send_frame({codec::Opcode::ping, true, false, data.substr(0, codec::max_control_payload)});
  return flow();
}

/// Above high water the peer's messages wait until it has taken the output.
bool Ws::hold_if_overfull() {
  const bool holding = (halted_ & overfull) != 0;
  if (holding || !link_.overfull()) return holding;
  halt(overfull);
  link_.want_room();
  return true;
}

/// Cuts a peer that does not keep up, if the row sends on, whatever send() returns.
bool Ws::cut_beyond_cap() {
  if (!link_.beyond_cap()) return false;
  protocol_.home.log.warn(base::LogKind("connections that were cut"), link_.address(), " ", protocol_.row.name, ": cut, ",
                          link_.out().size(),
                          " bytes were queued already when there was more to send, as the peer does not read as fast; the cap is ",
                          link_.limits().hard_cap);
  link_.abort();
  return true;
}

void Ws::halt(Halt why) {
  halted_ |= why;
  update_short_below();
  link_.hold_input();
}

void Ws::go_on(unsigned reasons) {
  if ((halted_ & reasons) == 0) return;
  halted_ = static_cast<std::uint8_t>(halted_ & ~reasons);
  update_short_below();
  if (halted_ != 0) return;
  quiet_since_ = link_.now();  // nothing could be heard while nothing was read
  link_.resume_input();
}

void Ws::pause() {
  if (!sending_over() && !link_.ending()) halt(paused);
}

void Ws::room() {
  if ((halted_ & overfull) != 0) {
    go_on(overfull);
    if (!sending_over() && protocol_.row.drained != nullptr) protocol_.row.drained(state());
  }
}

void Ws::close(std::uint16_t code, std::string_view reason) {
  if (sending_over() || link_.ending()) return;
  if (!codec::is_sendable_close_code(code)) {
    protocol_.home.log.error(base::LogKind("close codes"), protocol_.row.name, ": asked to close with code ", code,
                             ", which may not be sent; 1011 it is");
    code = 1011;
  }
  end_sending();
  send_close(code, codec::is_utf8(reason) ? codec::utf8_prefix(reason, codec::max_close_reason) : "");
  await_close();
  go_on(overfull | paused);  // the peer's close must be seen
}

void Ws::await_close() {
  due_ = link_.now() + protocol_.limits.close_handshake;
  set_timer();
}

void Ws::shut_down() { close(1001, "server is stopping"); }

void Ws::leave() { close(1001, "host is removed"); }

// ---- Time ----

void Ws::tick_every(base::Time period) {
  if (sending_over()) return;
  tick_period_ = static_cast<std::uint32_t>(period.count());
  due_ = tick_period_ == 0 ? base::never : link_.now() + period;
  set_timer();
}

/// Bytes that arrive only store the time: the timer checks it, and is set again.
void Ws::set_timer() {
  const base::Time patience = pinged_ ? protocol_.pong_timeout() : protocol_.ping_after();
  const bool listens = !sending_over() && patience != base::never;
  link_.set_deadline(listens ? std::min(due_, quiet_since_ + patience) : due_);
}

void Ws::deadline() {
  // The peer's time to reply begins when our close frame is out; until then the carrier checks that the peer reads at all.
  if (sending_over()) {
    if (link_.out().empty()) return link_.finish();
    sending_ = Sending::late;
    return await_close();
  }
  const base::Time now = link_.now();
  check_alive(now);
  const bool ticks = due_ <= now && !link_.ending();
  if (ticks) {
    const base::Time period{tick_period_};
    due_ = due_ + period > now ? due_ + period : now + period;
  }
  set_timer();
  if (ticks && protocol_.row.tick != nullptr) protocol_.row.tick(state());
}

/// A silent peer is sent a ping, and cut if it still says nothing.
void Ws::check_alive(base::Time now) {
  const base::Time patience = pinged_ ? protocol_.pong_timeout() : protocol_.ping_after();
  if (patience == base::never || now - quiet_since_ < patience) return;
  // Output queued before the ping keeps the peer from seeing it; the carrier checks whether the peer takes anything at all.
  const bool could_answer = halted_ == 0 && (!pinged_ || link_.out().empty());
  quiet_since_ = now;
  if (!could_answer) return;
  if (!std::exchange(pinged_, true)) {
    encoder_.forget();
    send_frame({codec::Opcode::ping, true, false, {}});
    return;
  }
  protocol_.home.log.info(base::LogKind("connections that were cut"), link_.address(), " ", protocol_.row.name,
                          ": cut, nothing came from the peer, no pong either");
  link_.abort();
}

wharf_handle Ws::handle() { return take_handle(protocol_.home.handles, static_cast<wharf_peer*>(this)); }

}  // namespace wharf::session
