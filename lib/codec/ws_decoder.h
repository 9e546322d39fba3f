#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "codec/ws_frame.h"

namespace wharf::codec {

/// Why a stream of frames was refused. close_code() says what to tell the peer, message() what to tell a person.
enum class WsError : std::uint8_t {
  none,
  reserved_bits,         ///< RSV1-3 set without an extension that defines them (section 5.2)
  reserved_opcode,       ///< 3-7 or 11-15
  mask_missing,          ///< a client's frame without a mask (section 5.1)
  mask_unexpected,       ///< a server's frame with one
  length_not_minimal,    ///< a longer form of the length than needed
  length_too_large,      ///< the most significant bit of a 64-bit length is set
  control_fragmented,    ///< section 5.5
  control_too_long,      ///< more than 125 bytes
  continuation_missing,  ///< text or binary where a continuation was due
  continuation_stray,    ///< a continuation where nothing was begun
  close_payload,         ///< a close payload of one byte
  close_code,            ///< a close code that must not be sent
  close_reason,          ///< a close reason that is not UTF-8
  text_not_utf8,         ///< section 8.1
  message_too_big,       ///< longer than the limit
};
std::uint16_t close_code(WsError error);  ///< 1002, 1007 or 1009
std::string_view message(WsError error);  ///< one sentence, static storage

/// What the decoder found.
struct WsEvent {
  enum class Type : std::uint8_t { more, text, binary, ping, pong, close, error };
  Type type = Type::more;
  WsError error = WsError::none;
  std::uint16_t code = 0;   ///< close: the peer's code, 1005 when it sent none
  std::span<char> payload;  ///< a whole message, unmasked, text valid UTF-8; ping, pong: at most 125 bytes; close: the reason.
                            ///< Valid, and the reader's to change, until the next call of next() or the input goes away
};

/// Turns bytes into WebSocket messages (RFC 6455 sections 5 to 8): no I/O, no clock, cut anywhere.
///
/// A message that lies whole in the input is unmasked and handed out in place, without a copy. Otherwise its pieces are collected
/// in memory that follows the bytes received, never the length announced. Faults are found as early as the bytes allow: a frame too
/// long for the limit by its header, invalid UTF-8 by the byte that makes the text impossible, also inside an unfinished frame.
/// Control frames between fragments are handed out at once. An idle decoder (between messages) owns no memory: what a message was
/// put together in is kept for its reader and given back by the next call, so call next() until it returns more.
class WsDecoder {
 public:
  /// `message_limit` in bytes, inclusive, for the whole of a fragmented message.
  WsDecoder(Role role, std::uint64_t message_limit);
  ~WsDecoder();
  WsDecoder(const WsDecoder&) = delete;
  WsDecoder& operator=(const WsDecoder&) = delete;
  WsDecoder(WsDecoder&&) noexcept;
  WsDecoder& operator=(WsDecoder&&) noexcept;

  /// Takes bytes from the front of `input`, which shrinks by what was taken, up to the end of the next event. Returns more only
  /// when all input was taken. After close or error every further call takes nothing and returns the same event type again
  /// (for close: `more`, with the input emptied: what follows a close is discarded, RFC 6455 section 1.4).
  WsEvent next(std::span<char>& input) {
    WsEvent event;
    next(input, event);
    return event;
  }
  /// The same, into an event that may have been used before: what does not belong to its new type is as it was.
  void next(std::span<char>& input, WsEvent& event);

 private:
  struct Assembly;  // exists only while a frame or message is incomplete, or the last event's payload lies in it

  void take_whole(std::span<char>& input, WsEvent& event);
  void take_in_pieces(std::span<char>& input, WsEvent& event);
  void read_frames(Assembly& assembly, std::span<char>& input, WsEvent& event);
  void check_text(WsEvent& event);
  void fail(WsError error, WsEvent& event);
  [[nodiscard]] bool needs(const Assembly& assembly) const;
  [[nodiscard]] bool is_idle() const { return assembly_ == nullptr && !closed_ && error_ == WsError::none; }
  void update_short_below();

  std::unique_ptr<Assembly> assembly_;
  std::uint64_t limit_;
  Role role_;
  bool closed_ = false;
  WsError error_ = WsError::none;
  std::uint8_t short_below_ = 0;  // whole payloads of fewer bytes may take the shortest way now
};

}  // namespace wharf::codec
