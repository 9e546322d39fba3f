#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "codec/http_head.h"
#include "codec/ws_decoder.h"
#include "session/link.h"
#include "session/protocol.h"
#include "session/session.h"
#include "wharf/abi.h"

namespace wharf::session {

/// The request as rows see it; lives during accept and open.
struct OpeningRequest : wharf_request {
  OpeningRequest(const codec::RequestHead& head, const Link& link);

  const codec::RequestHead& head;
  std::string_view path;
  std::string_view query;
  std::string address;
};

/// A WebSocket conversation, server's side (RFC 6455), after the opening handshake. It is what a row's author holds as wharf_peer.
/// The author's state follows the object in the same allocation.
class Ws final : public Session, public wharf_peer {
 public:
  /// Opens the row's conversation: its `open` runs within this call, so the answer to the handshake must be queued already. Where
  /// `open` refuses, the session closes the peer with 1011 and serves nothing.
  static std::unique_ptr<Session> open(Link& link, Protocol& protocol, const OpeningRequest& request);
  ~Ws() override;
  Ws(const Ws&) = delete;
  Ws& operator=(const Ws&) = delete;

  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  void shut_down() override;
  void ended() override;

  // ---- What services.cpp offers to rows. ----
  wharf_flow send(wharf_kind kind, std::string_view data);
  wharf_flow ping(std::string_view data);
  void close(std::uint16_t code, std::string_view reason);
  void abort() { link_.abort(); }
  void tick_every(base::Time period);
  [[nodiscard]] std::size_t buffered() const { return link_.out().size(); }
  wharf_handle handle();
  [[nodiscard]] Protocol& protocol() const { return protocol_; }
  [[nodiscard]] void* state();

  void operator delete(void* memory);  // NOLINT(misc-new-delete-overloads): open() makes the memory

 private:
  Ws(Link& link, Protocol& protocol);

  void on_control(const codec::WsEvent& event);
  void on_message(wharf_kind kind, std::span<char> payload);
  void on_close(std::uint16_t code, std::string_view reason);
  void on_error(codec::WsError error);
  void on_pong(std::string_view payload);
  void tell_closing(std::uint16_t code, std::string_view reason);
  void destroy_state();
  void give_up_handle();

  [[gnu::always_inline]] inline void send_frame(codec::Opcode opcode, std::string_view payload);
  void send_close(std::uint16_t code, std::string_view reason);
  [[gnu::noinline]] void send_large(codec::Opcode opcode, std::string_view data);
  [[gnu::noinline]] wharf_flow refuse_to_send();
  void await_close();
  wharf_flow flow();
  [[gnu::noinline]] bool hold_if_overfull();

  Link& link_;
  Protocol& protocol_;
  codec::WsDecoder decoder_;
  base::Time due_ = base::never;  // the next tick, or after our close frame the end of the peer's time to answer
  std::uint32_t tick_period_ = 0;
  std::uint32_t handle_slot_ = Handles::no_slot;
  bool has_state_ = false;
  bool holding_ = false;  // above high water; no input, and `drained` is owed
  bool close_sent_ = false;
  bool told_closing_ = false;
};

}  // namespace wharf::session
