#include "codec/ws/error.h"

namespace wharf::codec {

std::uint16_t close_code(WsError error) {
  switch (error) {
    case WsError::text_not_utf8:
    case WsError::not_deflate:
    case WsError::close_reason: return 1007;
    case WsError::message_too_big: return 1009;
    default: return 1002;
  }
}

std::string_view message(WsError error) {
  switch (error) {
    case WsError::none: return "No fault was found.";
    case WsError::reserved_bits: return "A frame has a reserved bit set that no agreed extension gives a meaning to.";
    case WsError::reserved_opcode: return "A frame has a reserved opcode.";
    case WsError::mask_missing: return "A frame from the client is not masked.";
    case WsError::mask_unexpected: return "A frame from the server is masked.";
    case WsError::length_not_minimal: return "A frame's length is not written in its shortest form.";
    case WsError::length_too_large: return "A frame's length has its most significant bit set.";
    case WsError::control_fragmented: return "A control frame is fragmented.";
    case WsError::control_too_long: return "A control frame is longer than 125 bytes.";
    case WsError::continuation_missing: return "A new message began before the fragmented one ended.";
    case WsError::continuation_stray: return "A continuation frame came where no message was begun.";
    case WsError::close_payload: return "A close frame has a payload of one byte.";
    case WsError::close_code: return "A close frame has a code that must not be sent.";
    case WsError::close_reason: return "The reason in a close frame is not valid UTF-8.";
    case WsError::text_not_utf8: return "A text message is not valid UTF-8.";
    case WsError::message_too_big: return "A message is longer than the limit.";
    case WsError::not_deflate: return "A compressed message cannot be inflated.";
  }
  return "No such fault is known.";
}

}  // namespace wharf::codec
