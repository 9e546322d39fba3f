#pragma once
#include <cstdint>
#include <string_view>

namespace wharf::codec {

/// Why a stream of frames was refused. close_code() is for the peer, message() for a person.
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
  continuation_missing,  ///< text or binary, although a continuation was due
  continuation_stray,    ///< a continuation, although no message was begun
  close_payload,         ///< a close payload of one byte
  close_code,            ///< a close code that must not be sent
  close_reason,          ///< a close reason that is not UTF-8
  text_not_utf8,         ///< section 8.1
  message_too_big,       ///< longer than the limit
  not_deflate,           ///< a compressed message that cannot be inflated (RFC 7692 section 7.2.2)
};
std::uint16_t close_code(WsError error);  ///< 1002, 1007 or 1009
std::string_view message(WsError error);  ///< one sentence, static storage

}  // namespace wharf::codec
