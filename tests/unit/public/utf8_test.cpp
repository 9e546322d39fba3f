#include "wharf/utf8.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "unit/code_points.h"

namespace {

using wharf::utf8_code_point;
using wharf::utf8_continues;
using wharf::utf8_front;
using wharf::utf8_left;
using wharf::utf8_step;
using wharf::Utf8State;

bool is_surrogate(std::uint32_t code_point) { return code_point >= 0xD800 && code_point <= 0xDFFF; }

}  // namespace

TEST_CASE("utf8: each code point, and no surrogate") {
  bool are_right = true;
  for (std::uint32_t each = 0; each <= 0x10FFFF; ++each) {
    const std::string bytes = encoded(each);
    are_right = are_right && utf8_code_point(bytes + "\x80") == (is_surrogate(each) ? 0 : bytes.size());
  }
  CHECK(are_right);
}

TEST_CASE("utf8: what is no code point") {
  CHECK(utf8_code_point("") == 0);
  CHECK(utf8_code_point(std::string_view("\0", 1)) == 1);
  for (const std::string_view none :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xE2\x82", "\xE2\x28\xA1", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF0\x9F\x91", "\xF0\x9F\x91(", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CAPTURE(none.size());
    CHECK(utf8_code_point(none) == 0);
  }
}

TEST_CASE("utf8: the front tells what is wrong from what is not complete") {
  const auto front = [](std::string_view text, std::size_t size, Utf8State state) {
    return utf8_front(text).size == size && utf8_front(text).state == state;
  };
  CHECK(front("", 0, Utf8State::boundary));
  CHECK(front("ab", 1, Utf8State::boundary));
  CHECK(front("\xE2\x82\xAC\xE2", 3, Utf8State::boundary));
  CHECK(front("\xE2\x82", 2, Utf8State::one_left));
  CHECK(front("\xF4", 1, Utf8State::after_f4));
  CHECK(front("\xE2(\x80", 2, Utf8State::impossible));
  CHECK(front("\xFFx", 1, Utf8State::impossible));
}

TEST_CASE("utf8: how many bytes are left") {
  for (const std::string_view text : {"a", "\xC3\xA4", "\xE0\xA0\x80", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xF0\x90\x80\x80",
                                      "\xF1\x80\x80\x80", "\xF4\x8F\xBF\xBF"})
    for (std::size_t size = 1; size <= text.size(); ++size)
      CHECK(utf8_left(utf8_front(text.substr(0, size)).state) == text.size() - size);
  CHECK(utf8_left(Utf8State::impossible) == 0);
}

TEST_CASE("utf8: what is impossible stays so") {
  for (int byte = 0; byte < 256; ++byte) {
    CHECK(utf8_step(Utf8State::impossible, static_cast<char>(byte)) == Utf8State::impossible);
    CHECK(utf8_continues(static_cast<char>(byte)) == (byte >= 0x80 && byte <= 0xBF));
  }
}

TEST_CASE("utf8: it can be asked at compile time") {
  static_assert(utf8_code_point("\xF0\x9F\x91\x8B") == 4);
  static_assert(utf8_code_point("\xED\xA0\x80") == 0);
}
