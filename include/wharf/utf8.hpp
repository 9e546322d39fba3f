#pragma once
/// UTF-8 byte by byte (RFC 3629), for texts that nobody has checked: fields, queries and bodies. Text messages are valid.
///
///     while (!text.empty()) {
///       const std::size_t size = wharf::utf8_code_point(text);
///       valid += size != 0 ? text.substr(0, size) : "\xEF\xBF\xBD";  // U+FFFD
///       text.remove_prefix(size != 0 ? size : 1);
///     }

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wharf/hidden.hpp"

namespace WHARF_HIDDEN wharf {

/// Which bytes may come next. The ranges of a second byte that are narrower than 80-BF are those of RFC 3629 section 4.
enum class Utf8State : std::uint8_t {
  boundary,    ///< any first byte
  one_left,    ///< 80-BF
  two_left,    ///< 80-BF, then one_left
  three_left,  ///< 80-BF, then two_left
  after_e0,    ///< A0-BF, then one_left: less would be overlong
  after_ed,    ///< 80-9F, then one_left: more would be a surrogate
  after_f0,    ///< 90-BF, then two_left: less would be overlong
  after_f4,    ///< 80-8F, then two_left: more would lie above U+10FFFF
  impossible,  ///< stays
};

/// Whether a byte can only be the second, third or fourth of a code point.
[[nodiscard]] constexpr bool utf8_continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80; }

/// The state after one more byte. A text begins at a boundary, and is valid if it ends at one.
[[nodiscard]] constexpr Utf8State utf8_step(Utf8State state, char next) {
  const auto byte = static_cast<unsigned char>(next);
  const auto within = [byte](unsigned least, unsigned most, Utf8State then) {
    return byte >= least && byte <= most ? then : Utf8State::impossible;
  };
  switch (state) {
    case Utf8State::boundary: break;
    case Utf8State::one_left: return within(0x80, 0xBF, Utf8State::boundary);
    case Utf8State::two_left: return within(0x80, 0xBF, Utf8State::one_left);
    case Utf8State::three_left: return within(0x80, 0xBF, Utf8State::two_left);
    case Utf8State::after_e0: return within(0xA0, 0xBF, Utf8State::one_left);
    case Utf8State::after_ed: return within(0x80, 0x9F, Utf8State::one_left);
    case Utf8State::after_f0: return within(0x90, 0xBF, Utf8State::two_left);
    case Utf8State::after_f4: return within(0x80, 0x8F, Utf8State::two_left);
    default: return Utf8State::impossible;
  }
  if (byte < 0x80) return Utf8State::boundary;
  if (byte < 0xC2) return Utf8State::impossible;
  if (byte < 0xE0) return Utf8State::one_left;
  if (byte < 0xF0) return byte == 0xE0 ? Utf8State::after_e0 : byte == 0xED ? Utf8State::after_ed : Utf8State::two_left;
  if (byte < 0xF5) return byte == 0xF0 ? Utf8State::after_f0 : byte == 0xF4 ? Utf8State::after_f4 : Utf8State::three_left;
  return Utf8State::impossible;
}

/// The number of bytes that the code point still lacks; 0 if none has begun.
[[nodiscard]] constexpr std::size_t utf8_left(Utf8State state) {
  switch (state) {
    case Utf8State::one_left: return 1;
    case Utf8State::two_left:
    case Utf8State::after_e0:
    case Utf8State::after_ed: return 2;
    case Utf8State::three_left:
    case Utf8State::after_f0:
    case Utf8State::after_f4: return 3;
    default: return 0;
  }
}

/// The front of a text.
struct Utf8Front {
  std::size_t size = 0;  ///< bytes that were read; if they are a code point, all of its bytes
  Utf8State state = Utf8State::
      impossible;  ///< boundary: a code point; impossible: none, because of the last byte; otherwise the text ends within one
};

[[nodiscard]] constexpr Utf8Front utf8_front(std::string_view text) {
  Utf8Front front{0, Utf8State::boundary};
  while (front.size < text.size()) {
    front.state = utf8_step(front.state, text[front.size++]);
    if (front.state == Utf8State::boundary || front.state == Utf8State::impossible) break;
  }
  return front;
}

/// The number of bytes of the code point at the front, 1 to 4; 0 if there is none.
[[nodiscard]] constexpr std::size_t utf8_code_point(std::string_view text) {
  const Utf8Front front = utf8_front(text);
  return front.state == Utf8State::boundary ? front.size : 0;
}

}  // namespace wharf
