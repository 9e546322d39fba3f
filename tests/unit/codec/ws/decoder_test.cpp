#include "codec/ws/decoder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "unit/codec/heap.h"

namespace {

using namespace wharf::codec;
using Type = WsEvent::Type;

constexpr std::uint64_t mebibyte = 1024 * 1024;
constexpr MaskKey key{0x37, 0xFA, 0x21, 0x3D};

std::string frame(Opcode opcode, std::string payload, std::string_view flags = "final") {
  std::string header(max_frame_header, '\0');
  header.resize(write_masked_frame_header(header.data(), opcode, flags == "final", payload.size(), key));
  apply_mask(payload, key);
  return header + payload;
}

std::string plain_frame(Opcode opcode, std::string_view payload) {
  std::string header(max_frame_header, '\0');
  header.resize(write_frame_header(header.data(), opcode, true, payload.size()));
  return header.append(payload);
}

std::string masked_header(Opcode opcode, std::uint64_t size) {
  std::string header(max_frame_header, '\0');
  header.resize(write_masked_frame_header(header.data(), opcode, true, size, key));
  return header;
}

std::string text_of(const WsEvent& event) { return {event.payload.begin(), event.payload.end()}; }

struct Seen {
  Type type;
  std::string payload;
  std::uint16_t code = 0;
  WsError error = WsError::none;
  bool operator==(const Seen&) const = default;
};

/// All events of one input, without the final `more`.
std::vector<Seen> feed(WsDecoder& decoder, std::string input) {
  std::vector<Seen> seen;
  for (std::span<char> rest(input);;) {
    const WsEvent event = decoder.next(rest);
    if (event.type == Type::more) return seen;
    seen.push_back({event.type, text_of(event), event.code, event.error});
    if (event.type == Type::error) return seen;
  }
}

/// The number of bytes, fed one at a time, that show the error.
std::optional<std::size_t> bytes_until(WsError error, Role role, std::string_view bytes, std::uint64_t limit = mebibyte) {
  WsDecoder decoder(role, limit);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    for (const Seen& seen : feed(decoder, std::string(bytes.substr(i, 1))))
      if (seen.type == Type::error) return seen.error == error ? std::optional(i + 1) : std::nullopt;
  return std::nullopt;
}

std::string bytes(std::initializer_list<unsigned> values) {
  std::string text;
  for (const unsigned value : values) text += static_cast<char>(value);
  return text;
}

}  // namespace

TEST_CASE("ws_decoder: a whole message is handed out in place, and nothing behind it is taken") {
  const std::string first = frame(Opcode::text, "Hello");
  std::string input = first + frame(Opcode::binary, std::string(300, 'b')) + frame(Opcode::ping, "ping");
  WsDecoder decoder(Role::server, mebibyte);
  std::span<char> rest(input);
  const std::size_t before = allocated();
  const WsEvent text = decoder.next(rest);
  CHECK(text.type == Type::text);
  CHECK(text.payload.data() == input.data() + 6);
  CHECK(rest.data() == input.data() + first.size());
  const WsEvent binary = decoder.next(rest);
  CHECK(binary.payload.data() == input.data() + first.size() + 8);
  CHECK(binary.payload.size() == 300);
  const WsEvent ping = decoder.next(rest);
  CHECK(ping.payload.data() + 4 == input.data() + input.size());
  CHECK(rest.empty());
  CHECK(decoder.next(rest).type == Type::more);
  CHECK(allocated() == before);
  CHECK(text_of(text) == "Hello");
  CHECK(text_of(ping) == "ping");
}

TEST_CASE("ws_decoder: a payload that comes whole after its header is handed out in place") {
  const std::string whole = frame(Opcode::text, "Hello");
  WsDecoder decoder(Role::server, mebibyte);
  CHECK(feed(decoder, whole.substr(0, 6)).empty());
  std::string payload = whole.substr(6);
  std::span<char> rest(payload);
  const WsEvent event = decoder.next(rest);
  CHECK(event.payload.data() == payload.data());
  CHECK(text_of(event) == "Hello");
}

TEST_CASE("ws_decoder: a client takes frames without a mask, in place") {
  std::string input = plain_frame(Opcode::text, "Hello");
  WsDecoder decoder(Role::client, mebibyte);
  std::span<char> rest(input);
  const WsEvent event = decoder.next(rest);
  CHECK(event.type == Type::text);
  CHECK(event.payload.data() == input.data() + 2);
}

TEST_CASE("ws_decoder: a message put together stays until the next call, then its memory is given back") {
  const std::size_t before = allocated();
  WsDecoder decoder(Role::server, mebibyte);
  std::string first = frame(Opcode::binary, std::string(300'000, 'x'));
  std::string second = first.substr(200'000);
  first.resize(200'000);
  std::span<char> rest(first);
  CHECK(decoder.next(rest).type == Type::more);
  rest = second;
  const WsEvent event = decoder.next(rest);
  first.assign(first.size(), '-');
  second.assign(second.size(), '-');
  CHECK(text_of(event) == std::string(300'000, 'x'));
  CHECK(decoder.next(rest).type == Type::more);
  first = {};
  second = {};
  first.shrink_to_fit();
  second.shrink_to_fit();
  CHECK(grown_from(before) < 1024);
}

TEST_CASE("ws_decoder: control payloads put together stay until the next call, and do not touch the message") {
  WsDecoder decoder(Role::server, mebibyte);
  const std::string ping = frame(Opcode::ping, "12345");
  CHECK(feed(decoder, frame(Opcode::text, "Hel", "more to come") + ping.substr(0, 8)).empty());
  std::string input = ping.substr(8) + frame(Opcode::continuation, "lo");
  std::span<char> rest(input);
  const WsEvent event = decoder.next(rest);
  CHECK(event.type == Type::ping);
  CHECK(text_of(event) == "12345");
  const WsEvent message = decoder.next(rest);
  CHECK(message.type == Type::text);
  CHECK(text_of(message) == "Hello");
}

TEST_CASE("ws_decoder: each fault is found with the first byte that shows it") {
  const Role server = Role::server;
  CHECK(bytes_until(WsError::reserved_bits, server, bytes({0xC1, 0x80})) == 1);
  CHECK(bytes_until(WsError::reserved_opcode, server, bytes({0x83, 0x80})) == 1);
  CHECK(bytes_until(WsError::control_fragmented, server, bytes({0x09, 0x80})) == 1);
  CHECK(bytes_until(WsError::continuation_stray, server, bytes({0x80, 0x80})) == 1);
  CHECK(bytes_until(WsError::continuation_missing, server, frame(Opcode::text, "", "first") + bytes({0x81, 0x80})) == 7);
  CHECK(bytes_until(WsError::mask_missing, server, bytes({0x81, 0x05, 0})) == 2);
  CHECK(bytes_until(WsError::mask_unexpected, Role::client, bytes({0x81, 0x85, 0})) == 2);
  CHECK(bytes_until(WsError::control_too_long, server, bytes({0x89, 0xFE, 0})) == 2);
  CHECK(bytes_until(WsError::close_payload, server, bytes({0x88, 0x81, 0})) == 2);
  CHECK(bytes_until(WsError::length_not_minimal, server, bytes({0x81, 0xFE, 0, 125, 0})) == 4);
  CHECK(bytes_until(WsError::length_not_minimal, server, bytes({0x81, 0xFF, 0, 0, 0, 0, 0, 0, 255, 255})) == 8);
  CHECK(bytes_until(WsError::length_too_large, server, bytes({0x81, 0xFF, 0x80, 0})) == 3);
  CHECK(bytes_until(WsError::message_too_big, server, bytes({0x81, 0xFE, 0x01, 0x01, 0}), 256) == 4);
  CHECK(bytes_until(WsError::message_too_big, server, bytes({0x81, 0xFE, 0x02, 0x00, 0}), 256) == 3);
  CHECK(bytes_until(WsError::message_too_big, server, bytes({0x81, 0xFF, 0, 0, 0, 0, 1})) == 7);
  CHECK(bytes_until(WsError::text_not_utf8, server, frame(Opcode::text, "ab\xFFyz")) == 9);
  CHECK(bytes_until(WsError::text_not_utf8, server, frame(Opcode::text, "ab\xE2")) == 9);
  CHECK(bytes_until(WsError::close_code, server,
                    frame(Opcode::close,
                          "\x03\xED"
                          "yz")) == 8);
  CHECK(bytes_until(WsError::close_reason, server,
                    frame(Opcode::close,
                          "\x03\xE8"
                          "a\xFFyz")) == 10);
}

TEST_CASE("ws_decoder: faults are found in frames that are there as a whole, too") {
  const auto error_of = [](std::string frames, std::uint64_t limit) {
    WsDecoder decoder(Role::server, limit);
    const std::vector<Seen> seen = feed(decoder, std::move(frames));
    return seen.size() == 1 ? seen[0].error : WsError::none;
  };
  const std::string zero_key(4, '\0');
  CHECK(error_of(bytes({0x82, 0xFE, 0, 125}) + zero_key + std::string(125, 'x'), mebibyte) == WsError::length_not_minimal);
  CHECK(error_of(bytes({0x82, 0xFF, 0, 0, 0, 0, 0, 0, 255, 255}) + zero_key + std::string(65535, 'x'), mebibyte) ==
        WsError::length_not_minimal);
  CHECK(error_of(frame(Opcode::binary, std::string(20, 'x')), 19) == WsError::message_too_big);
  CHECK(error_of(frame(Opcode::binary, std::string(300, 'x')), 299) == WsError::message_too_big);
  CHECK(error_of(frame(Opcode::binary, std::string(70'000, 'x')), 69'999) == WsError::message_too_big);
  CHECK(error_of(frame(Opcode::text, "ab\xFF"), mebibyte) == WsError::text_not_utf8);
  CHECK(error_of(plain_frame(Opcode::text, "Hello"), mebibyte) == WsError::mask_missing);
}

TEST_CASE("ws_decoder: an error stays and takes nothing more") {
  WsDecoder decoder(Role::server, mebibyte);
  CHECK(feed(decoder, bytes({0x83})) == std::vector<Seen>{{Type::error, "", 0, WsError::reserved_opcode}});
  std::string good = frame(Opcode::text, "good");
  std::span<char> rest(good);
  for (int i = 0; i < 3; ++i) {
    const WsEvent event = decoder.next(rest);
    CHECK(event.type == Type::error);
    CHECK(event.error == WsError::reserved_opcode);
    CHECK(rest.size() == good.size());
  }
}

TEST_CASE("ws_decoder: bytes behind a close are discarded") {
  WsDecoder decoder(Role::server, mebibyte);
  const std::string late = frame(Opcode::text, "late") + bytes({0xFF, 0xFF});
  CHECK(feed(decoder, frame(Opcode::close,
                            "\x03\xE9"
                            "bye") +
                          late) == std::vector<Seen>{{Type::close, "bye", 1001}});
  CHECK(feed(decoder, late).empty());
}

TEST_CASE("ws_decoder: a close in the middle of a message gives its memory back") {
  WsDecoder decoder(Role::server, mebibyte);
  const std::size_t before = allocated();
  CHECK(feed(decoder, frame(Opcode::binary, std::string(400'000, 'x'), "first")).empty());
  CHECK(feed(decoder, frame(Opcode::close, "")).size() == 1);
  CHECK(grown_from(before) < 1024);
}

TEST_CASE("ws_decoder: the limit holds for whole and fragmented messages, and counts from their start") {
  WsDecoder decoder(Role::server, 10);
  const Seen ten{Type::text, "1234567890"};
  CHECK(feed(decoder, frame(Opcode::text, "1234567890")) == std::vector{ten});
  CHECK(feed(decoder, frame(Opcode::text, "12345", "first") + frame(Opcode::continuation, "67890")) == std::vector{ten});
  CHECK(feed(decoder, frame(Opcode::text, "1234567890")) == std::vector{ten});
  CHECK(feed(decoder, frame(Opcode::text, "123456", "first")).empty());
  CHECK(feed(decoder, masked_header(Opcode::continuation, 5)).at(0).error == WsError::message_too_big);
}

TEST_CASE("ws_decoder: memory follows the bytes received, not the length announced") {
  const std::size_t before = allocated();
  {
    std::vector<WsDecoder> decoders;
    for (int i = 0; i < 1000; ++i) decoders.emplace_back(Role::server, std::uint64_t{1} << 62);
    for (WsDecoder& decoder : decoders)
      CHECK(feed(decoder, masked_header(Opcode::binary, std::uint64_t{1} << 40) + "ten bytes.").empty());
    CHECK(grown_from(before) < 1'000'000);
    CHECK(feed(decoders.front(), std::string(2'000'000, 'x')).empty());
    CHECK(grown_from(before) < 1'000'000 + 4'100'000);
  }
  CHECK(grown_from(before) < 4096);
}

TEST_CASE("ws_decoder: a million fragments of one byte") {
  WsDecoder decoder(Role::server, 2 * mebibyte);
  const std::size_t before = allocated();
  CHECK(feed(decoder, frame(Opcode::text, "a", "first")).empty());
  const std::string fragment = frame(Opcode::continuation, "b", "more to come");
  std::string thousand;
  for (int i = 0; i < 1000; ++i) thousand += fragment;
  for (int i = 0; i < 1000; ++i) CHECK(feed(decoder, thousand).empty());
  CHECK(grown_from(before) < 2'100'000 + thousand.size());
  CHECK(feed(decoder, frame(Opcode::continuation, "")) == std::vector<Seen>{{Type::text, "a" + std::string(1'000'000, 'b')}});
}

TEST_CASE("ws_decoder: a decoder can be moved in the middle of a message") {
  WsDecoder first(Role::server, mebibyte);
  CHECK(feed(first, frame(Opcode::text, "Hel", "first")).empty());
  WsDecoder second(std::move(first));
  WsDecoder third(Role::client, 0);
  third = std::move(second);
  CHECK(feed(third, frame(Opcode::continuation, "lo")) == std::vector<Seen>{{Type::text, "Hello"}});
}

TEST_CASE("ws_decoder: every error has a close code and a sentence of its own") {
  std::vector<std::string_view> sentences;
  for (int i = 1; i <= static_cast<int>(WsError::not_deflate); ++i) {
    const auto error = static_cast<WsError>(i);
    const bool is_about_data = error == WsError::text_not_utf8 || error == WsError::close_reason || error == WsError::not_deflate;
    CHECK(close_code(error) == (is_about_data ? 1007 : error == WsError::message_too_big ? 1009 : 1002));
    CHECK(message(error).ends_with('.'));
    sentences.push_back(message(error));
  }
  std::sort(sentences.begin(), sentences.end());
  CHECK(std::adjacent_find(sentences.begin(), sentences.end()) == sentences.end());
}

TEST_CASE("ws_decoder: random messages, fragmented and cut at random, come out as they went in") {
  std::mt19937 random(6455);
  const auto below = [&random](std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random); };
  for (int round = 0; round < 200; ++round) {
    std::string stream;
    std::vector<Seen> expected;
    for (std::size_t messages = 1 + below(5); messages > 0; --messages) {
      const bool is_text = below(2) == 0;
      std::string payload;
      for (std::size_t size = below(below(10) == 0 ? 100'000 : 300); payload.size() < size;)
        payload += is_text ? std::vector<std::string>{"a", "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x91\x8B"}[below(4)]
                           : std::string(1, static_cast<char>(below(256)));
      Opcode opcode = is_text ? Opcode::text : Opcode::binary;
      std::size_t at = 0;
      for (std::size_t fragments = below(4); fragments > 0; --fragments) {
        const std::size_t size = below(payload.size() - at + 1);
        stream += frame(std::exchange(opcode, Opcode::continuation), payload.substr(at, size), "more to come");
        at += size;
        const std::string ping(below(126), 'p');
        stream += frame(Opcode::ping, ping);
        expected.push_back({Type::ping, ping});
      }
      stream += frame(opcode, payload.substr(at));
      expected.push_back({is_text ? Type::text : Type::binary, payload});
    }
    WsDecoder decoder(Role::server, mebibyte);
    std::vector<Seen> seen;
    for (std::size_t at = 0, size = 0; at < stream.size(); at += size) {
      size = 1 + below(below(3) == 0 ? 20 : 20'000);
      for (Seen& event : feed(decoder, stream.substr(at, size))) seen.push_back(std::move(event));
    }
    REQUIRE(seen == expected);
  }
}
