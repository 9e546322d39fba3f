#include "codec/ws/encoder.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/ws/decoder.h"
#include "fuzz/promise.h"

// Input: six bytes that say which role sends, how it compresses and where to cut; then the content of the messages. They are
// encoded whole or in pieces, and the other role reads the same messages from the frames, however those are cut.

namespace {

using namespace wharf::codec;
using Fault = WsEncoder::Fault;
using Type = WsEvent::Type;

constexpr std::size_t control_bytes = 6;

/// Numbers below a bound, the same for the same seed.
class Choices {
 public:
  explicit Choices(std::uint32_t seed) : state_(seed + 1) {}

  std::size_t below(std::size_t bound) {
    state_ = state_ * 1664525 + 1013904223;
    return (state_ >> 8) % bound;
  }

 private:
  std::uint32_t state_;
};

/// Valid text of code points of one to four bytes.
std::string text_of(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const unsigned byte = static_cast<unsigned char>(c);
    const auto low = static_cast<char>(0x80 | (byte & 0x3F));
    if (byte < 0x80) text += c;
    else if (byte < 0xC0) (text += "\xC3") += low;
    else if (byte < 0xE0) (text += "\xE2\x82") += low;
    else (text += "\xF0\x9F\x91") += low;
  }
  return text;
}

struct Message {
  Type type;
  std::string data;
  bool operator==(const Message&) const = default;
};

/// The sending end, with the bytes that it has written.
class Sender {
 public:
  Sender(Role role, Choices& choices) : role_(role), choices_(choices) {}

  WsEncoder& encoder() { return encoder_; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

  void send(Type type, std::string_view data) {
    const Opcode kind = type == Type::text ? Opcode::text : Opcode::binary;
    WsPart part = choices_.below(2) == 0 ? WsPart::whole : WsPart::first;
    for (; !is_last(part); part = choices_.below(3) == 0 ? WsPart::last : WsPart::next) {
      const std::string_view piece = data.substr(0, choices_.below(data.size() + 1));
      data.remove_prefix(piece.size());
      write(kind, part, piece);
      refuse(kind, WsPart::first, {});
      refuse(kind, WsPart::whole, "whole");
      if (kind == Opcode::text) refuse(kind, WsPart::next, "\xFF");
      require(encoder_.in_message(), "a message that was begun goes on");
      encoder_.forget();  // does nothing
    }
    write(kind, part, data);
    refuse(kind, WsPart::next, {});
    refuse(kind, WsPart::last, {});
    refuse(Opcode::text, WsPart::whole, "\xC3");
    require(!encoder_.in_message(), "a message ends with its last piece");
    if (choices_.below(4) == 0) encoder_.forget();
  }

 private:
  void refuse(Opcode kind, WsPart part, std::string_view data) {
    WsOutFrame frame;
    require(encoder_.encode(kind, part, data, frame) != Fault::none, "what is wrong is refused");
  }

  void write(Opcode kind, WsPart part, std::string_view data) {
    WsOutFrame frame;
    require(encoder_.encode(kind, part, data, frame) == Fault::none, "what is right is sent");
    require(frame.is_final == is_last(part), "the last frame is the final one");
    require(is_first(part) || !frame.is_compressed, "only a first frame is marked as compressed");
    const std::size_t before = bytes_.size();
    bytes_.resize(before + max_frame_header);
    const MaskKey key{static_cast<unsigned char>(choices_.below(256)), 2, static_cast<unsigned char>(choices_.below(256)), 4};
    char* const out = bytes_.data() + before;
    const std::size_t header = role_ == Role::client ? frame.write_masked_header(out, key) : frame.write_header(out);
    bytes_.resize(before + header);
    bytes_ += frame.payload;
    if (role_ == Role::client) apply_mask(std::span(bytes_).subspan(before + header), key);
  }

  Role role_;
  Choices& choices_;
  WsEncoder encoder_;
  std::string bytes_;
};

/// The messages in the frames, cut at random.
std::vector<Message> read(WsDecoder& decoder, std::string bytes, Choices& choices) {
  std::vector<Message> messages;
  bool in_message = false;
  for (std::span<char> rest(bytes); !rest.empty();) {
    std::span<char> input = rest.first(std::min<std::size_t>(rest.size(), 1 + choices.below(choices.below(2) == 0 ? 8 : 4096)));
    rest = rest.subspan(input.size());
    for (;;) {
      const WsEvent event = decoder.next(input);
      if (event.type == Type::more) break;
      require(event.type == Type::text || event.type == Type::binary, "nothing but messages comes out");
      require(is_first(event.part) != in_message, "the first piece is marked");
      if (!in_message) messages.push_back({event.type, {}});
      messages.back().data.append(event.payload.data(), event.payload.size());
      in_message = !is_last(event.part);
    }
  }
  require(!in_message && !decoder.has_more(), "all of it comes out");
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const Role role = (data[0] & 1) == 0 ? Role::server : Role::client;
  const DeflateContext context = (data[0] & 4) != 0 ? DeflateContext::kept : DeflateContext::forgotten;
  const int window_bits = 15 - (data[0] >> 5);
  Choices choices(data[1] * 256U + data[2]);
  DeflatePool pool;
  const DeflateSettings settings{&pool, {1 + data[3] % 9, 1 + (data[3] / 9) % 9}, data[4]};
  WsDecoder decoder(role == Role::server ? Role::client : Role::server, 1024 * 1024);
  Sender sender(role, choices);
  if ((data[0] & 2) != 0) {
    sender.encoder().deflate_with(settings, window_bits, context);
    decoder.inflate_with(pool, window_bits, context);
  }
  if ((data[0] & 8) != 0) decoder.hand_out_pieces();

  std::vector<Message> sent;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::string_view part = bytes.substr(at, choices.below(1 + data[5] * 16U));
    at += part.size() + 1;
    std::string message;
    for (std::size_t times = 1 + choices.below(choices.below(8) == 0 ? 100 : 1); times > 0 && message.size() < 100'000; --times)
      message += part;
    if (choices.below(2) == 0) sent.push_back({Type::text, text_of(message)});
    else sent.push_back({Type::binary, std::move(message)});
    sender.send(sent.back().type, sent.back().data);
  }
  require(read(decoder, sender.bytes(), choices) == sent, "what was sent is what is read");
  return 0;
}
