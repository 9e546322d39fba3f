#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace wharf::codec {

/// Checks UTF-8 (RFC 3629) that arrives in pieces cut anywhere. Overlong forms, surrogates and what lies above U+10FFFF are refused
/// with the first byte that makes the text impossible.
class Utf8 {
 public:
  /// False as soon as the text so far can not become valid any more; sticky.
  [[nodiscard]] bool feed(std::string_view piece);
  /// Whether the text so far ends at the end of a code point (and is valid).
  [[nodiscard]] bool complete() const { return state_ == 0; }

 private:
  std::uint8_t state_ = 0;
};

/// is_utf8() without the short cut.
[[nodiscard]] bool is_utf8_of_any_kind(std::string_view text);

/// Whether the whole text is valid UTF-8. Short ASCII, which most messages are, is seen to be so without a call.
[[nodiscard]] inline bool is_utf8(std::string_view text) {
  constexpr std::size_t word = sizeof(std::uint64_t);
  if (text.size() < word || text.size() > 4 * word) return is_utf8_of_any_kind(text);
  const std::size_t last = text.size() - word;
  const auto load = [&text, last](std::size_t at) {  // words overlap where the text is shorter than four
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + (at < last ? at : last), word);
    return bytes;
  };
  const std::uint64_t any = load(0) | load(word) | load(2 * word) | load(last);
  return (any & 0x8080808080808080) == 0 || is_utf8_of_any_kind(text);
}

}  // namespace wharf::codec
