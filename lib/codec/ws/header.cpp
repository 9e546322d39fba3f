#include "codec/ws/header.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace wharf::codec {
namespace {

constexpr unsigned reserved_bits = 0x70;
constexpr unsigned compressed_bit = 0x40;
constexpr unsigned opcode_bits = 0x0F;
constexpr unsigned whole_text = ws_final_bit | static_cast<unsigned>(Opcode::text);
constexpr unsigned whole_binary = ws_final_bit | static_cast<unsigned>(Opcode::binary);

constexpr bool is_reserved(unsigned opcode) { return (opcode & 0x7) > 0x2; }

unsigned byte_at(std::span<const char> bytes, std::size_t index) { return static_cast<unsigned char>(bytes[index]); }

bool marks_compression(unsigned byte) { return (byte & reserved_bits) == compressed_bit && (byte & opcode_bits) - 1 < 2; }

WsError fault_of_first_byte(unsigned byte, const WsExpected& expected) {
  if ((byte & reserved_bits) != 0 && !(expected.may_be_compressed && marks_compression(byte))) return WsError::reserved_bits;
  if (is_reserved(byte & opcode_bits)) return WsError::reserved_opcode;
  const auto opcode = static_cast<Opcode>(byte & opcode_bits);
  if (is_control(opcode)) return (byte & ws_final_bit) != 0 ? WsError::none : WsError::control_fragmented;
  if (expected.message == Opcode::continuation) return opcode == Opcode::continuation ? WsError::continuation_stray : WsError::none;
  return opcode == Opcode::continuation ? WsError::none : WsError::continuation_missing;
}

WsError fault_of_second_byte(unsigned byte, Opcode opcode, Role role) {
  const bool masked = (byte & ws_mask_bit) != 0;
  if (role == Role::server && !masked) return WsError::mask_missing;
  if (role == Role::client && masked) return WsError::mask_unexpected;
  const unsigned length = byte & ws_length_bits;
  if (is_control(opcode) && length > max_control_payload) return WsError::control_too_long;
  return opcode == Opcode::close && length == 1 ? WsError::close_payload : WsError::none;
}

// The possible values of a length, some bytes of which may be missing.
struct LengthRange {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

LengthRange read_length(std::span<const char> known, std::size_t width) {
  LengthRange range;
  for (std::size_t i = 0; i < width; ++i) {
    range.least = range.least << 8 | (i < known.size() ? byte_at(known, i) : 0x00U);
    range.most = range.most << 8 | (i < known.size() ? byte_at(known, i) : 0xFFU);
  }
  return range;
}

WsError fault_of_length(LengthRange range, std::uint64_t shortest, std::uint64_t room) {
  if (range.least > std::numeric_limits<std::int64_t>::max()) return WsError::length_too_large;
  if (range.most < shortest) return WsError::length_not_minimal;
  return range.least > room ? WsError::message_too_big : WsError::none;
}

// find_whole_message() for a length of two or eight bytes.
WsWholeFrame find_long_message(std::span<const char> bytes, std::size_t key_size, std::uint64_t limit) {
  const bool is_short = (byte_at(bytes, 1) & ws_length_bits) == ws_length_16_bits;
  const std::size_t width = is_short ? 2 : 8;
  const std::size_t header = 2 + width + key_size;
  if (bytes.size() < header) return {};
  const std::uint64_t length = read_length(bytes.subspan(2, width), width).least;
  if (length < (is_short ? ws_length_16_bits : 0x10000) || length > limit || bytes.size() - header < length) return {};
  return {header, static_cast<std::size_t>(length)};
}

}  // namespace

WsHeader read_ws_header(std::span<const char> bytes, const WsExpected& expected) {
  WsHeader header;
  if (bytes.empty()) return header;
  header.error = fault_of_first_byte(byte_at(bytes, 0), expected);
  if (header.error != WsError::none || bytes.size() < 2) return header;
  WsFrame& frame = header.frame;
  frame.is_final = (byte_at(bytes, 0) & ws_final_bit) != 0;
  frame.is_compressed = (byte_at(bytes, 0) & compressed_bit) != 0;
  frame.opcode = static_cast<Opcode>(byte_at(bytes, 0) & opcode_bits);
  header.error = fault_of_second_byte(byte_at(bytes, 1), frame.opcode, expected.role);
  if (header.error != WsError::none) return header;

  const unsigned length = byte_at(bytes, 1) & ws_length_bits;
  const std::size_t width = length == ws_length_64_bits ? 8 : length == ws_length_16_bits ? 2 : 0;
  constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t room = is_control(frame.opcode) ? max_control_payload : frame.is_compressed ? any : expected.room;
  LengthRange range{length, length};
  if (width != 0) range = read_length(bytes.subspan(2, std::min(width, bytes.size() - 2)), width);
  const std::uint64_t shortest = width == 8 ? 0x10000 : width == 2 ? ws_length_16_bits : 0;
  header.error = fault_of_length(range, shortest, room);
  frame.length = range.least;

  const std::size_t key_size = expected.role == Role::server ? frame.key.size() : 0;
  if (bytes.size() < 2 + width + key_size) return header;
  if (key_size != 0) std::memcpy(frame.key.data(), bytes.data() + 2 + width, key_size);
  header.size = 2 + width + key_size;
  return header;
}

WsWholeFrame find_whole_message(std::span<const char> bytes, Role role, std::uint64_t limit) {
  const unsigned masked = role == Role::server ? ws_mask_bit : 0;
  const std::size_t key_size = role == Role::server ? sizeof(MaskKey) : 0;
  const std::size_t header = 2 + key_size;
  if (bytes.size() < header) return {};
  const unsigned first = byte_at(bytes, 0);
  const std::uint64_t length = byte_at(bytes, 1) ^ masked;  // keeps the mask bit if that is not as it should be
  if (first != whole_text && first != whole_binary) return {};
  if (length >= ws_length_16_bits) return (length & ws_mask_bit) == 0 ? find_long_message(bytes, key_size, limit) : WsWholeFrame{};
  if (length > limit || bytes.size() - header < length) return {};
  return {header, static_cast<std::size_t>(length)};
}

}  // namespace wharf::codec
