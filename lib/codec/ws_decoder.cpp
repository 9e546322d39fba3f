#include "codec/ws_decoder.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "codec/short_payload.h"
#include "codec/utf8.h"

namespace wharf::codec {
namespace {

constexpr unsigned final_bit = 0x80;
constexpr unsigned reserved_bits = 0x70;
constexpr unsigned opcode_bits = 0x0F;
constexpr unsigned mask_bit = 0x80;
constexpr unsigned length_bits = 0x7F;
constexpr unsigned length_16_bits = 126;
constexpr unsigned length_64_bits = 127;
constexpr std::uint16_t no_code = 1005;

struct Frame {
  std::uint64_t length = 0;
  MaskKey key{};
  Opcode opcode = Opcode::continuation;
  bool is_final = false;
};

// What a header depends on.
struct Expected {
  Role role;
  Opcode message;      // that of the message under way; continuation when there is none
  std::uint64_t room;  // what the limit leaves for the frame
};

struct Header {
  WsError error = WsError::none;
  std::size_t size = 0;  // 0 while incomplete
  Frame frame;
};

constexpr bool is_control(Opcode opcode) { return static_cast<unsigned>(opcode) >= 0x8; }
constexpr bool is_reserved(unsigned opcode) { return (opcode & 0x7) > 0x2; }

unsigned byte_at(std::span<const char> bytes, std::size_t index) { return static_cast<unsigned char>(bytes[index]); }
std::string_view text_of(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

std::span<char> take(std::span<char>& input, std::uint64_t at_most) {
  const std::span<char> taken = input.first(static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), at_most)));
  input = input.subspan(taken.size());
  return taken;
}

WsError fault_of_first_byte(unsigned byte, Opcode message) {
  if ((byte & reserved_bits) != 0) return WsError::reserved_bits;
  if (is_reserved(byte & opcode_bits)) return WsError::reserved_opcode;
  const auto opcode = static_cast<Opcode>(byte & opcode_bits);
  if (is_control(opcode)) return (byte & final_bit) != 0 ? WsError::none : WsError::control_fragmented;
  if (message == Opcode::continuation) return opcode == Opcode::continuation ? WsError::continuation_stray : WsError::none;
  return opcode == Opcode::continuation ? WsError::none : WsError::continuation_missing;
}

WsError fault_of_second_byte(unsigned byte, Opcode opcode, Role role) {
  const bool masked = (byte & mask_bit) != 0;
  if (role == Role::server && !masked) return WsError::mask_missing;
  if (role == Role::client && masked) return WsError::mask_unexpected;
  const unsigned length = byte & length_bits;
  if (is_control(opcode) && length > max_control_payload) return WsError::control_too_long;
  return opcode == Opcode::close && length == 1 ? WsError::close_payload : WsError::none;
}

// What a length can still be, of whose field some bytes may be missing.
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

// Reads as much of a header as `bytes` has of it. The error is found with the first byte that shows it.
Header read_header(std::span<const char> bytes, const Expected& expected) {
  Header header;
  if (bytes.empty()) return header;
  header.error = fault_of_first_byte(byte_at(bytes, 0), expected.message);
  if (header.error != WsError::none || bytes.size() < 2) return header;
  Frame& frame = header.frame;
  frame.is_final = (byte_at(bytes, 0) & final_bit) != 0;
  frame.opcode = static_cast<Opcode>(byte_at(bytes, 0) & opcode_bits);
  header.error = fault_of_second_byte(byte_at(bytes, 1), frame.opcode, expected.role);
  if (header.error != WsError::none) return header;

  const unsigned length = byte_at(bytes, 1) & length_bits;
  const std::size_t width = length == length_64_bits ? 8 : length == length_16_bits ? 2 : 0;
  const std::uint64_t room = is_control(frame.opcode) ? max_control_payload : expected.room;
  LengthRange range{length, length};
  if (width != 0) range = read_length(bytes.subspan(2, std::min(width, bytes.size() - 2)), width);
  const std::uint64_t shortest = width == 8 ? 0x10000 : width == 2 ? length_16_bits : 0;
  header.error = fault_of_length(range, shortest, room);
  frame.length = range.least;

  const std::size_t key_size = expected.role == Role::server ? frame.key.size() : 0;
  if (bytes.size() < 2 + width + key_size) return header;
  if (key_size != 0) std::memcpy(frame.key.data(), bytes.data() + 2 + width, key_size);
  header.size = 2 + width + key_size;
  return header;
}

struct WholeFrame {
  std::size_t header = 0;  // 0: there is none
  std::size_t length = 0;
};

constexpr unsigned whole_text = final_bit | static_cast<unsigned>(Opcode::text);
constexpr unsigned whole_binary = final_bit | static_cast<unsigned>(Opcode::binary);

// find_whole_message() for a length of two or eight bytes.
[[gnu::noinline]] WholeFrame find_long_message(std::span<const char> bytes, std::size_t key_size, std::uint64_t limit) {
  const bool is_short = (byte_at(bytes, 1) & length_bits) == length_16_bits;
  const std::size_t width = is_short ? 2 : 8;
  const std::size_t header = 2 + width + key_size;
  if (bytes.size() < header) return {};
  const std::uint64_t length = read_length(bytes.subspan(2, width), width).least;
  if (length < (is_short ? length_16_bits : 0x10000) || length > limit || bytes.size() - header < length) return {};
  return {header, static_cast<std::size_t>(length)};
}

// A frame that is a message and lies whole at the front of `bytes`. Finds none where a header has a fault.
template <Role role>
[[gnu::always_inline]] inline WholeFrame find_whole_message(std::span<const char> bytes, std::uint64_t limit) {
  constexpr unsigned masked = role == Role::server ? mask_bit : 0;
  constexpr std::size_t key_size = role == Role::server ? sizeof(MaskKey) : 0;
  constexpr std::size_t header = 2 + key_size;
  if (bytes.size() < header) return {};
  const unsigned first = byte_at(bytes, 0);
  const std::uint64_t length = byte_at(bytes, 1) ^ masked;  // with the mask bit, if that is not as it should be
  if (first != whole_text && first != whole_binary) return {};
  if (length >= length_16_bits) return (length & mask_bit) == 0 ? find_long_message(bytes, key_size, limit) : WholeFrame{};
  if (length > limit || bytes.size() - header < length) return {};
  return {header, static_cast<std::size_t>(length)};
}

// Bytes that grow by doubling, in place where the allocator can. Grown bytes are not set to anything.
class Buffer {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<char> bytes() { return {bytes_.get(), size_}; }

  /// `in_the_end`: what the size can not grow beyond, at least size() and the piece.
  void append(std::span<const char> piece, std::uint64_t in_the_end) {
    if (piece.empty()) return;
    if (capacity_ - size_ < piece.size()) grow(size_ + piece.size(), in_the_end);
    std::memcpy(bytes_.get() + size_, piece.data(), piece.size());
    size_ += piece.size();
  }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };

  void grow(std::size_t needed, std::uint64_t in_the_end) {
    constexpr std::size_t least = 64;
    const std::size_t capacity = static_cast<std::size_t>(std::min<std::uint64_t>(std::max(least, 2 * needed), in_the_end));
    void* const moved = std::realloc(bytes_.get(), capacity);
    if (moved == nullptr) throw std::bad_alloc();
    static_cast<void>(bytes_.release());
    bytes_.reset(static_cast<char*>(moved));
    capacity_ = capacity;
  }

  std::unique_ptr<char, Free> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace

struct WsDecoder::Assembly {
  [[nodiscard]] Expected expected(Role role, std::uint64_t limit) const { return {role, type, limit - message.size()}; }
  [[nodiscard]] bool is_idle() const { return header_size == 0 && !in_frame && type == Opcode::continuation; }

  // The frame under way.
  std::array<char, max_frame_header> header;
  std::array<char, max_control_payload> control;
  std::uint8_t header_size = 0;  // of a header that is not complete
  bool in_frame = false;
  std::uint64_t taken = 0;  // of its payload
  Frame frame;

  // The message under way.
  Opcode type = Opcode::continuation;  // none
  Utf8 text;
  Buffer message;

  bool handed_out = false;  // the last event's payload lies in here

  WsError begin_frame(std::span<char>& input, const Expected& expecting);
  WsError read_payload(std::span<char>& input, std::uint64_t limit, WsEvent& event) {
    return is_control(frame.opcode) ? read_control(input, event) : read_data(input, limit, event);
  }
  WsError read_data(std::span<char>& input, std::uint64_t limit, WsEvent& event);
  WsError read_control(std::span<char>& input, WsEvent& event);
  WsError read_close(std::span<char> payload, WsEvent& event) const;
  std::span<char> take_unmasked(std::span<char>& input);
};

// Takes header bytes from `input`; in_frame says whether the header is complete.
WsError WsDecoder::Assembly::begin_frame(std::span<char>& input, const Expected& expecting) {
  Header read;
  if (header_size == 0) {
    read = read_header(input, expecting);
    if (read.size != 0) input = input.subspan(read.size);
  }
  if (read.error != WsError::none) return read.error;
  if (read.size == 0) {
    const std::size_t before = header_size;
    const std::size_t more = std::min(input.size(), header.size() - before);
    std::copy_n(input.begin(), more, header.begin() + before);
    read = read_header(std::span(header).first(before + more), expecting);
    if (read.error != WsError::none) return read.error;
    input = input.subspan(read.size == 0 ? more : read.size - before);
    header_size = static_cast<std::uint8_t>(read.size == 0 ? before + more : 0);
    if (read.size == 0) return WsError::none;
  }
  frame = read.frame;
  in_frame = true;
  taken = 0;
  if (frame.opcode == Opcode::text || frame.opcode == Opcode::binary) type = frame.opcode;
  return WsError::none;
}

// What `input` has of the payload, unmasked. Leaves the frame at its end.
std::span<char> WsDecoder::Assembly::take_unmasked(std::span<char>& input) {
  const std::span<char> piece = take(input, frame.length - taken);
  apply_mask(piece, frame.key, taken);
  taken += piece.size();
  in_frame = taken < frame.length;
  return piece;
}

// The event becomes the message when it is complete.
WsError WsDecoder::Assembly::read_data(std::span<char>& input, std::uint64_t limit, WsEvent& event) {
  const std::uint64_t in_the_end = frame.is_final ? message.size() + (frame.length - taken) : limit;
  const std::span<char> piece = take_unmasked(input);
  if (type == Opcode::text && !text.feed(text_of(piece))) return WsError::text_not_utf8;
  const bool is_complete = !in_frame && frame.is_final;
  if (is_complete && type == Opcode::text && !text.complete()) return WsError::text_not_utf8;
  const bool in_place = is_complete && message.size() == 0;
  if (!in_place) message.append(piece, in_the_end);
  if (!is_complete) return WsError::none;
  event.type = type == Opcode::text ? WsEvent::Type::text : WsEvent::Type::binary;
  event.payload = in_place ? piece : message.bytes();
  handed_out = !in_place;
  type = Opcode::continuation;
  return WsError::none;
}

WsError WsDecoder::Assembly::read_control(std::span<char>& input, WsEvent& event) {
  const auto before = static_cast<std::size_t>(taken);
  std::span<char> payload = take_unmasked(input);
  if (before != 0 || in_frame) {
    std::copy(payload.begin(), payload.end(), control.begin() + static_cast<std::ptrdiff_t>(before));
    payload = std::span(control).first(before + payload.size());
    handed_out = !in_frame;
  }
  if (frame.opcode == Opcode::close) return read_close(payload, event);
  if (in_frame) return WsError::none;
  event.type = frame.opcode == Opcode::ping ? WsEvent::Type::ping : WsEvent::Type::pong;
  event.payload = payload;
  return WsError::none;
}

// `payload` may still be short of its end: what is wrong with it already is found all the same.
WsError WsDecoder::Assembly::read_close(std::span<char> payload, WsEvent& event) const {
  std::uint16_t code = no_code;
  if (payload.size() >= 2) {
    code = static_cast<std::uint16_t>(byte_at(payload, 0) << 8 | byte_at(payload, 1));
    if (!is_sendable_close_code(code)) return WsError::close_code;
    payload = payload.subspan(2);
    Utf8 reason;
    if (!reason.feed(text_of(payload)) || (!in_frame && !reason.complete())) return WsError::close_reason;
  }
  if (!in_frame) event = {WsEvent::Type::close, WsError::none, code, payload};
  return WsError::none;
}

WsDecoder::WsDecoder(Role role, std::uint64_t message_limit) : limit_(message_limit), role_(role) { update_short_below(); }
WsDecoder::~WsDecoder() = default;
WsDecoder::WsDecoder(WsDecoder&&) noexcept = default;
WsDecoder& WsDecoder::operator=(WsDecoder&&) noexcept = default;

static_assert(sizeof(WsDecoder) <= 40, "every idle connection has one");

void WsDecoder::update_short_below() {
  const bool may = is_idle() && role_ == Role::server;
  short_below_ = may ? static_cast<std::uint8_t>(std::min<std::uint64_t>(short_payload - 1, limit_) + 1) : 0;
}

// A short message that is whole at the front of the input is nearly every message: its way has no call, no loop, no second look.
void WsDecoder::next(std::span<char>& input, WsEvent& event) {
  constexpr std::size_t header = 2 + sizeof(MaskKey);
  char* const frame = input.data();
  const std::size_t size = input.size();
  if (size < header) return take_whole(input, event);
  const unsigned kind = byte_at(input, 0) ^ final_bit;
  const std::size_t length = byte_at(input, 1) ^ mask_bit;
  if (kind - 1 > 1 || length >= short_below_ || length > size - header) return take_whole(input, event);
  static_assert(static_cast<unsigned>(Opcode::text) == 1 && static_cast<unsigned>(Opcode::binary) == 2);
  static_assert(static_cast<unsigned>(WsEvent::Type::text) == 1 && static_cast<unsigned>(WsEvent::Type::binary) == 2);
  event.type = static_cast<WsEvent::Type>(kind);
  event.payload = {frame + header, length};
  input = {frame + header + length, size - header - length};
  const bool is_ascii = unmask_short(frame + header, frame + 2, length);
  if (!is_ascii && event.type == WsEvent::Type::text) check_text(event);
}

[[gnu::noinline]] void WsDecoder::check_text(WsEvent& event) {
  if (!is_utf8(text_of(event.payload))) fail(WsError::text_not_utf8, event);
}

// A message that comes as a frame which is whole at the front of the input, of any length.
[[gnu::noinline]] void WsDecoder::take_whole(std::span<char>& input, WsEvent& event) {
  WholeFrame whole;
  const bool is_server = role_ == Role::server;
  if (is_idle())
    whole = is_server ? find_whole_message<Role::server>(input, limit_) : find_whole_message<Role::client>(input, limit_);
  if (whole.header == 0) return take_in_pieces(input, event);
  const bool is_text = byte_at(input, 0) == whole_text;
  event.type = is_text ? WsEvent::Type::text : WsEvent::Type::binary;
  event.payload = input.subspan(whole.header, whole.length);
  input = input.subspan(whole.header + whole.length);
  if (is_server) {
    MaskKey key;
    std::memcpy(key.data(), event.payload.data() - key.size(), key.size());
    apply_mask(event.payload, key);
  }
  if (is_text) check_text(event);
}

// Everything else. A payload that was handed out of the assembly is given up here, at the call after, and the memory with it.
[[gnu::noinline]] void WsDecoder::take_in_pieces(std::span<char>& input, WsEvent& event) {
  event = {};
  if (error_ != WsError::none) {
    fail(error_, event);
  } else if (closed_) {
    assembly_.reset();
    input = input.last(0);
  } else if (assembly_ == nullptr) {
    if (input.empty()) return;
    Assembly fresh;
    read_frames(fresh, input, event);
    if (needs(fresh)) assembly_ = std::make_unique<Assembly>(std::move(fresh));
  } else {
    assembly_->handed_out = false;
    if (!needs(*assembly_)) {
      assembly_.reset();
      update_short_below();
      return next(input, event);
    }
    read_frames(*assembly_, input, event);
    if (assembly_ != nullptr && !needs(*assembly_)) assembly_.reset();
  }
  update_short_below();
}

bool WsDecoder::needs(const Assembly& assembly) const {
  return assembly.handed_out || (!closed_ && error_ == WsError::none && !assembly.is_idle());
}

void WsDecoder::read_frames(Assembly& assembly, std::span<char>& input, WsEvent& event) {
  while (event.type == WsEvent::Type::more && !input.empty()) {
    WsError error = WsError::none;
    if (!assembly.in_frame) error = assembly.begin_frame(input, assembly.expected(role_, limit_));
    if (error == WsError::none && assembly.in_frame) error = assembly.read_payload(input, limit_, event);
    if (error != WsError::none) fail(error, event);
  }
  if (event.type == WsEvent::Type::close) closed_ = true;
}

[[gnu::noinline]] void WsDecoder::fail(WsError error, WsEvent& event) {
  error_ = error;
  assembly_.reset();
  update_short_below();
  event = {WsEvent::Type::error, error, 0, {}};
}

std::uint16_t close_code(WsError error) {
  switch (error) {
    case WsError::text_not_utf8:
    case WsError::close_reason: return 1007;
    case WsError::message_too_big: return 1009;
    default: return 1002;
  }
}

std::string_view message(WsError error) {
  switch (error) {
    case WsError::none: return "No fault was found.";
    case WsError::reserved_bits: return "A frame has a reserved bit set, but no extension was agreed on.";
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
  }
  return "No such fault is known.";
}

}  // namespace wharf::codec
