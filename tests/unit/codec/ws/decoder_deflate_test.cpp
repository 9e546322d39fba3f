#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "codec/deflate_pool.h"
#include "codec/ws/decoder.h"
#include "unit/codec/heap.h"
#include "unit/codec/ws/frames.h"

namespace {

using namespace wharf::codec;
using Type = WsEvent::Type;

constexpr unsigned compressed_text = 0xC1;
constexpr unsigned compressed_first = 0x42;
constexpr unsigned next_fragment = 0x00;
constexpr unsigned last_fragment = 0x80;

/// A compressed binary message in three fragments, the last of them empty.
std::string in_fragments(const std::string& packed) {
  const std::size_t half = packed.size() / 2;
  return masked_frame(compressed_first, packed.substr(0, half)) + masked_frame(next_fragment, packed.substr(half)) +
         masked_frame(last_fragment, "");
}

}  // namespace

TEST_CASE("ws_decoder deflate: an idle decoder whose peer keeps no context owns nothing") {
  DeflatePool pool;
  const std::string text(2000, 'x');
  std::vector<WsDecoder> decoders;
  decoders.reserve(101);
  for (int i = 0; i < 101; ++i) decoders.emplace_back(Role::server, mebibyte);
  for (WsDecoder& decoder : decoders) decoder.inflate_with(pool, 15, DeflateContext::forgotten);
  CHECK(text_of(events_of(decoders.back(), in_fragments(compressed(text)))) == text);  // now the pool has what it keeps
  const std::size_t before = allocated();
  for (WsDecoder& decoder : decoders) {
    CHECK(text_of(events_of(decoder, masked_frame(compressed_text, compressed(text)))) == text);
    CHECK(text_of(events_of(decoder, in_fragments(compressed(text)))) == text);
  }
  CHECK(grown_from(before) < 4096);
}

TEST_CASE("ws_decoder deflate: one whose peer keeps its context owns an inflater and no more") {
  DeflatePool pool;
  static_cast<void>(pool.room());
  std::vector<WsDecoder> decoders;
  decoders.reserve(100);
  for (int i = 0; i < 100; ++i) decoders.emplace_back(Role::server, mebibyte);
  const std::size_t before = allocated();
  for (WsDecoder& decoder : decoders) decoder.inflate_with(pool, 12, DeflateContext::kept);
  CHECK(grown_from(before) < 1024);  // made when it is first needed
  const std::string text(2000, 'x');
  for (WsDecoder& decoder : decoders) CHECK(text_of(events_of(decoder, in_fragments(compressed(text)))) == text);
  CHECK(grown_from(before) <= decoders.size() * (Inflater::memory(12) + 256));
  decoders.clear();
  CHECK(grown_from(before) < 4096);
}

TEST_CASE("ws_decoder deflate: a close or a fault in the middle of a message gives its memory back") {
  DeflatePool pool;
  static_cast<void>(pool.room());
  const std::string begin = masked_frame(compressed_first, compressed(std::string(500'000, 'x')));
  for (const std::string& end : {masked_frame(0x88, ""), std::string("\x83")}) {
    WsDecoder decoder(Role::server, mebibyte);
    decoder.inflate_with(pool, 15, DeflateContext::forgotten);
    const std::size_t before = allocated();
    CHECK(events_of(decoder, begin).empty());
    CHECK(grown_from(before) >= 500'000);
    CHECK(events_of(decoder, end).size() == 1);
    CHECK(grown_from(before) < 1024);
  }
}

TEST_CASE("ws_decoder deflate: a bomb costs no more than the limit") {
  constexpr std::uint64_t limit = 100'000;
  const std::string bomb = compressed(std::string(64 * mebibyte, '\0'));
  REQUIRE(bomb.size() < 70'000);
  DeflatePool pool;
  static_cast<void>(pool.room());
  const std::size_t before = allocated();
  WsDecoder decoder(Role::client, limit);
  decoder.inflate_with(pool, 15, DeflateContext::forgotten);
  const std::string frame = plain_frame(compressed_text, bomb);
  std::size_t most = 0;
  for (std::size_t at = 0; at < frame.size(); ++at) {
    const auto seen = events_of(decoder, frame.substr(at, 1));
    most = std::max(most, grown_from(before));
    if (seen.empty()) continue;
    CHECK(seen[0].error == WsError::message_too_big);
    CHECK(at < 150);  // a thousand for one
    break;
  }
  CHECK(most <= limit + Inflater::memory(15) + frame.size() + 4096);

  WsDecoder whole(Role::client, limit);
  whole.inflate_with(pool, 15, DeflateContext::forgotten);
  CHECK(events_of(whole, frame).at(0).error == WsError::message_too_big);
  CHECK(grown_from(before) <= frame.size() + 4096);
}

TEST_CASE("ws_decoder deflate: a length of 2^62 takes no memory before there are bytes") {
  DeflatePool pool;
  static_cast<void>(pool.room());
  std::vector<WsDecoder> decoders;
  decoders.reserve(100);
  for (int i = 0; i < 100; ++i) decoders.emplace_back(Role::server, mebibyte);
  const std::size_t before = allocated();
  for (WsDecoder& decoder : decoders) {
    decoder.inflate_with(pool, 12, DeflateContext::forgotten);
    CHECK(events_of(decoder, std::string("\xC2\xFF\x40\0\0\0\0\0\0\0\1\2\3\4", 14)).empty());
  }
  CHECK(grown_from(before) < decoders.size() * 9 * 1024);  // an inflater without its window, and what a frame under way takes
}

TEST_CASE("ws_decoder deflate: the limit is exact at the edges of the room") {
  constexpr std::size_t room = DeflatePool::room_size;
  DeflatePool pool;
  for (const std::size_t limit : {std::size_t{10}, room - 1, room, room + 1, 2 * room, std::size_t{100'000}}) {
    for (const bool in_pieces : {false, true}) {
      for (const std::size_t size : {limit - 1, limit, limit + 1}) {
        CAPTURE(limit);
        CAPTURE(size);
        CAPTURE(in_pieces);
        WsDecoder decoder(Role::client, limit);
        decoder.inflate_with(pool, 15, DeflateContext::forgotten);
        if (in_pieces) decoder.hand_out_pieces();
        const auto seen = events_of(decoder, plain_frame(compressed_text, compressed(std::string(size, 'a'))));
        REQUIRE_FALSE(seen.empty());
        if (size > limit) {
          CHECK(seen.back().error == WsError::message_too_big);
          continue;
        }
        CHECK(text_of(seen) == std::string(size, 'a'));
        CHECK(is_last(seen.back().part));
      }
    }
  }
}

TEST_CASE("ws_decoder deflate: the four added bytes may inflate to more than the room has left") {
  DeflatePool pool;
  const std::string last_four("\0\0\xFF\xFF", 4);
  for (std::size_t size = DeflatePool::room_size - 2; size <= DeflatePool::room_size + 6; ++size) {
    const std::string data(size - last_four.size(), 'a');
    const auto low = static_cast<char>(size & 0xFF);
    const auto high = static_cast<char>(size >> 8);
    const std::string stored{'\0', low, high, static_cast<char>(~low), static_cast<char>(~high)};  // a block whose end is not sent
    for (const bool in_pieces : {false, true}) {
      WsDecoder decoder(Role::client, mebibyte);
      decoder.inflate_with(pool, 15, DeflateContext::forgotten);
      if (in_pieces) decoder.hand_out_pieces();
      const auto seen = events_of(decoder, plain_frame(0xC2, stored + data));
      REQUIRE_FALSE(seen.empty());
      CHECK(is_last(seen.back().part));
      CHECK(text_of(seen) == data + last_four);
    }
  }
}

TEST_CASE("ws_decoder deflate: a whole message is one event, however large, and leaves nothing behind") {
  DeflatePool pool;
  WsDecoder decoder(Role::client, mebibyte);
  decoder.inflate_with(pool, 15, DeflateContext::kept);
  std::string bytes = plain_frame(compressed_text, compressed(std::string(200'000, 'a')));
  std::span<char> rest(bytes);
  const WsEvent event = decoder.next(rest);
  CHECK(event.type == Type::text);
  CHECK(event.payload.size() == 200'000);
  CHECK(rest.empty());
  CHECK_FALSE(decoder.has_more());
  CHECK(decoder.next(rest).type == Type::more);
}

TEST_CASE("ws_decoder deflate: a message that fits the room is handed out of it, without a copy") {
  DeflatePool pool;
  WsDecoder decoder(Role::server, mebibyte);
  decoder.inflate_with(pool, 15, DeflateContext::forgotten);
  CHECK(text_of(events_of(decoder, masked_frame(compressed_text, compressed("warm")))) == "warm");
  std::string bytes = masked_frame(compressed_text, compressed(std::string(30'000, 'a')));
  std::span<char> rest(bytes);
  const WsEvent event = decoder.next(rest);
  CHECK(event.payload.data() == pool.room().data());
  CHECK(event.payload.size() == 30'000);
}

TEST_CASE("ws_decoder deflate: two in the middle of a message do not disturb each other in the room they share") {
  DeflatePool pool;
  const std::string text(50'000, 'a');
  const std::string other(50'000, 'b');
  for (const bool in_pieces : {false, true}) {
    WsDecoder one(Role::client, mebibyte);
    WsDecoder two(Role::client, mebibyte);
    for (WsDecoder* decoder : {&one, &two}) {
      decoder->inflate_with(pool, 15, DeflateContext::kept);
      if (in_pieces) decoder->hand_out_pieces();
    }
    const std::string first = plain_frame(compressed_text, compressed(text));
    const std::string second = plain_frame(compressed_text, compressed(other));
    std::string got;
    std::string got_other;
    for (std::size_t at = 0; at < first.size(); ++at) {
      got += text_of(events_of(one, first.substr(at, 1)));
      got_other += text_of(events_of(two, second.substr(at, 1)));
    }
    CHECK(got == text);
    CHECK(got_other == other);
  }
}

TEST_CASE("ws_decoder deflate: one can be moved in the middle of a message, and with a context") {
  DeflatePool pool;
  Deflater deflater(15, {});
  std::string first;
  std::string second;
  deflater.compress("Hello", Deflater::Piece::last, first);
  deflater.compress("Hello", Deflater::Piece::last, second);
  WsDecoder start(Role::client, mebibyte);
  start.inflate_with(pool, 15, DeflateContext::kept);
  CHECK(events_of(start, plain_frame(0x41, first.substr(0, 3))).empty());
  WsDecoder middle(std::move(start));
  CHECK(text_of(events_of(middle, plain_frame(last_fragment, first.substr(3)))) == "Hello");
  WsDecoder end(Role::server, 0);
  end = std::move(middle);
  CHECK(text_of(events_of(end, plain_frame(compressed_text, second))) == "Hello");
}

TEST_CASE("ws_decoder deflate: after a fault nothing of its message is left in the streams that others are lent") {
  DeflatePool pool;
  for (int i = 0; i < 3; ++i) {
    WsDecoder bad(Role::client, mebibyte);
    bad.inflate_with(pool, 15, DeflateContext::forgotten);
    CHECK(events_of(bad, plain_frame(compressed_text, "\x06")).at(0).error == WsError::not_deflate);
    WsDecoder good(Role::client, mebibyte);
    good.inflate_with(pool, 15, DeflateContext::forgotten);
    CHECK(text_of(events_of(good, plain_frame(compressed_text, compressed("Hello")))) == "Hello");
  }
}
