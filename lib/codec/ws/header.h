#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/ws/error.h"
#include "codec/ws/frame.h"

namespace wharf::codec {

inline constexpr unsigned ws_final_bit = 0x80;
inline constexpr unsigned ws_mask_bit = 0x80;
inline constexpr unsigned ws_length_bits = 0x7F;
inline constexpr unsigned ws_length_16_bits = 126;  ///< the length is in the next two bytes
inline constexpr unsigned ws_length_64_bits = 127;  ///< in the next eight

/// A frame as its header describes it.
struct WsFrame {
  std::uint64_t length = 0;
  MaskKey key{};
  Opcode opcode = Opcode::continuation;
  bool is_final = false;
  bool is_compressed = false;  ///< RSV1 (RFC 7692 section 6)
};

/// What a header is checked against.
struct WsExpected {
  Role role;
  Opcode message;          ///< that of the message under way; continuation if there is none
  bool may_be_compressed;  ///< whether permessage-deflate was agreed on
  std::uint64_t room;      ///< what the limit leaves for the frame's payload; it does not apply to a frame with RSV1
};

struct WsHeader {
  WsError error = WsError::none;
  std::size_t size = 0;  ///< 0 while incomplete
  WsFrame frame;
};

/// Reads as much of a header as `bytes` has of it. An error is found at the first byte that shows it.
WsHeader read_ws_header(std::span<const char> bytes, const WsExpected& expected);

struct WsWholeFrame {
  std::size_t header = 0;  ///< 0: there is none
  std::size_t length = 0;
};

/// A frame that is a message, not compressed, and lies whole at the front of `bytes`. Finds none if the header has a fault.
WsWholeFrame find_whole_message(std::span<const char> bytes, Role role, std::uint64_t limit);

constexpr bool is_control(Opcode opcode) { return static_cast<unsigned>(opcode) >= 0x8; }

}  // namespace wharf::codec
