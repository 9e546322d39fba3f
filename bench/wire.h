// The parts of HTTP and WebSocket that the floors and the load client need. Nothing here is shared with the library: a floor that
// used the code with which it is compared would measure nothing.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace bench {

using Mask = std::array<std::uint8_t, 4>;

inline constexpr std::size_t longest_head = 16 * 1024;
inline constexpr std::uint64_t longest_payload = 64 * 1024 * 1024;

enum class Read { whole, more, bad };

struct FrameHeader {
  std::uint8_t first = 0;
  std::size_t size = 0;  // of the header itself
  std::size_t payload = 0;
  Mask mask{};
  std::size_t frame() const { return size + payload; }
};

// A client's frame header from the start of `bytes`. Bad: not masked, or longer than longest_payload.
inline Read read_header(std::span<const std::uint8_t> bytes, FrameHeader& header) {
  if (bytes.size() < 2) return Read::more;
  const std::size_t code = bytes[1] & 0x7f;
  const std::size_t extended = code == 127 ? 8 : code == 126 ? 2 : 0;
  if ((bytes[1] & 0x80) == 0) return Read::bad;
  header.size = 2 + extended + 4;
  if (bytes.size() < header.size) return Read::more;
  std::uint64_t length = extended == 0 ? code : 0;
  for (std::size_t i = 0; i < extended; ++i) length = length << 8 | bytes[2 + i];
  if (length > longest_payload) return Read::bad;
  header.first = bytes[0];
  header.payload = static_cast<std::size_t>(length);
  std::memcpy(header.mask.data(), bytes.data() + 2 + extended, 4);
  return Read::whole;
}

// A frame header without its masking key; returns its size, at most 10. `mask_bit` is 0x80 for a client's frame, 0 for a server's.
inline std::size_t write_header(std::uint8_t* to, std::uint8_t first, std::size_t payload, std::uint8_t mask_bit) {
  const std::size_t extended = payload > 0xffff ? 8 : payload > 125 ? 2 : 0;
  const std::size_t code = extended == 8 ? 127 : extended == 2 ? 126 : payload;
  to[0] = first;
  to[1] = static_cast<std::uint8_t>(mask_bit | code);
  for (std::size_t i = 0; i < extended; ++i) {
    to[2 + i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(payload) >> (8 * (extended - 1 - i)));
  }
  return 2 + extended;
}

// Masks or unmasks by words; `to` may be `from`.
inline void apply_mask(std::uint8_t* to, const std::uint8_t* from, std::size_t size, const Mask& mask) {
  std::uint64_t key = 0;
  std::memcpy(&key, mask.data(), 4);
  std::memcpy(reinterpret_cast<std::uint8_t*>(&key) + 4, mask.data(), 4);
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, 8);
    word ^= key;
    std::memcpy(to + at, &word, 8);
  }
  for (; at < size; ++at) to[at] = static_cast<std::uint8_t>(from[at] ^ mask[at & 3]);
}

// Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, section 4.2.2).
std::string accept_value(std::string_view key);

// The value of a field in an HTTP head (which includes its empty line), without the blanks around it; empty if there is none.
std::string_view field(std::string_view head, std::string_view name);

}  // namespace bench
