#include "codec/utf8.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace {

using wharf::codec::is_utf8;
using wharf::codec::Utf8;

std::string encoded(std::uint32_t code_point) {
  const auto later = [](std::uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0 | code_point >> 6), later(code_point)};
  if (code_point < 0x10000) return {static_cast<char>(0xE0 | code_point >> 12), later(code_point >> 6), later(code_point)};
  return {static_cast<char>(0xF0 | code_point >> 18), later(code_point >> 12), later(code_point >> 6), later(code_point)};
}

/// The index of the byte with which feed() says no, fed byte by byte; nothing when it never does.
std::optional<std::size_t> refused_at(std::string_view text) {
  Utf8 utf8;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!utf8.feed(text.substr(i, 1))) return i;
  return std::nullopt;
}

bool is_utf8_in_two(std::string_view text, std::size_t cut) {
  Utf8 utf8;
  const bool first = utf8.feed(text.substr(0, cut));
  const bool second = utf8.feed(text.substr(cut));
  CHECK((first || !second));
  return second && utf8.complete();
}

struct Refused {
  std::string text;
  std::size_t at;
};

}  // namespace

TEST_CASE("utf8: every code point, and no surrogate") {
  std::size_t wrong = 0;
  for (std::uint32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    const bool is_surrogate = code_point >= 0xD800 && code_point < 0xE000;
    if (is_utf8(encoded(code_point)) == is_surrogate) ++wrong;
  }
  CHECK(wrong == 0);
  for (std::uint32_t code_point = 0x110000; code_point < 0x1FFFFF; code_point += 0x1001) CHECK_FALSE(is_utf8(encoded(code_point)));
}

TEST_CASE("utf8: every pair and every triple of bytes is judged as RFC 3629 says") {
  // Valid texts of one to three bytes, counted from the grammar: 1: 128. 2: 128 * 128 + 30 * 64.
  // 3: 128^3 + 2 * 128 * 30 * 64 + (16 * 64 - 2 * 32) * 64.
  std::size_t pairs = 0;
  std::size_t triples = 0;
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const std::array<char, 2> two{static_cast<char>(a), static_cast<char>(b)};
      pairs += is_utf8({two.data(), 2});
      for (unsigned c = 0; c < 256; ++c) {
        const std::array<char, 3> three{static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
        triples += is_utf8({three.data(), 3});
      }
    }
  }
  CHECK(pairs == 128 * 128 + 30 * 64);
  CHECK(triples == 128 * 128 * 128 + 2 * 128 * 30 * 64 + (16 * 64 - 2 * 32) * 64);
}

TEST_CASE("utf8: a text is refused with the first byte that makes it impossible") {
  const std::vector<Refused> cases = {
      {"\x80", 0},
      {"\xBF", 0},
      {"\xC0\x80", 0},
      {"\xC1\xBF", 0},
      {"\xF5\x80\x80\x80", 0},
      {"\xFF", 0},
      {"\xC2 ", 1},
      {"\xC2\xC2", 1},
      {"\xE0\x9F\xBF", 1},
      {"\xE0\xA0 ", 2},
      {"\xED\xA0\x80", 1},
      {"\xED\x9F\xFF", 2},
      {"\xEE\x7F", 1},
      {"\xF0\x8F\xBF\xBF", 1},
      {"\xF0\x90\x80 ", 3},
      {"\xF1\x80 ", 2},
      {"\xF4\x90\x80\x80", 1},
      {"\xF4\x8F\xBF\xC0", 3},
      {"a\xE2\x82\xAC\x80", 4},
  };
  for (const Refused& refused : cases) {
    const std::string_view text = refused.text;
    CAPTURE(refused.text);
    CHECK(refused_at(text) == refused.at);
    CHECK_FALSE(is_utf8(text));
    Utf8 utf8;
    CHECK(utf8.feed(text.substr(0, refused.at)));
    CHECK_FALSE(utf8.feed(text.substr(refused.at)));
  }
}

TEST_CASE("utf8: a text that stops inside a code point is not refused, but not complete") {
  for (const std::string text :
       {"\xC2", "\xE0", "\xE0\xA0", "\xED\x9F", "\xF0", "\xF0\x90", "\xF0\x90\x80", "\xF4\x8F\xBF", "ab\xE2\x82"}) {
    Utf8 utf8;
    CHECK(utf8.feed(text));
    CHECK_FALSE(utf8.complete());
    CHECK_FALSE(is_utf8(text));
  }
  Utf8 utf8;
  CHECK(utf8.complete());
  CHECK(utf8.feed(""));
  CHECK(utf8.complete());
  CHECK(is_utf8(""));
  CHECK(is_utf8(std::string_view()));
}

TEST_CASE("utf8: a refusal stays") {
  Utf8 utf8;
  CHECK_FALSE(utf8.feed("\xFF"));
  CHECK_FALSE(utf8.complete());
  CHECK_FALSE(utf8.feed("plain"));
  CHECK_FALSE(utf8.feed(""));
  CHECK_FALSE(utf8.feed(std::string(200, 'a')));
  CHECK_FALSE(utf8.complete());
}

TEST_CASE("utf8: good and bad bytes are seen at every place of texts of every size") {
  for (std::size_t size = 1; size <= 150; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = '\xFF';
      CHECK_FALSE(is_utf8(text));
      text[at] = '\xC3';
      CHECK_FALSE(is_utf8(text));
      text.replace(at, 1, "\xC3\xA9");
      CHECK(is_utf8(text));
      text.replace(at, 2, "\xF0\x9F\x91\x8B");
      CHECK(is_utf8(text));
    }
  }
}

TEST_CASE("utf8: a cut at any place changes nothing") {
  std::string mixed;
  for (std::uint32_t code_point = 0; mixed.size() < 400; code_point = code_point * 3 % 0xD7FF + 1)
    (mixed += encoded(code_point)) += encoded(0x10000 + code_point);
  mixed += std::string(100, 'a') + "\xE2\x82\xAC";
  REQUIRE(is_utf8(mixed));
  std::string bad = mixed;
  bad[bad.size() - 2] = 'x';
  for (std::size_t cut = 0; cut <= mixed.size(); ++cut) {
    CHECK(is_utf8_in_two(mixed, cut));
    CHECK_FALSE(is_utf8_in_two(bad, cut));
  }
  CHECK_FALSE(refused_at(mixed));
  CHECK(refused_at(bad) == bad.size() - 2);
}
