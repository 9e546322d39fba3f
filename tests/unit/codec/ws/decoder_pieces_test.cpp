#include <doctest/doctest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "codec/deflate_pool.h"
#include "codec/utf8.h"
#include "codec/ws/decoder.h"
#include "unit/codec/heap.h"
#include "unit/codec/ws/frames.h"

namespace {

using namespace wharf::codec;
using Type = WsEvent::Type;

WsDecoder in_pieces(Role role, std::uint64_t limit = mebibyte) {
  WsDecoder decoder(role, limit);
  decoder.hand_out_pieces();
  return decoder;
}

/// The parts of events as letters: f(irst), n(ext), l(ast), w(hole).
std::string parts_of(const std::vector<SeenEvent>& events) {
  std::string parts;
  for (const SeenEvent& event : events) parts += "nflw"[static_cast<unsigned>(event.part)];
  return parts;
}

void add(std::vector<SeenEvent>& all, std::vector<SeenEvent> more) {
  for (SeenEvent& event : more) all.push_back(std::move(event));
}

/// Text of code points of one to four bytes.
std::string mixed_text(std::size_t code_points) {
  std::mt19937 random(8);
  std::string text;
  for (std::size_t i = 0; i < code_points; ++i)
    text += std::vector<std::string>{"a", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x91\x8B"}[random() % 4];
  return text;
}

}  // namespace

TEST_CASE("ws_decoder pieces: a message that is complete in the input is one piece, in place") {
  WsDecoder decoder = in_pieces(Role::server);
  std::string bytes = masked_frame(0x81, "Hello");
  std::span<char> rest(bytes);
  const WsEvent event = decoder.next(rest);
  CHECK(event.type == Type::text);
  CHECK(event.part == WsPart::whole);
  CHECK(event.payload.data() == bytes.data() + 6);
}

TEST_CASE("ws_decoder pieces: the part of a frame that is there is handed out at once, in place, and nothing is kept") {
  WsDecoder decoder = in_pieces(Role::server, 100 * mebibyte);
  const std::string frame = masked_frame(0x82, std::string(mebibyte, 'x'));
  const std::size_t before = allocated();
  std::size_t size = 0;
  for (std::size_t at = 0; at < frame.size(); at += 1000) {
    std::string bytes = frame.substr(at, 1000);
    std::span<char> rest(bytes);
    const WsEvent event = decoder.next(rest);
    REQUIRE(event.type == Type::binary);
    REQUIRE(event.payload.data() == bytes.data() + (at == 0 ? 14 : 0));
    REQUIRE(rest.empty());
    CHECK(is_first(event.part) == (at == 0));
    CHECK(is_last(event.part) == (at + 1000 >= frame.size()));
    size += event.payload.size();
    REQUIRE(grown_from(before) < 4096);
    if (is_last(event.part)) CHECK(decoder.next(rest).type == Type::more);
  }
  CHECK(size == mebibyte);
  CHECK(grown_from(before) < 1024);
}

TEST_CASE("ws_decoder pieces: fragments are pieces, empty ones are none unless they are the last") {
  WsDecoder decoder = in_pieces(Role::client);
  const auto seen = events_of(decoder, plain_frame(0x01, "") + plain_frame(0x00, "one") + plain_frame(0x00, "") +
                                           plain_frame(0x89, "ping") + plain_frame(0x00, "two") + plain_frame(0x80, ""));
  REQUIRE(seen.size() == 4);
  CHECK(seen[0].payload == "one");
  CHECK(seen[0].part == WsPart::first);
  CHECK(seen[1].type == Type::ping);
  CHECK(seen[2].payload == "two");
  CHECK(seen[2].part == WsPart::next);
  CHECK(seen[3].payload.empty());
  CHECK(seen[3].part == WsPart::last);
  CHECK(parts_of(events_of(decoder, plain_frame(0x81, "") + plain_frame(0x02, "") + plain_frame(0x80, ""))) == "ww");
}

TEST_CASE("ws_decoder pieces: text is cut between code points only, whatever the input and the fragments are cut at") {
  const std::string text = mixed_text(60);
  for (const bool compresses : {false, true}) {
    const std::string payload = compresses ? compressed(text) : text;
    const unsigned first = compresses ? 0x41 : 0x01;
    for (std::size_t fragment = 1; fragment <= 9; ++fragment) {
      std::string bytes;
      for (std::size_t at = 0; at < payload.size(); at += fragment)
        bytes +=
            masked_frame((at == 0 ? first : 0x00) | (at + fragment >= payload.size() ? 0x80 : 0x00), payload.substr(at, fragment));
      for (std::size_t cut = 1; cut <= 12; ++cut) {
        DeflatePool pool;
        WsDecoder decoder = in_pieces(Role::server);
        decoder.inflate_with(pool, 15, DeflateContext::forgotten);
        std::vector<SeenEvent> seen;
        for (std::size_t at = 0; at < bytes.size(); at += cut) add(seen, events_of(decoder, bytes.substr(at, cut)));
        REQUIRE(text_of(seen) == text);
        const std::string parts = parts_of(seen);
        REQUIRE(parts == "f" + std::string(parts.size() - 2, 'n') + "l");
        for (const SeenEvent& piece : seen) REQUIRE(is_utf8(piece.payload));
      }
    }
  }
}

TEST_CASE("ws_decoder pieces: a code point cut across frames comes by itself, the bytes behind it in place") {
  WsDecoder decoder = in_pieces(Role::client);
  CHECK(parts_of(events_of(decoder, plain_frame(0x01, "a\xE2"))) == "f");
  std::string bytes = plain_frame(0x00, "\x82") + plain_frame(0x80, "\xAC" + std::string("after"));
  std::span<char> rest(bytes);
  const WsEvent code_point = decoder.next(rest);
  CHECK(std::string(code_point.payload.begin(), code_point.payload.end()) == "\xE2\x82\xAC");
  CHECK(code_point.part == WsPart::next);
  const WsEvent end = decoder.next(rest);
  CHECK(end.part == WsPart::last);
  CHECK(end.payload.data() + end.payload.size() == bytes.data() + bytes.size());
  CHECK(end.payload.size() == 5);
}

TEST_CASE("ws_decoder pieces: text that cannot be valid is found at once, text that ends too early at its end (8.1)") {
  WsDecoder decoder = in_pieces(Role::client);
  CHECK(text_of(events_of(decoder, plain_frame(0x01, "good\xE2"))) == "good");
  CHECK(events_of(decoder, plain_frame(0x00, "a")).at(0).error == WsError::text_not_utf8);
  WsDecoder other = in_pieces(Role::client);
  CHECK(text_of(events_of(other, plain_frame(0x01, "good\xE2"))) == "good");
  CHECK(events_of(other, plain_frame(0x80, "")).at(0).error == WsError::text_not_utf8);
}

TEST_CASE("ws_decoder pieces: the limit holds for their sum") {
  WsDecoder decoder = in_pieces(Role::client, 10);
  CHECK(text_of(events_of(decoder, plain_frame(0x01, "12345") + plain_frame(0x80, "67890"))) == "1234567890");
  CHECK(text_of(events_of(decoder, plain_frame(0x01, "12345"))) == "12345");
  CHECK(events_of(decoder, plain_frame(0x80, "678901")).at(0).error == WsError::message_too_big);
}

TEST_CASE("ws_decoder pieces: inflated bytes come in pieces of the room, without further input") {
  constexpr std::size_t size = 3 * DeflatePool::room_size + 100;
  DeflatePool pool;
  WsDecoder decoder = in_pieces(Role::client);
  decoder.inflate_with(pool, 15, DeflateContext::forgotten);
  std::string bytes = plain_frame(0xC2, compressed(std::string(size, 'x')));
  std::span<char> rest(bytes);
  std::size_t got = 0;
  std::size_t pieces = 0;
  CHECK_FALSE(decoder.has_more());
  do {
    const WsEvent event = decoder.next(rest);
    REQUIRE(event.type == Type::binary);
    CHECK(event.payload.size() <= DeflatePool::room_size);
    CHECK(is_first(event.part) == (pieces == 0));
    got += event.payload.size();
    ++pieces;
    CHECK(is_last(event.part) == (got == size));
    CHECK(decoder.has_more() == (got < size));
  } while (decoder.has_more());
  CHECK(rest.empty());
  CHECK(pieces == 4);
  CHECK(decoder.next(rest).type == Type::more);
}

TEST_CASE("ws_decoder pieces: a frame behind a compressed message waits until all of that came out") {
  DeflatePool pool;
  WsDecoder decoder = in_pieces(Role::client);
  decoder.inflate_with(pool, 15, DeflateContext::forgotten);
  const auto seen = events_of(decoder, plain_frame(0xC2, compressed(std::string(100'000, 'x'))) + plain_frame(0x89, "ping"));
  CHECK(seen.back().type == Type::ping);
  CHECK(is_last(seen.at(seen.size() - 2).part));
  CHECK(text_of(seen).size() == 100'004);
}

TEST_CASE("ws_decoder pieces: a decoder owns nothing between two messages") {
  DeflatePool pool;
  static_cast<void>(pool.room());
  pool.give_back(pool.take_inflater(15), 15);
  const std::string text = mixed_text(1000);
  std::vector<WsDecoder> decoders;
  decoders.reserve(101);
  for (int i = 0; i < 101; ++i) decoders.push_back(in_pieces(Role::client));
  for (WsDecoder& decoder : decoders) decoder.inflate_with(pool, 15, DeflateContext::forgotten);
  CHECK(text_of(events_of(decoders.back(), plain_frame(0xC1, compressed(text)))) == text);
  const std::size_t before = allocated();
  for (WsDecoder& decoder : decoders) {
    CHECK(text_of(events_of(decoder, plain_frame(0xC1, compressed(text)))) == text);
    CHECK(text_of(events_of(decoder, plain_frame(0x01, text.substr(0, 999)) + plain_frame(0x80, text.substr(999)))) == text);
  }
  CHECK(grown_from(before) < 4096);
}
