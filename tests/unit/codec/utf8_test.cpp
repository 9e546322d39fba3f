#include "codec/utf8.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "codec/variants.h"
#include "unit/code_points.h"

namespace {

using wharf::codec::is_utf8;
using wharf::codec::long_text;
using wharf::codec::Utf8;
using wharf::codec::utf8_variants;
using wharf::codec::Utf8Variant;

/// The index of the byte at which feed() refuses, fed byte by byte; nothing if it never does.
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

struct Verdict {
  std::size_t refused_at = never;
  bool is_complete = false;

  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
  bool operator==(const Verdict&) const = default;
};

/// What RFC 3629 section 4 says, byte by byte.
Verdict judge(std::string_view text) {
  unsigned least = 0x80;
  unsigned most = 0xBF;
  unsigned due = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned byte = static_cast<unsigned char>(text[i]);
    if (due > 0) {
      if (byte < least || byte > most) return {i, false};
      --due;
      least = 0x80;
      most = 0xBF;
    } else if (byte >= 0x80) {
      if (byte < 0xC2 || byte > 0xF4) return {i, false};
      due = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      least = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
      most = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
    }
  }
  return {Verdict::never, due == 0};
}

/// The variant, if the piece is long enough for it.
bool feed(const Utf8Variant& variant, std::uint8_t& state, std::string_view piece) {
  return (piece.size() < long_text ? utf8_variants().back() : variant).feed(state, piece);
}

/// Whether the variant is right about a text in two pieces.
bool agrees(const Utf8Variant& variant, std::string_view text, std::size_t cut, const Verdict& verdict) {
  std::uint8_t state = 0;
  const bool first = feed(variant, state, text.substr(0, cut));
  const bool second = feed(variant, state, text.substr(cut));
  return first == (verdict.refused_at >= cut) && second == (verdict.refused_at == Verdict::never) &&
         (state == 0) == verdict.is_complete;
}

std::string ascii(std::size_t size) { return std::string(size, 'a'); }

std::string of_many_bytes(std::size_t size) {
  std::string text;
  while (text.size() + 9 <= size) text += "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x91\x8B";
  if (text.size() + 4 <= size) text += "\xF4\x8F\xBF\xBF";
  if (text.size() + 3 <= size) text += "\xED\x9F\xBF";
  if (text.size() + 2 <= size) text += "\xDF\xBF";
  return text += ascii(size - text.size());
}

// The bytes at the bounds of the ranges of UTF-8.
constexpr std::array<unsigned char, 24> edges = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                                 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};

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

TEST_CASE("utf8: every variant judges all pairs of bytes, whatever follows, as RFC 3629 says") {
  constexpr std::size_t at = 17;
  std::string text = ascii(60);
  for (const Utf8Variant& variant : utf8_variants()) {
    CAPTURE(variant.name);
    std::size_t wrong = 0;
    for (unsigned pair = 0; pair < 65536; ++pair) {
      text[at] = static_cast<char>(pair >> 8);
      text[at + 1] = static_cast<char>(pair & 0xFF);
      for (const char third : {'\x00', '\x7F', '\x80', '\x8F', '\x90', '\xBF', '\xC2', '\xFF'}) {
        text[at + 2] = third;
        const std::string_view odd = std::string_view(text).substr(at, 4);
        std::uint8_t state = 0;
        if (variant.feed(state, text) != (judge(odd).refused_at == Verdict::never)) ++wrong;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("utf8: every variant judges four bytes of every kind as RFC 3629 says, wherever they stand") {
  constexpr std::size_t places = 71;
  constexpr std::size_t size = 75;
  std::vector<std::string> texts;  // of ASCII and of more by turns, for each place
  for (std::size_t place = 0; place < places; ++place)
    for (const auto fill : {ascii, of_many_bytes}) texts.push_back(fill(place) + "1234" + fill(size - place - 4));
  for (const Utf8Variant& variant : utf8_variants()) {
    CAPTURE(variant.name);
    std::size_t wrong = 0;
    for (std::size_t kind = 0; kind < edges.size() * edges.size() * edges.size() * edges.size(); ++kind) {
      std::string& text = texts[kind % texts.size()];
      const std::size_t place = kind % texts.size() / 2;
      std::size_t left = kind;
      for (std::size_t i = 0; i < 4; ++i, left /= edges.size()) text[place + i] = static_cast<char>(edges[left % edges.size()]);
      std::uint8_t state = 0;
      // The text before is complete, and the text after begins with a first byte.
      const bool is_valid = judge(std::string_view(text).substr(place, 5)).refused_at == Verdict::never;
      if (variant.feed(state, text) != is_valid || (state == 0) != is_valid) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("utf8: every variant says the same of a text cut anywhere, with something odd at every place") {
  const std::vector<std::string> odds = {
      "a",
      "\xC3\xA9",
      "\xE0\xA0\x80",
      "\xED\x9F\xBF",
      "\xF0\x90\x80\x80",
      "\xF4\x8F\xBF\xBF",
      "\x80",
      "\xC0",
      "\xC1\xBF",
      "\xC3",
      "\xC3\xC3\xA9",
      "\xC3\xA9\x80",
      "\xE0\x9F\xBF",
      "\xE2",
      "\xE2\x82",
      "\xE2\x82\xAC\x80",
      "\xED\xA0\x80",
      "\xF0",
      "\xF0\x8F\xBF\xBF",
      "\xF0\x9F\x91",
      "\xF0\x9F\x91\x8B\x80",
      "\xF4\x90\x80\x80",
      "\xF5",
      "\xFF",
  };
  for (const std::string& odd : odds) {
    std::size_t wrong = 0;
    for (std::size_t place = 0; place <= 70; ++place) {
      for (const auto fill : {ascii, of_many_bytes}) {
        const std::string text = fill(place) + odd + fill(70 - place);
        const Verdict verdict = judge(text);
        for (const Utf8Variant& variant : utf8_variants())
          for (std::size_t cut = 0; cut <= text.size(); ++cut) wrong += !agrees(variant, text, cut, verdict);
      }
    }
    CAPTURE(odd);
    CHECK(wrong == 0);
  }
}

TEST_CASE("utf8: every variant sees the end of a long text, whatever its size") {
  const std::string text = of_many_bytes(400);
  for (const Utf8Variant& variant : utf8_variants()) {
    CAPTURE(variant.name);
    for (std::size_t from = 0; from < 40; ++from) {
      for (std::size_t size = long_text; from + size <= text.size(); ++size) {
        const std::string_view part = std::string_view(text).substr(from, size);
        const Verdict verdict = judge(part);
        std::uint8_t state = 0;
        const bool is_possible = variant.feed(state, part);
        if (is_possible != (verdict.refused_at == Verdict::never) || (state == 0) != verdict.is_complete)
          FAIL_CHECK(from << " " << size);
      }
    }
  }
}

TEST_CASE("utf8: a text that is refused stays refused in every variant") {
  for (const Utf8Variant& variant : utf8_variants()) {
    CAPTURE(variant.name);
    std::uint8_t state = 0;
    CHECK_FALSE(variant.feed(state, ascii(50) + "\xFF" + ascii(50)));
    CHECK_FALSE(variant.feed(state, ascii(50)));
    CHECK_FALSE(variant.feed(state, of_many_bytes(100)));
    CHECK(state != 0);
  }
}

TEST_CASE("utf8: the last variant is the one that every machine has") { CHECK(utf8_variants().back().name == "table"); }

TEST_CASE("utf8_prefix cuts no code point") {
  using wharf::codec::utf8_prefix;
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x91\x8Bz";
  const std::array<std::size_t, 12> sizes = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
  for (std::size_t most = 0; most < sizes.size(); ++most) {
    CAPTURE(most);
    CHECK(utf8_prefix(text, most) == text.substr(0, sizes[most]));
  }
  CHECK(utf8_prefix(text, 1000) == text);
  CHECK(utf8_prefix("", 0).empty());
  CHECK(utf8_prefix(std::string(9, '\x80'), 8).size() == 5);
  CHECK(utf8_prefix(std::string(9, '\x80'), 2).empty());
}
