#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace wharf::codec {

/// RFC 6455 section 5.2.
enum class Opcode : std::uint8_t { continuation = 0x0, text = 0x1, binary = 0x2, close = 0x8, ping = 0x9, pong = 0xA };

inline constexpr std::size_t max_frame_header = 14;      ///< 2, 8 of extended length, 4 of mask
inline constexpr std::size_t max_control_payload = 125;  ///< RFC 6455 section 5.5
inline constexpr std::size_t max_close_reason = 123;     ///< a control payload without the two bytes of the code
using MaskKey = std::array<unsigned char, 4>;

/// The place of a piece in its message. The values are bits: a whole message is both the first piece and the last.
enum class WsPart : std::uint8_t { next = 0, first = 1, last = 2, whole = 3 };
constexpr bool is_first(WsPart part) { return (static_cast<unsigned>(part) & 1) != 0; }
constexpr bool is_last(WsPart part) { return (static_cast<unsigned>(part) & 2) != 0; }

/// Which end of the conversation this is: a server expects masked frames and sends plain ones, a client the opposite.
enum class Role : std::uint8_t { server, client };

/// Writes the header of an unmasked frame; `out` has room for 10 bytes. Returns the bytes written: 2, 4 or 10.
std::size_t write_frame_header(char* out, Opcode opcode, bool final_fragment, std::uint64_t payload_size);

inline constexpr std::size_t short_frame_header = 2;
/// The same for a whole message of at most 125 bytes.
inline void write_short_frame_header(char* out, Opcode opcode, std::size_t payload_size) {
  out[0] = static_cast<char>(0x80U | static_cast<unsigned>(opcode));
  out[1] = static_cast<char>(payload_size);
}
/// The same for a masked frame; `out` has room for 14 bytes. Returns 6, 8 or 14. The caller masks the payload with apply_mask.
std::size_t write_masked_frame_header(char* out, Opcode opcode, bool final_fragment, std::uint64_t payload_size, MaskKey key);

/// Masks or unmasks in place (RFC 6455 section 5.3). `offset` is the index of the first byte within the frame's payload.
void apply_mask(std::span<char> payload, MaskKey key, std::uint64_t offset = 0);

/// Whether a close frame may carry this code, sent or received (RFC 6455 section 7.4): 1000-1003, 1007-1014, 3000-4999.
constexpr bool is_sendable_close_code(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace wharf::codec
