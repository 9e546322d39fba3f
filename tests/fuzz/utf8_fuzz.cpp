#include "codec/utf8.h"

#include <cstdint>
#include <string_view>

#include "codec/variants.h"
#include "fuzz/promise.h"

// Input: one byte that says where to cut, then text. The checker, in each of its variants, agrees with a plain decoder, whole and
// cut, and refuses at the first byte that makes the text impossible.

namespace {

using wharf::codec::is_utf8;
using wharf::codec::long_text;
using wharf::codec::Utf8;
using wharf::codec::utf8_variants;
using wharf::codec::Utf8Variant;

/// The code point at the front by the bit patterns of RFC 3629 section 3, -1 if there is none; `size` is its size.
std::int32_t decode(std::string_view text, std::size_t& size) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  size = 1;
  if ((byte(0) & 0x80) == 0) return byte(0);
  size = (byte(0) & 0xE0) == 0xC0 ? 2 : (byte(0) & 0xF0) == 0xE0 ? 3 : (byte(0) & 0xF8) == 0xF0 ? 4 : 0;
  if (size == 0 || size > text.size()) return -1;
  std::int32_t value = byte(0) & (0x7F >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return -1;
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr std::int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  return value < least[size] || is_surrogate || value > 0x10FFFF ? -1 : value;
}

/// The number of bytes at the front that are whole, valid code points.
std::size_t valid_part(std::string_view text) {
  std::size_t at = 0;
  for (std::size_t size = 0; at < text.size(); at += size)
    if (decode(text.substr(at), size) < 0) break;
  return at;
}

/// Whether some continuation bytes would make a code point of the rest: tries the extremes of the next byte.
bool can_become_valid(std::string_view rest) {
  if (rest.empty()) return true;
  if (rest.size() > 3) return false;
  for (int next = 0x80; next <= 0xBF; next += 0x0F) {
    char tried[4] = {};
    for (std::size_t i = 0; i < 4; ++i) tried[i] = i < rest.size() ? rest[i] : static_cast<char>(i == rest.size() ? next : 0x80);
    for (std::size_t length = rest.size() + 1; length <= 4; ++length) {
      std::size_t size = 0;
      if (decode({tried, length}, size) >= 0 && size == length) return true;
    }
  }
  return false;
}

/// The variant agrees with the table, with the text whole and in pieces.
void compare(const Utf8Variant& variant, std::string_view text, std::size_t step) {
  const Utf8Variant& table = utf8_variants().back();
  for (const std::size_t size : {text.size(), step, step + long_text}) {
    std::uint8_t state = 0;
    std::uint8_t expected = 0;
    for (std::size_t at = 0; at < text.size(); at += size) {
      const std::string_view piece = text.substr(at, size);
      const bool possible = table.feed(expected, piece);
      const Utf8Variant& fit = piece.size() < long_text ? table : variant;
      require(fit.feed(state, piece) == possible, "every variant refuses the same piece");
      require(state == expected, "every variant ends in the same state");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t valid = valid_part(text);
  require(is_utf8(text) == (valid == text.size()), "whole text is judged as a plain decoder judges it");

  const bool possible = can_become_valid(text.substr(valid));
  Utf8 whole;
  require(whole.feed(text) == possible, "text is refused exactly when it cannot become valid");
  require(whole.complete() == (valid == text.size()), "complete at the end of a code point only");

  const std::size_t step = 1 + data[0];
  for (const Utf8Variant& variant : utf8_variants()) compare(variant, text, step);

  Utf8 cut;
  bool good = true;
  for (std::size_t at = 0; at < text.size(); at += step) {
    const std::string_view so_far = text.substr(0, at + step);
    const bool now = cut.feed(text.substr(at, step));
    require(good || !now, "a refusal stays");
    require(now == can_become_valid(so_far.substr(valid_part(so_far))),
            "a piece is refused exactly when it makes the text impossible");
    good = now;
    if (at > 1024) break;  // the plain decoder starts over for each piece
  }
  return 0;
}
