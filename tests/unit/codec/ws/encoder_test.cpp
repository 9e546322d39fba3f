#include "codec/ws/encoder.h"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/ws/decoder.h"
#include "unit/codec/heap.h"

namespace {

using namespace wharf::codec;
using Fault = WsEncoder::Fault;
using Type = WsEvent::Type;

constexpr MaskKey key{0x37, 0xFA, 0x21, 0x3D};
constexpr std::uint64_t mebibyte = 1024 * 1024;

/// Bytes that no compression makes smaller.
std::string noise(std::size_t size) {
  std::mt19937 random(7692);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string server_frame(const WsOutFrame& frame) {
  std::string bytes(max_frame_header, '\0');
  bytes.resize(frame.write_header(bytes.data()));
  return bytes.append(frame.payload);
}

std::string client_frame(const WsOutFrame& frame) {
  std::string header(max_frame_header, '\0');
  header.resize(frame.write_masked_header(header.data(), key));
  std::string payload(frame.payload);
  apply_mask(payload, key);
  return header + payload;
}

Fault fault_of(WsEncoder& encoder, Opcode kind, WsPart part, std::string_view data = {}) {
  WsOutFrame frame;
  return encoder.encode(kind, part, data, frame);
}

std::string encoded(WsEncoder& encoder, Opcode kind, WsPart part, std::string_view data) {
  WsOutFrame frame;
  REQUIRE(encoder.encode(kind, part, data, frame) == Fault::none);
  return server_frame(frame);
}

std::string first_byte(WsEncoder& encoder, Opcode kind, WsPart part) { return encoded(encoder, kind, part, "x").substr(0, 1); }

std::string message_of(WsDecoder& decoder, std::string bytes) {
  std::string text;
  std::span<char> rest(bytes);
  for (;;) {
    const WsEvent event = decoder.next(rest);
    if (event.type == Type::error) return std::string(message(event.error));
    if (event.type == Type::more) return text;
    text.append(event.payload.data(), event.payload.size());
  }
}

/// Both ends of one direction that agreed on compression, the sender a server.
struct Pair {
  explicit Pair(DeflateContext context, int window_bits = 12, std::uint64_t from = 64, DeflateTuning tuning = {})
      : settings{&pool, tuning, from} {
    encoder.deflate_with(settings, window_bits, context);
    decoder.inflate_with(pool, window_bits, context);
  }

  std::string through(Opcode kind, std::string_view data) {
    return message_of(decoder, encoded(encoder, kind, WsPart::whole, data));
  }

  DeflatePool pool;
  DeflateSettings settings;
  WsEncoder encoder;
  WsDecoder decoder{Role::client, mebibyte};
};

bool is_compressed(std::string_view frame) { return (static_cast<unsigned char>(frame.at(0)) & 0x40) != 0; }

}  // namespace

TEST_CASE("ws_encoder: opcodes and the final bit of whole messages and pieces (5.4)") {
  WsEncoder encoder;
  CHECK(first_byte(encoder, Opcode::text, WsPart::whole) == "\x81");
  CHECK(first_byte(encoder, Opcode::binary, WsPart::whole) == "\x82");
  CHECK(first_byte(encoder, Opcode::text, WsPart::first) == "\x01");
  CHECK(first_byte(encoder, Opcode::text, WsPart::next) == std::string(1, '\0'));
  CHECK(first_byte(encoder, Opcode::binary, WsPart::next) == std::string(1, '\0'));  // the first piece said what it is
  CHECK(first_byte(encoder, Opcode::text, WsPart::last) == "\x80");
  CHECK(first_byte(encoder, Opcode::binary, WsPart::first) == "\x02");
  CHECK(first_byte(encoder, Opcode::binary, WsPart::last) == "\x80");
}

TEST_CASE("ws_encoder: pieces out of turn are refused and change nothing (5.4)") {
  WsEncoder encoder;
  for (int round = 0; round < 2; ++round) {
    CHECK_FALSE(encoder.in_message());
    CHECK(fault_of(encoder, Opcode::text, WsPart::next) == Fault::out_of_turn);
    CHECK(fault_of(encoder, Opcode::text, WsPart::last) == Fault::out_of_turn);
    CHECK(fault_of(encoder, Opcode::binary, WsPart::whole) == Fault::none);
    CHECK(fault_of(encoder, Opcode::text, WsPart::first) == Fault::none);
    CHECK(encoder.in_message());
    CHECK(fault_of(encoder, Opcode::text, WsPart::first) == Fault::out_of_turn);
    CHECK(fault_of(encoder, Opcode::binary, WsPart::whole) == Fault::out_of_turn);
    CHECK(fault_of(encoder, Opcode::text, WsPart::next) == Fault::none);
    CHECK(fault_of(encoder, Opcode::text, WsPart::last) == Fault::none);
  }
}

TEST_CASE("ws_encoder: text is UTF-8, even across pieces that cut code points (8.1)") {
  WsEncoder encoder;
  const std::string text = "a\xC3\x9F\xE2\x82\xAC\xF0\x9F\x91\x8B";
  CHECK(fault_of(encoder, Opcode::text, WsPart::whole, text) == Fault::none);
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      CHECK(fault_of(encoder, Opcode::text, WsPart::first, text.substr(0, first)) == Fault::none);
      CHECK(fault_of(encoder, Opcode::text, WsPart::next, text.substr(first, second - first)) == Fault::none);
      CHECK(fault_of(encoder, Opcode::text, WsPart::last, text.substr(second)) == Fault::none);
    }
  }
  CHECK(fault_of(encoder, Opcode::text, WsPart::whole, "\xC3") == Fault::text_not_utf8);
  CHECK(fault_of(encoder, Opcode::text, WsPart::whole, "a\xFF") == Fault::text_not_utf8);
  CHECK(fault_of(encoder, Opcode::text, WsPart::first, "\xED\xA0") == Fault::text_not_utf8);
  CHECK_FALSE(encoder.in_message());
  CHECK(fault_of(encoder, Opcode::binary, WsPart::whole, "\xFF") == Fault::none);
}

TEST_CASE("ws_encoder: a piece that cannot go on the text is refused, and another may take its place (8.1)") {
  WsEncoder encoder;
  CHECK(fault_of(encoder, Opcode::text, WsPart::first, "\xE2\x82") == Fault::none);
  CHECK(fault_of(encoder, Opcode::text, WsPart::next, "a") == Fault::text_not_utf8);
  CHECK(fault_of(encoder, Opcode::binary, WsPart::next, "a") == Fault::text_not_utf8);
  CHECK(fault_of(encoder, Opcode::text, WsPart::last, "") == Fault::text_not_utf8);
  CHECK(encoder.in_message());
  CHECK(fault_of(encoder, Opcode::text, WsPart::next, "\xAC\xE2") == Fault::none);
  CHECK(fault_of(encoder, Opcode::text, WsPart::last, "\x82\xAC") == Fault::none);
  CHECK(fault_of(encoder, Opcode::binary, WsPart::first, "\xE2") == Fault::none);  // what the text was does not count any more
  CHECK(fault_of(encoder, Opcode::text, WsPart::last, "a") == Fault::none);
}

TEST_CASE("ws_encoder: headers at every boundary of the length, with RSV1 on top (5.2, RFC 7692 6)") {
  const std::string data(65'536, 'x');
  for (const std::size_t size : {0U, 1U, 125U, 126U, 127U, 65'535U, 65'536U}) {
    for (const bool compressed : {false, true}) {
      const WsOutFrame frame{Opcode::text, true, compressed, std::string_view(data).substr(0, size)};
      std::string plain(max_frame_header, '\0');
      plain.resize(write_frame_header(plain.data(), Opcode::text, true, size));
      std::string masked(max_frame_header, '\0');
      masked.resize(write_masked_frame_header(masked.data(), Opcode::text, true, size, key));
      if (compressed) plain[0] = masked[0] = '\xC1';
      char out[max_frame_header];
      CHECK(std::string(out, frame.write_header(out)) == plain);
      CHECK(std::string(out, frame.write_masked_header(out, key)) == masked);
    }
  }
}

TEST_CASE("ws_encoder: the server reads what a client has masked (5.3)") {
  WsEncoder encoder;
  WsDecoder decoder(Role::server, mebibyte);
  std::vector<std::size_t> sizes{65'535, 65'536};
  for (std::size_t size = 0; size < 300; ++size) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    const std::string payload = noise(size);
    WsOutFrame frame;
    REQUIRE(encoder.encode(Opcode::binary, WsPart::whole, payload, frame) == Fault::none);
    REQUIRE(message_of(decoder, client_frame(frame)) == payload);
  }
}

TEST_CASE("ws_encoder: without an agreement nothing is compressed (5.2)") {
  WsEncoder encoder;
  CHECK_FALSE(is_compressed(encoded(encoder, Opcode::text, WsPart::whole, std::string(1000, 'x'))));
  CHECK(encoder.compress_from() == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("ws_encoder: the frames of RFC 7692 (7.2.3.1, 7.2.3.2, 7.2.3.6)") {
  Pair kept(DeflateContext::kept, 15, 0);
  CHECK(encoded(kept.encoder, Opcode::text, WsPart::whole, "Hello") == std::string("\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00", 9));
  CHECK(encoded(kept.encoder, Opcode::text, WsPart::whole, "Hello") == std::string("\xC1\x05\xF2\x00\x11\x00\x00", 7));
  CHECK(encoded(kept.encoder, Opcode::text, WsPart::whole, "") == std::string("\xC1\x01\x00", 3));
}

TEST_CASE("ws_encoder: whole messages are compressed from a length on, pieces always (RFC 7692 6.1)") {
  for (const DeflateContext context : {DeflateContext::kept, DeflateContext::forgotten}) {
    Pair pair(context, 12, 100);
    CHECK_FALSE(is_compressed(encoded(pair.encoder, Opcode::text, WsPart::whole, std::string(99, 'x'))));
    CHECK(is_compressed(encoded(pair.encoder, Opcode::text, WsPart::whole, std::string(100, 'x'))));
    const std::string first = encoded(pair.encoder, Opcode::text, WsPart::first, "");
    CHECK(first == std::string("\x41\x00", 2));
    CHECK_FALSE(is_compressed(encoded(pair.encoder, Opcode::text, WsPart::next, "x")));  // only the first frame is marked
    CHECK_FALSE(is_compressed(encoded(pair.encoder, Opcode::text, WsPart::last, "x")));
  }
}

TEST_CASE("ws_encoder: a message that does not become shorter is sent uncompressed, unless the context is kept (RFC 7692 6.1)") {
  const std::string data = noise(1000);
  Pair forgotten(DeflateContext::forgotten);
  const std::string frame = encoded(forgotten.encoder, Opcode::binary, WsPart::whole, data);
  CHECK_FALSE(is_compressed(frame));
  CHECK(frame.ends_with(data));
  CHECK(message_of(forgotten.decoder, frame) == data);
  CHECK(forgotten.through(Opcode::text, std::string(1000, 'x')) == std::string(1000, 'x'));

  Pair kept(DeflateContext::kept);
  const std::string compressed = encoded(kept.encoder, Opcode::binary, WsPart::whole, data);
  CHECK(is_compressed(compressed));
  CHECK(message_of(kept.decoder, compressed) == data);
  const std::string again = encoded(kept.encoder, Opcode::binary, WsPart::whole, data);
  CHECK(again.size() < 100);
  CHECK(message_of(kept.decoder, again) == data);
}

TEST_CASE("ws_encoder: a peer that reads compressed messages only gets no other: short, empty, longer by it, in pieces") {
  for (const DeflateContext context : {DeflateContext::kept, DeflateContext::forgotten}) {
    for (const auto way : {DeflateChoice::all, DeflateChoice::worthwhile}) {
      Pair pair(context, 12, 1'000'000);
      if (way == DeflateChoice::all) pair.encoder.compress_all();
      else pair.settings.choice = DeflateChoice::all;
      if (way != DeflateChoice::all) pair.encoder.deflate_with(pair.settings, 12, context);
      CHECK(pair.encoder.compress_from() == 0);
      for (const std::size_t size : {0U, 1U, 2U, 31U, 32U, 125U, 126U, 191U, 192U, 5'000U, 70'000U}) {
        const std::string bytes = encoded(pair.encoder, Opcode::binary, WsPart::whole, noise(size));
        CHECK(is_compressed(bytes));
        CHECK(bytes.size() > 2);
        CHECK(message_of(pair.decoder, bytes) == noise(size));
      }
      std::string bytes = encoded(pair.encoder, Opcode::text, WsPart::first, "");
      CHECK(is_compressed(bytes));
      bytes += encoded(pair.encoder, Opcode::text, WsPart::next, "a");
      bytes += encoded(pair.encoder, Opcode::text, WsPart::last, "");
      CHECK(message_of(pair.decoder, bytes) == "a");
    }
  }
}

TEST_CASE("ws_encoder: messages come out as they went in, with every window, context, whole and in pieces (RFC 7692 7.2)") {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "{\"id\":" + std::to_string(i * i) + ",\"name\":\"caf\xC3\xA9\"}";
  for (int window_bits = 8; window_bits <= 15; ++window_bits) {
    for (const DeflateContext context : {DeflateContext::kept, DeflateContext::forgotten}) {
      Pair pair(context, window_bits, 64, {1 + window_bits % 9, 1 + window_bits % 9});
      for (int round = 0; round < 3; ++round) {
        CHECK(pair.through(Opcode::text, text) == text);
        CHECK(pair.through(Opcode::text, "short") == "short");
        std::string bytes = encoded(pair.encoder, Opcode::text, WsPart::first, text.substr(0, 1000));
        for (std::size_t at = 1000; at + 777 < text.size(); at += 777)
          bytes += encoded(pair.encoder, Opcode::text, WsPart::next, text.substr(at, 777));
        bytes += encoded(pair.encoder, Opcode::text, WsPart::next, "");
        bytes += encoded(pair.encoder, Opcode::text, WsPart::last, "end");
        const std::size_t sent = 1000 + (text.size() - 1001) / 777 * 777;
        CHECK(message_of(pair.decoder, bytes) == text.substr(0, sent) + "end");
      }
    }
  }
}

TEST_CASE("ws_encoder: a piece can be read as soon as it was sent (RFC 7692 6.1)") {
  Pair pair(DeflateContext::kept);
  pair.decoder.hand_out_pieces();
  CHECK(message_of(pair.decoder, encoded(pair.encoder, Opcode::text, WsPart::first, "one ")) == "one ");
  CHECK(message_of(pair.decoder, encoded(pair.encoder, Opcode::text, WsPart::next, "two ")) == "two ");
  CHECK(message_of(pair.decoder, encoded(pair.encoder, Opcode::text, WsPart::last, "three")) == "three");
}

TEST_CASE("ws_encoder: the pieces of a message build on each other, even if no context is kept (RFC 7692 7.2.1)") {
  Pair pair(DeflateContext::forgotten, 12);
  const std::string data = noise(500);
  const std::string first = encoded(pair.encoder, Opcode::binary, WsPart::first, data);
  const std::string again = encoded(pair.encoder, Opcode::binary, WsPart::last, data);
  CHECK(again.size() < 50);
  CHECK(message_of(pair.decoder, first + again) == data + data);
}

TEST_CASE("ws_encoder: after forget() the next message builds on nothing, and the memory is given back (RFC 7692 7.1.1)") {
  Pair pair(DeflateContext::kept);
  const std::string text(500, 'x');
  const std::string fresh = encoded(pair.encoder, Opcode::text, WsPart::whole, text);
  CHECK(encoded(pair.encoder, Opcode::text, WsPart::whole, text) != fresh);
  const std::size_t before = allocated();
  pair.encoder.forget();
  CHECK(before - allocated() > Deflater::memory(12, 5) / 2);
  CHECK(encoded(pair.encoder, Opcode::text, WsPart::whole, text) == fresh);

  REQUIRE(fault_of(pair.encoder, Opcode::text, WsPart::first, text) == Fault::none);
  pair.encoder.forget();  // not within a message
  const std::string end = encoded(pair.encoder, Opcode::text, WsPart::last, text);
  CHECK(end.size() < fresh.size());
}

TEST_CASE("ws_encoder: one that keeps no context owns nothing between two messages") {
  Pair pair(DeflateContext::forgotten);
  CHECK(pair.through(Opcode::text, std::string(500, 'x')) == std::string(500, 'x'));  // now the pool has what it keeps
  const std::size_t before = allocated();
  std::vector<WsEncoder> encoders(100);
  for (WsEncoder& encoder : encoders) {
    encoder.deflate_with(pair.settings, 12, DeflateContext::forgotten);
    REQUIRE(fault_of(encoder, Opcode::text, WsPart::first, std::string(500, 'x')) == Fault::none);
    REQUIRE(fault_of(encoder, Opcode::text, WsPart::last, std::string(500, 'x')) == Fault::none);
  }
  CHECK(grown_from(before) < encoders.size() * sizeof(WsEncoder) + 4096);
}

TEST_CASE("ws_encoder: one can be moved in the middle of a compressed message") {
  Pair pair(DeflateContext::kept);
  std::string bytes = encoded(pair.encoder, Opcode::text, WsPart::first, "Hel");
  WsEncoder other(std::move(pair.encoder));
  bytes += encoded(other, Opcode::text, WsPart::last, "lo");
  CHECK(message_of(pair.decoder, bytes) == "Hello");
}
