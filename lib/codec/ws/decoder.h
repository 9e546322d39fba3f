#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "codec/deflate_pool.h"
#include "codec/ws/error.h"
#include "codec/ws/frame.h"

namespace wharf::codec {

/// What the decoder found.
struct WsEvent {
  enum class Type : std::uint8_t { more, text, binary, ping, pong, close, error };
  Type type = Type::more;
  WsError error = WsError::none;
  WsPart part = WsPart::whole;  ///< text, binary: of messages that are handed out in pieces
  std::uint16_t code = 0;       ///< close: the peer's code, 1005 if it sent none
  std::span<char> payload;      ///< a whole message, unmasked, text valid UTF-8; ping, pong: at most 125 bytes; close: the reason.
                                ///< Valid, and the reader's to change, until the next call of next() or the input goes away
};

/// Turns bytes into WebSocket messages (RFC 6455 sections 5 to 8, RFC 7692): no I/O, no clock, cut anywhere.
///
/// A message that lies whole in the input is unmasked and handed out in place, without a copy; one that was compressed, from the
/// pool's room. Otherwise its pieces are collected in memory that follows the bytes received, never the length announced. Faults
/// are found as early as the bytes allow: a frame too long for the limit by its header, a compressed message too long for it by the
/// first byte beyond, invalid UTF-8 by the byte that makes the text impossible, even inside an unfinished frame or an inflated
/// block. Control frames between fragments are handed out at once. An idle decoder (between messages) owns no memory except the
/// peer's context, if one is kept: the memory in which a message was put together is kept for its reader and freed by the next
/// call, so call next() until it returns more.
class WsDecoder {
 public:
  /// `message_limit` in bytes, inclusive, for the whole of a fragmented message.
  WsDecoder(Role role, std::uint64_t message_limit);
  ~WsDecoder();
  WsDecoder(const WsDecoder&) = delete;
  WsDecoder& operator=(const WsDecoder&) = delete;
  WsDecoder(WsDecoder&&) noexcept;
  WsDecoder& operator=(WsDecoder&&) noexcept;

  /// Before the first bytes: the peer may compress, with a window of at most `window_bits`, 8 to 15. `pool` outlives this.
  void inflate_with(DeflatePool& pool, int window_bits, DeflateContext context);

  /// Before the first bytes: messages are handed out in pieces as they arrive, text cut between code points only, first and last
  /// marked. The limit still holds for their sum.
  void hand_out_pieces() { in_pieces_ = true; }

  /// Before the first bytes: next() returns more each time that the pool's room is full, while has_more() says that it has to be
  /// called again, so that the reader can do something else in between.
  void inflate_room_by_room() { room_by_room_ = true; }

  /// Takes bytes from the front of `input`, which shrinks by what was taken, up to the end of the next event. Returns more only
  /// when all input was taken. After close or error every further call takes nothing and returns the same event type again
  /// (for close: `more`, with the input emptied: what follows a close is discarded, RFC 6455 section 1.4).
  WsEvent next(std::span<char>& input) {
    WsEvent event;
    next(input, event);
    return event;
  }
  /// The same, into an event that may have been used before: members that do not belong to its new type keep their values.
  void next(std::span<char>& input, WsEvent& event);

  /// Whether next() has something to do even if no input is left. Until it returned more, that may be so with compressed messages
  /// that are handed out in pieces; after that, only with those that are inflated room by room.
  [[nodiscard]] bool has_more() const { return assembly_ != nullptr && more_comes_out(); }

 private:
  struct Assembly;  // exists only while a frame or message is incomplete, or the last event's payload lies in it

  void take_whole(std::span<char>& input, WsEvent& event);
  void take_in_pieces(std::span<char>& input, WsEvent& event);
  void read_frames(Assembly& assembly, std::span<char>& input, WsEvent& event);
  WsError read_plain(Assembly& assembly, std::span<char>& input, WsEvent& event) const;
  WsError read_deflated(Assembly& assembly, std::span<char>& input, WsEvent& event);
  WsError take_piece(Assembly& assembly, std::span<char> piece, bool is_complete, WsEvent& event) const;
  void begin_inflating(Assembly& assembly);
  void end_inflating(Assembly& assembly);
  void check_text(WsEvent& event);
  void fail(WsError error, WsEvent& event);
  [[nodiscard]] bool needs(const Assembly& assembly) const;
  [[nodiscard]] bool is_idle() const { return assembly_ == nullptr && !closed_ && error_ == WsError::none; }
  void update_short_below();
  [[nodiscard]] bool more_comes_out() const;

  std::unique_ptr<Assembly> assembly_;
  std::unique_ptr<Inflater> kept_inflater_;  // the peer's context between two messages
  DeflatePool* pool_ = nullptr;
  std::uint64_t limit_;
  Role role_;
  bool closed_ = false;
  bool in_pieces_ = false;
  DeflateContext context_ = DeflateContext::forgotten;
  bool room_by_room_ = false;
  WsError error_ = WsError::none;
  std::uint8_t window_bits_ = 0;
  std::uint8_t short_below_ = 0;  // whole payloads of fewer bytes may take the shortest way now
};

}  // namespace wharf::codec
