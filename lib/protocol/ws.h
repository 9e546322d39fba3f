#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "codec/http/request_head.h"
#include "codec/ws/decoder.h"
#include "codec/ws/encoder.h"
#include "codec/ws/extension.h"
#include "codec/ws/short_payload.h"
#include "link/guests.h"
#include "link/link.h"
#include "link/session.h"
#include "protocol/author_state.h"
#include "protocol/protocol.h"
#include "protocol/request_view.h"
#include "wharf/abi.h"

namespace wharf::session {

/// A WebSocket conversation, server's side (RFC 6455), after the opening handshake. It is what a row's author holds as wharf_peer.
class Ws final : public Guest, public wharf_peer, public AuthorState<Ws> {
 public:
  /// Opens the row's conversation: its `open` runs within this call, so the response to the handshake must be queued already. If
  /// `open` refuses, the session closes the peer with 1011 and serves nothing.
  /// `deflate` is the agreement on permessage-deflate, if there is one.
  static std::unique_ptr<Session> open(Link& link, Protocol& protocol, const RequestView& request,
                                       const std::optional<codec::DeflateAgreement>& deflate = std::nullopt);
  ~Ws() override;
  Ws(const Ws&) = delete;
  Ws& operator=(const Ws&) = delete;

  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  Drains drain() override { return Drains::when_told; }
  void shut_down() override;
  void leave() override;
  void ended() override;

  // ---- What services.cpp offers to rows. ----

  /// Sends a short message if nothing is in the way. False: nothing was done, and send() has to check further.
  bool send_short(wharf_kind kind, const char* data, std::size_t size) {
    if (size >= short_below_ || data == nullptr || !link_.in_turn()) return false;
    constexpr std::size_t header = codec::short_frame_header;
    base::OutQueue& out = link_.out();
    char* const room = out.reserve_without_allocating(header + size);
    if (room == nullptr || out.size() + header + size > link_.limits().high_water) return false;
    const bool is_text = kind == WHARF_TEXT;
    if (!codec::copy_short(room + header, data, size) && is_text) return false;
    codec::write_short_frame_header(room, is_text ? codec::Opcode::text : codec::Opcode::binary, size);
    out.commit(header + size);
    return true;
  }
  wharf_flow send(wharf_kind kind, std::string_view data);
  wharf_flow send_part(wharf_kind kind, wharf_part part, std::string_view data);
  wharf_flow ping(std::string_view data);
  void close(std::uint16_t code, std::string_view reason);
  void abort() { link_.abort(); }
  void pause();
  void resume() { go_on(paused); }
  void tick_every(base::Time period);
  [[nodiscard]] std::size_t buffered() const { return link_.out().size(); }
  wharf_handle handle();
  [[nodiscard]] Protocol& protocol() const { return protocol_; }

 private:
  enum class Sending : std::uint8_t {
    open,
    over,  // a close frame is out, or the conversation is over: the row sends nothing any more
    late   // the same, and once the peer did not take our close frame in time
  };

  Ws(Link& link, Protocol& protocol);

  void deflate_as(const codec::DeflateAgreement& agreement);
  void heard();
  void on_control(const codec::WsEvent& event);
  void on_message(const codec::WsEvent& event);
  void on_fragment(const codec::WsEvent& event);
  void on_close(std::uint16_t code, std::string_view reason);
  void on_error(codec::WsError error);
  void on_pong(std::string_view payload);
  void tell_closing(std::uint16_t code, std::string_view reason);
  void destroy_state();

  void send_close(std::uint16_t code, std::string_view reason);
  void send_frame(const codec::WsOutFrame& frame);
  wharf_flow refuse_to_send(codec::WsEncoder::Fault fault);
  [[nodiscard]] bool sending_over() const { return sending_ != Sending::open; }
  bool end_sending();
  void update_short_below();
  void await_close();
  void set_timer();
  void check_alive(base::Time now);
  wharf_flow flow();
  bool hold_if_overfull();
  bool cut_beyond_cap();
  enum Halt : std::uint8_t { overfull = 1, paused = 2 };  // overfull: above high water, and `drained` is owed
  void halt(Halt why);
  void go_on(unsigned reasons);

  Link& link_;
  Protocol& protocol_;
  codec::WsDecoder decoder_;
  codec::WsEncoder encoder_;
  base::Time due_ = base::never;  // the next tick, or after our close frame the end of the peer's time to answer
  base::Time quiet_since_;        // when the peer was last heard, or was sent a ping since
  std::uint32_t tick_period_ = 0;
  std::uint8_t halted_ = 0;  // reasons for which no input is taken
  Sending sending_ = Sending::open;
  bool told_closing_ = false;
  bool pinged_ = false;                              // a ping was sent because the peer was silent
  std::uint8_t short_below_ = codec::short_payload;  // messages of fewer bytes may take the shortest path now
};

}  // namespace wharf::session
