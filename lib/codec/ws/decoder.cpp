#include "codec/ws/decoder.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "codec/utf8.h"
#include "codec/ws/header.h"
#include "codec/ws/short_payload.h"
#include "wharf/utf8.hpp"

namespace wharf::codec {
namespace {

constexpr std::uint16_t no_code = 1005;

unsigned byte_at(std::span<const char> bytes, std::size_t index) { return static_cast<unsigned char>(bytes[index]); }
std::string_view text_of(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

std::span<char> take(std::span<char>& input, std::uint64_t at_most) {
  const std::span<char> taken = input.first(static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), at_most)));
  input = input.subspan(taken.size());
  return taken;
}

// The number of bytes at the end of valid text that belong to an incomplete code point.
std::size_t unfinished_bytes(std::string_view text) {
  const std::size_t most = std::min<std::size_t>(text.size(), 3);
  for (std::size_t back = 1; back <= most; ++back)
    if (!utf8_continues(text[text.size() - back])) return utf8_code_point(text.substr(text.size() - back)) == 0 ? back : 0;
  return 0;
}

// Bytes that grow by doubling, in place if the allocator can. New bytes are not initialized.
class Buffer {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<char> bytes() { return {bytes_.get(), size_}; }

  /// `in_the_end`: the final size at most; at least size() and the piece.
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
  enum class Place : std::uint8_t {
    header,
    payload,
    tail  // all of the message was inflated, except the bytes that the sender left out
  };
  [[nodiscard]] bool is_idle() const { return header_size == 0 && !in_frame() && type == Opcode::continuation; }
  [[nodiscard]] bool in_frame() const { return place != Place::header; }

  // The frame under way.
  std::array<char, max_frame_header> header;
  std::array<char, max_control_payload> control;
  std::uint8_t header_size = 0;  // of an incomplete header
  Place place = Place::header;
  std::uint64_t taken = 0;  // of its payload
  WsFrame frame;

  // The message under way.
  Opcode type = Opcode::continuation;  // none
  Utf8 text;
  Buffer message;
  std::uint64_t size = 0;              // so far, inflated
  std::unique_ptr<Inflater> inflater;  // of a compressed one
  std::uint8_t tail_taken = 0;         // of the bytes that the sender left out
  bool has_more = false;               // more comes out without further input
  bool has_begun = false;              // a piece of it was handed out
  std::uint8_t carried = 0;            // bytes of an unfinished code point, to go in front of the next piece
  std::array<char, 4> carry;

  bool handed_out = false;  // the last event's payload lies in here

  WsError begin_frame(std::span<char>& input, const WsExpected& expecting);
  WsError read_control(std::span<char>& input, WsEvent& event);
  WsError read_close(std::span<char> payload, WsEvent& event) const;
  std::span<char> take_unmasked(std::span<char>& input, std::uint64_t at_most);
  Inflater::Status inflate(std::span<char>& input, std::span<char> room, std::size_t& written);
  Inflater::Status inflate_payload(std::span<char>& input, std::span<char> room, std::size_t& written);
  Inflater::Status inflate_tail(std::span<char> room, std::size_t& written);
};

// Takes header bytes from `input`; in_frame() says whether the header is complete.
WsError WsDecoder::Assembly::begin_frame(std::span<char>& input, const WsExpected& expecting) {
  WsHeader read;
  if (header_size == 0) {
    read = read_ws_header(input, expecting);
    if (read.size != 0) input = input.subspan(read.size);
  }
  if (read.error != WsError::none) return read.error;
  if (read.size == 0) {
    const std::size_t before = header_size;
    const std::size_t more = std::min(input.size(), header.size() - before);
    std::copy_n(input.begin(), more, header.begin() + before);
    read = read_ws_header(std::span(header).first(before + more), expecting);
    if (read.error != WsError::none) return read.error;
    input = input.subspan(read.size == 0 ? more : read.size - before);
    header_size = static_cast<std::uint8_t>(read.size == 0 ? before + more : 0);
    if (read.size == 0) return WsError::none;
  }
  frame = read.frame;
  place = Place::payload;
  taken = 0;
  if (frame.opcode == Opcode::text || frame.opcode == Opcode::binary) type = frame.opcode;
  return WsError::none;
}

// The part of the payload that `input` has, unmasked, but no more than asked for. Leaves the frame at its end.
std::span<char> WsDecoder::Assembly::take_unmasked(std::span<char>& input, std::uint64_t at_most) {
  const std::span<char> piece = take(input, std::min(frame.length - taken, at_most));
  apply_mask(piece, frame.key, taken);
  taken += piece.size();
  place = taken < frame.length ? Place::payload : Place::header;
  return piece;
}

// Inflates the next bytes of a compressed message into `room`. Leaves a frame when all of it has come out, and the last frame when
// the tail has come out too. That completes the message: in the same room if it has space, so that short messages need no other.
Inflater::Status WsDecoder::Assembly::inflate(std::span<char>& input, std::span<char> room, std::size_t& written) {
  Inflater::Status status = place == Place::tail ? Inflater::Status::more : inflate_payload(input, room, written);
  if (status == Inflater::Status::more && taken == frame.length) {
    // A message that ends at a boundary is complete: it is empty, or its sender kept the last bytes, or ended the stream.
    if (place != Place::tail) place = frame.is_final && !inflater->at_boundary() ? Place::tail : Place::header;
    if (place == Place::tail) status = inflate_tail(room, written);
  }
  has_more = status == Inflater::Status::full;
  return status;
}

Inflater::Status WsDecoder::Assembly::inflate_payload(std::span<char>& input, std::span<char> room, std::size_t& written) {
  const std::span<char> all = input;
  const std::span<char> piece = take_unmasked(input, frame.length);
  std::string_view rest = text_of(piece);
  const Inflater::Status status = inflater->inflate(rest, room.data(), room.size(), written);
  if (!rest.empty()) {  // masked again, as it will come again
    taken -= rest.size();
    apply_mask(piece.last(rest.size()), frame.key, taken);
    input = all.subspan(piece.size() - rest.size());
  }
  place = Place::payload;
  return status;
}

Inflater::Status WsDecoder::Assembly::inflate_tail(std::span<char> room, std::size_t& written) {
  std::string_view rest = Inflater::tail.substr(tail_taken);
  std::size_t more = 0;
  const Inflater::Status status = inflater->inflate(rest, room.data() + written, room.size() - written, more);
  written += more;
  tail_taken = static_cast<std::uint8_t>(Inflater::tail.size() - rest.size());
  if (status == Inflater::Status::more) place = Place::header;
  return status;
}

WsError WsDecoder::Assembly::read_control(std::span<char>& input, WsEvent& event) {
  const auto before = static_cast<std::size_t>(taken);
  std::span<char> payload = take_unmasked(input, frame.length);
  if (before != 0 || in_frame()) {
    std::copy(payload.begin(), payload.end(), control.begin() + static_cast<std::ptrdiff_t>(before));
    payload = std::span(control).first(before + payload.size());
    handed_out = !in_frame();
  }
  if (frame.opcode == Opcode::close) return read_close(payload, event);
  if (in_frame()) return WsError::none;
  event.type = frame.opcode == Opcode::ping ? WsEvent::Type::ping : WsEvent::Type::pong;
  event.payload = payload;
  return WsError::none;
}

// `payload` may be incomplete: a fault that it already has is found all the same.
WsError WsDecoder::Assembly::read_close(std::span<char> payload, WsEvent& event) const {
  std::uint16_t code = no_code;
  if (payload.size() >= 2) {
    code = static_cast<std::uint16_t>(byte_at(payload, 0) << 8 | byte_at(payload, 1));
    if (!is_sendable_close_code(code)) return WsError::close_code;
    payload = payload.subspan(2);
    Utf8 reason;
    if (!reason.feed(text_of(payload)) || (!in_frame() && !reason.complete())) return WsError::close_reason;
  }
  if (!in_frame()) {
    event.type = WsEvent::Type::close;
    event.code = code;
    event.payload = payload;
  }
  return WsError::none;
}

// ---- The decoder ----

WsDecoder::WsDecoder(Role role, std::uint64_t message_limit) : limit_(message_limit), role_(role) { update_short_below(); }
WsDecoder::~WsDecoder() = default;
WsDecoder::WsDecoder(WsDecoder&&) noexcept = default;
WsDecoder& WsDecoder::operator=(WsDecoder&&) noexcept = default;

static_assert(sizeof(WsDecoder) <= 40, "every idle connection has one");

void WsDecoder::inflate_with(DeflatePool& pool, int window_bits, DeflateContext context) {
  pool_ = &pool;
  window_bits_ = static_cast<std::uint8_t>(window_bits);
  context_ = context;
}

bool WsDecoder::more_comes_out() const { return assembly_->has_more; }

void WsDecoder::update_short_below() {
  const bool may = is_idle() && role_ == Role::server;
  short_below_ = may ? static_cast<std::uint8_t>(std::min<std::uint64_t>(short_payload - 1, limit_) + 1) : 0;
}

// Nearly every message is short and complete at the front of the input: for these there is no call, no loop and no second check.
void WsDecoder::next(std::span<char>& input, WsEvent& event) {
  constexpr std::size_t header = 2 + sizeof(MaskKey);
  char* const frame = input.data();
  const std::size_t size = input.size();
  if (size == 0 && short_below_ != 0) {
    event.type = WsEvent::Type::more;
    return;
  }
  if (size < header) return take_whole(input, event);
  const unsigned kind = byte_at(input, 0) ^ ws_final_bit;
  const std::size_t length = byte_at(input, 1) ^ ws_mask_bit;
  if (kind - 1 > 1 || length >= short_below_ || length > size - header) return take_whole(input, event);
  static_assert(static_cast<unsigned>(Opcode::text) == 1 && static_cast<unsigned>(Opcode::binary) == 2);
  static_assert(static_cast<unsigned>(WsEvent::Type::text) == 1 && static_cast<unsigned>(WsEvent::Type::binary) == 2);
  event.type = static_cast<WsEvent::Type>(kind);
  event.part = WsPart::whole;
  event.payload = {frame + header, length};
  input = {frame + header + length, size - header - length};
  const bool is_ascii = unmask_short(frame + header, frame + 2, length);
  if (!is_ascii && event.type == WsEvent::Type::text) check_text(event);
}

[[gnu::noinline]] void WsDecoder::check_text(WsEvent& event) {
  if (!is_utf8(text_of(event.payload))) fail(WsError::text_not_utf8, event);
}

// A message of any length, as one frame that is complete at the front of the input.
[[gnu::noinline]] void WsDecoder::take_whole(std::span<char>& input, WsEvent& event) {
  WsWholeFrame whole;
  if (is_idle()) whole = find_whole_message(input, role_, limit_);
  if (whole.header == 0) return take_in_pieces(input, event);
  event.type = static_cast<WsEvent::Type>(byte_at(input, 0) ^ ws_final_bit);
  event.part = WsPart::whole;
  event.payload = input.subspan(whole.header, whole.length);
  input = input.subspan(whole.header + whole.length);
  if (role_ == Role::server) {
    MaskKey key;
    std::memcpy(key.data(), event.payload.data() - key.size(), key.size());
    apply_mask(event.payload, key);
  }
  if (event.type == WsEvent::Type::text) check_text(event);
}

// All other messages. A payload that was handed out of the assembly is freed here, at the next call.
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
    if (!needs(fresh)) return update_short_below();
    const bool in_carry = event.payload.data() == fresh.carry.data();
    assembly_ = std::make_unique<Assembly>(std::move(fresh));
    if (in_carry) event.payload = std::span(assembly_->carry).first(event.payload.size());
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
  while (event.type == WsEvent::Type::more && (!input.empty() || assembly.has_more)) {
    WsError error = WsError::none;
    if (!assembly.in_frame()) {
      constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
      const std::uint64_t room = assembly.inflater != nullptr ? any : limit_ - assembly.size;
      error = assembly.begin_frame(input, {role_, assembly.type, pool_ != nullptr, room});
      if (error == WsError::none && assembly.in_frame() && assembly.frame.is_compressed) begin_inflating(assembly);
    }
    if (error == WsError::none && assembly.in_frame()) {
      if (is_control(assembly.frame.opcode)) error = assembly.read_control(input, event);
      else error = assembly.inflater != nullptr ? read_deflated(assembly, input, event) : read_plain(assembly, input, event);
    }
    if (error != WsError::none) fail(error, event);
    else if (room_by_room_ && assembly.has_more) return;
  }
  if (event.type == WsEvent::Type::close) closed_ = true;
}

WsError WsDecoder::read_plain(Assembly& assembly, std::span<char>& input, WsEvent& event) const {
  // An unfinished code point is completed separately, so that the bytes behind it can be handed out where they lie.
  const bool completes = assembly.carried != 0;
  const std::size_t missing =
      completes ? utf8_left(utf8_front(text_of(std::span(assembly.carry).first(assembly.carried))).state) : 0;
  std::span<char> piece = assembly.take_unmasked(input, completes ? missing : assembly.frame.length);
  assembly.size += piece.size();
  if (assembly.type == Opcode::text && !assembly.text.feed(text_of(piece))) return WsError::text_not_utf8;
  if (completes) {
    std::copy(piece.begin(), piece.end(), assembly.carry.begin() + assembly.carried);
    piece = std::span(assembly.carry).first(assembly.carried + piece.size());
    assembly.carried = 0;
  }
  return take_piece(assembly, piece, !assembly.in_frame() && assembly.frame.is_final, event);
}

WsError WsDecoder::read_deflated(Assembly& assembly, std::span<char>& input, WsEvent& event) {
  do {
    const std::span<char> room = pool_->room();
    const std::size_t carried = std::exchange(assembly.carried, std::uint8_t{0});
    std::copy_n(assembly.carry.begin(), carried, room.begin());
    // Room for one byte beyond the limit shows whether the message exceeds it. Faults count in the order of their bytes, however
    // the input is cut.
    const std::uint64_t may_come = limit_ - assembly.size;
    const std::span<char> fresh =
        room.subspan(carried, static_cast<std::size_t>(std::min<std::uint64_t>(room.size() - carried - 1, may_come)) + 1);
    std::size_t written = 0;
    const Inflater::Status status = assembly.inflate(input, fresh, written);
    const auto counts = static_cast<std::size_t>(std::min<std::uint64_t>(written, may_come));
    if (assembly.type == Opcode::text && !assembly.text.feed(text_of(fresh.first(counts)))) return WsError::text_not_utf8;
    if (counts < written) return WsError::message_too_big;
    if (status == Inflater::Status::invalid) return WsError::not_deflate;
    assembly.size += written;
    const bool is_complete = !assembly.in_frame() && assembly.frame.is_final;
    if (is_complete && !assembly.inflater->at_boundary()) return WsError::not_deflate;
    if (is_complete) end_inflating(assembly);
    const WsError error = take_piece(assembly, room.first(carried + written), is_complete, event);
    if (error != WsError::none) return error;
  } while (assembly.has_more && event.type == WsEvent::Type::more && !room_by_room_);
  return WsError::none;
}

// `piece` is the next of the message under way: it is collected, or handed out.
WsError WsDecoder::take_piece(Assembly& assembly, std::span<char> piece, bool is_complete, WsEvent& event) const {
  const bool is_text = assembly.type == Opcode::text;
  if (is_complete && is_text && !assembly.text.complete()) return WsError::text_not_utf8;
  if (in_pieces_) {
    if (is_text && !is_complete) {
      assembly.carried = static_cast<std::uint8_t>(unfinished_bytes(text_of(piece)));
      std::memmove(assembly.carry.data(), piece.data() + piece.size() - assembly.carried, assembly.carried);
      piece = piece.first(piece.size() - assembly.carried);
    }
    if (piece.empty() && !is_complete) return WsError::none;
    const unsigned first = assembly.has_begun ? 0U : static_cast<unsigned>(WsPart::first);
    event.part = static_cast<WsPart>(first | (is_complete ? static_cast<unsigned>(WsPart::last) : 0U));
    assembly.has_begun = true;
    assembly.handed_out = piece.data() == assembly.carry.data();
  } else {
    const bool in_place = is_complete && assembly.message.size() == 0;
    const std::uint64_t rest = assembly.frame.length - assembly.taken;
    const bool is_known = assembly.frame.is_final && assembly.inflater == nullptr;
    if (!in_place) assembly.message.append(piece, is_known ? assembly.size + rest : limit_);
    if (!is_complete) return WsError::none;
    if (!in_place) piece = assembly.message.bytes();
    assembly.handed_out = !in_place;
    event.part = WsPart::whole;
  }
  event.type = is_text ? WsEvent::Type::text : WsEvent::Type::binary;
  event.payload = piece;
  if (is_complete) assembly.type = Opcode::continuation;  // the next one gets a fresh assembly
  return WsError::none;
}

void WsDecoder::begin_inflating(Assembly& assembly) {
  assembly.inflater = kept_inflater_ != nullptr ? std::move(kept_inflater_) : pool_->take_inflater(window_bits_);
}

void WsDecoder::end_inflating(Assembly& assembly) {
  if (context_ == DeflateContext::kept) kept_inflater_ = std::move(assembly.inflater);
  else pool_->give_back(std::move(assembly.inflater), window_bits_);
}

[[gnu::noinline]] void WsDecoder::fail(WsError error, WsEvent& event) {
  error_ = error;
  assembly_.reset();
  update_short_below();
  event = {};
  event.type = WsEvent::Type::error;
  event.error = error;
}

}  // namespace wharf::codec
