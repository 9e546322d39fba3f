#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "codec/deflate_pool.h"
#include "codec/utf8.h"
#include "codec/ws/decoder.h"
#include "codec/ws/encoder.h"
#include "codec/ws/error.h"
#include "codec/ws/frame.h"
#include "websocket/parts.h"
#include "wharf/websocket.hpp"

namespace wharf::websocket {
namespace {

using codec::DeflateContext;
using codec::Opcode;
using codec::WsEncoder;
using codec::WsError;
using codec::WsEvent;
using codec::WsPart;

constexpr std::uint16_t no_code = 1005;

// The codec's errors and the public ones are the same, in the same order.
constexpr Error public_error(WsError error) { return static_cast<Error>(error); }
static_assert(public_error(WsError::reserved_bits) == Error::reserved_bits);
static_assert(public_error(WsError::reserved_opcode) == Error::reserved_opcode);
static_assert(public_error(WsError::mask_missing) == Error::mask_missing);
static_assert(public_error(WsError::mask_unexpected) == Error::mask_unexpected);
static_assert(public_error(WsError::length_not_minimal) == Error::length_not_minimal);
static_assert(public_error(WsError::length_too_large) == Error::length_too_large);
static_assert(public_error(WsError::control_fragmented) == Error::control_fragmented);
static_assert(public_error(WsError::control_too_long) == Error::control_too_long);
static_assert(public_error(WsError::continuation_missing) == Error::continuation_missing);
static_assert(public_error(WsError::continuation_stray) == Error::continuation_stray);
static_assert(public_error(WsError::close_payload) == Error::close_payload);
static_assert(public_error(WsError::close_code) == Error::close_code);
static_assert(public_error(WsError::close_reason) == Error::close_reason);
static_assert(public_error(WsError::text_not_utf8) == Error::text_not_utf8);
static_assert(public_error(WsError::message_too_big) == Error::message_too_big);
static_assert(public_error(WsError::not_deflate) == Error::not_deflate);

constexpr Event::Type public_type(WsEvent::Type type) { return static_cast<Event::Type>(type); }
static_assert(public_type(WsEvent::Type::more) == Event::Type::more);
static_assert(public_type(WsEvent::Type::text) == Event::Type::text);
static_assert(public_type(WsEvent::Type::binary) == Event::Type::binary);
static_assert(public_type(WsEvent::Type::ping) == Event::Type::ping);
static_assert(public_type(WsEvent::Type::pong) == Event::Type::pong);
static_assert(public_type(WsEvent::Type::close) == Event::Type::close);
static_assert(public_type(WsEvent::Type::error) == Event::Type::error);

constexpr Part public_part(WsPart part) { return static_cast<Part>(part); }
constexpr WsPart codec_part(Part part) { return static_cast<WsPart>(part); }
static_assert(public_part(WsPart::next) == Part::next && public_part(WsPart::first) == Part::first);
static_assert(public_part(WsPart::last) == Part::last && public_part(WsPart::whole) == Part::whole);

constexpr codec::Role codec_role(Role role) { return role == Role::server ? codec::Role::server : codec::Role::client; }
constexpr Opcode opcode_of(Kind kind) { return kind == Kind::text ? Opcode::text : Opcode::binary; }
constexpr DeflateContext context_of(bool keeps) { return keeps ? DeflateContext::kept : DeflateContext::forgotten; }

bool is_within(unsigned value, unsigned least, unsigned most) { return value >= least && value <= most; }

void check(const Agreement& agreement) {
  if (!agreement.compressed) return;
  const bool windows = is_within(agreement.server_window_bits, 8, 15) && is_within(agreement.client_window_bits, 8, 15);
  if (!windows || !is_within(agreement.memory_level, 1, 9) || !is_within(agreement.level, 1, 9))
    throw std::invalid_argument("wharf::websocket::Agreement: window bits are 8 to 15, memory level and level 1 to 9");
}

int peers_window(Role role, const Agreement& agreement) {
  return static_cast<int>(role == Role::server ? agreement.client_window_bits : agreement.server_window_bits);
}

// The rest of the memory, for a message that is put together.
std::uint64_t message_limit(Role role, const Agreement& agreement, const StreamOptions& options) {
  if (options.memory_limit == 0 || options.in_pieces) return options.message_limit;
  const std::uint64_t inflating = agreement.compressed ? parts::inflating_memory(peers_window(role, agreement)) : 0;
  return std::min(options.message_limit, options.memory_limit - std::min(options.memory_limit, inflating));
}

// Masks for the frames of a client; the source is asked for several at a time.
class MaskKeys {
 public:
  explicit MaskKeys(Random random) : random_(std::move(random)) {}

  /// False if the source failed.
  bool take(codec::MaskKey& key) {
    if (left_ == 0) {
      if (!fill()) return false;
      left_ = bytes_.size();
    }
    std::memcpy(key.data(), bytes_.data() + bytes_.size() - left_, key.size());
    left_ -= key.size();
    return true;
  }

 private:
  bool fill() { return random_ ? random_(bytes_) : RAND_bytes(bytes_.data(), static_cast<int>(bytes_.size())) == 1; }

  Random random_;
  std::array<unsigned char, 16 * sizeof(codec::MaskKey)> bytes_{};
  std::size_t left_ = 0;
};

}  // namespace

namespace detail {

// What both halves use is atomic; everything else belongs to one of them.
struct StreamState {
  StreamState(Role its_role, const Agreement& agreement, StreamOptions options);

  [[nodiscard]] bool may_begin() const { return !close_sent.load() && received.load() == Received::open; }
  Error take_key(codec::MaskKey& key);
  void write(const codec::WsOutFrame& frame, codec::MaskKey key, std::string& out) const;
  Error write_control(Opcode opcode, std::string_view payload, std::string& out);
  Error write_close(std::uint16_t code, std::string_view reason, std::string& out);

  enum class Received : std::uint8_t { open, closed, failed };
  const Role role;
  std::atomic<Received> received = Received::open;
  std::atomic<bool> close_sent = false;

  // The receiving half.
  codec::DeflatePool inflating;
  codec::WsDecoder decoder;

  // The sending half.
  codec::DeflatePool deflating;
  codec::DeflateSettings settings;
  WsEncoder encoder;
  MaskKeys keys;
  const bool close_on_error;
};

StreamState::StreamState(Role its_role, const Agreement& agreement, StreamOptions options)
    : role(its_role),
      decoder(codec_role(its_role), message_limit(its_role, agreement, options)),
      keys(std::move(options.random)),
      close_on_error(options.close_on_error) {
  if (options.in_pieces) decoder.hand_out_pieces();
  if (!agreement.compressed) return;
  const bool is_server = role == Role::server;
  decoder.inflate_with(inflating, peers_window(role, agreement),
                       context_of(is_server ? agreement.client_keeps_context : agreement.server_keeps_context));
  settings.pool = &deflating;
  settings.tuning = {static_cast<int>(agreement.level), static_cast<int>(agreement.memory_level)};
  settings.from = agreement.compress_from;
  if (agreement.compress_all) settings.choice = codec::DeflateChoice::all;
  encoder.deflate_with(settings, static_cast<int>(is_server ? agreement.server_window_bits : agreement.client_window_bits),
                       context_of(is_server ? agreement.server_keeps_context : agreement.client_keeps_context));
}

// The key comes first: a frame that was made has to be sent, because the next ones may build on it.
Error StreamState::take_key(codec::MaskKey& key) { return role == Role::server || keys.take(key) ? Error::none : Error::no_random; }

void StreamState::write(const codec::WsOutFrame& frame, codec::MaskKey key, std::string& out) const {
  std::array<char, codec::max_frame_header> header;
  const bool masks = role == Role::client;
  const std::size_t size = masks ? frame.write_masked_header(header.data(), key) : frame.write_header(header.data());
  out.append(header.data(), size).append(frame.payload);
  if (masks) codec::apply_mask(std::span(out).last(frame.payload.size()), key);
}

Error StreamState::write_control(Opcode opcode, std::string_view payload, std::string& out) {
  if (payload.size() > codec::max_control_payload) return Error::control_too_long;
  codec::MaskKey key{};
  const Error error = take_key(key);
  if (error == Error::none) write({opcode, true, false, payload}, key, out);
  return error;
}

// A close whose code and reason are right.
Error StreamState::write_close(std::uint16_t code, std::string_view reason, std::string& out) {
  std::string payload;
  if (code != no_code) {
    payload.push_back(static_cast<char>(code >> 8));
    payload.push_back(static_cast<char>(code & 0xFF));
    payload.append(reason);
  }
  const Error error = write_control(Opcode::close, payload, out);
  if (error == Error::none) close_sent.store(true);
  return error;
}

}  // namespace detail

// ---- The stream ----

using detail::StreamState;

Stream::Stream(Role role, const Agreement& agreement, StreamOptions options) {
  check(agreement);
  state_ = std::make_unique<StreamState>(role, agreement, std::move(options));
}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

Event Stream::next(std::span<char>& input) {
  using Received = StreamState::Received;
  StreamState& my = *state_;
  if (my.received.load() == Received::failed) {
    input = input.last(0);
    return {};
  }
  const WsEvent found = my.decoder.next(input);
  if (found.type == WsEvent::Type::close) my.received.store(Received::closed);
  if (found.type == WsEvent::Type::error) my.received.store(Received::failed);
  return {public_type(found.type), public_error(found.error), found.code, public_part(found.part), found.payload};
}

Error Stream::send(Kind kind, std::string_view data, std::string& out) { return send_part(kind, Part::whole, data, out); }

Error Stream::send_part(Kind kind, Part part, std::string_view data, std::string& out) {
  StreamState& my = *state_;
  if (is_first(part) ? !my.may_begin() : my.close_sent.load() || my.received.load() == StreamState::Received::failed)
    return Error::closed;
  codec::MaskKey key{};
  if (my.take_key(key) != Error::none) return Error::no_random;
  codec::WsOutFrame frame;
  switch (my.encoder.encode(opcode_of(kind), codec_part(part), data, frame)) {
    case WsEncoder::Fault::none: my.write(frame, key, out); return Error::none;
    case WsEncoder::Fault::text_not_utf8: return Error::text_not_utf8;
    case WsEncoder::Fault::out_of_turn: break;
  }
  return is_first(part) ? Error::continuation_missing : Error::continuation_stray;
}

Error Stream::ping(std::string_view data, std::string& out) {
  if (validity() == Validity::invalid) return Error::closed;
  return state_->write_control(Opcode::ping, data, out);
}

Error Stream::pong(std::string_view data, std::string& out) {
  if (validity() == Validity::invalid) return Error::closed;
  return state_->write_control(Opcode::pong, data, out);
}

Error Stream::close(std::uint16_t code, std::string_view reason, std::string& out) {
  if (state_->close_sent.load()) return Error::closed;
  const bool has_code = code != no_code;
  if (has_code ? !codec::is_sendable_close_code(code) : !reason.empty()) return Error::close_code;
  if (!codec::is_utf8(reason)) return Error::close_reason;
  return state_->write_close(code, reason, out);
}

Error Stream::answer(const Event& event, std::string& out) {
  StreamState& my = *state_;
  switch (event.type) {
    case Event::Type::ping:
      return validity() == Validity::invalid ? Error::none : my.write_control(Opcode::pong, event.view(), out);
    case Event::Type::close: return my.close_sent.load() ? Error::none : my.write_close(event.code, {}, out);
    case Event::Type::error:
      if (!my.close_on_error || my.close_sent.load()) return Error::none;
      return my.write_close(close_code(event.error), message(event.error), out);
    default: return Error::none;
  }
}

Validity Stream::validity() const {
  const bool received = state_->received.load() != StreamState::Received::open;
  const bool sent = state_->close_sent.load();
  return received && sent ? Validity::invalid : received || sent ? Validity::control_only : Validity::valid;
}

void Stream::release_memory() {
  state_->encoder.forget();
  state_->deflating = {};
  state_->inflating = {};
}

Close split_close(std::string_view payload) {
  Close close;
  if (payload.empty()) return close;
  if (payload.size() == 1) return {Error::close_payload, no_code, {}};
  const auto byte = [payload](std::size_t index) { return static_cast<unsigned char>(payload[index]); };
  close.code = static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
  close.reason = payload.substr(2);
  if (!codec::is_sendable_close_code(close.code)) close.error = Error::close_code;
  else if (!codec::is_utf8(close.reason)) close.error = Error::close_reason;
  return close;
}

}  // namespace wharf::websocket
