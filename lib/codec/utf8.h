#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace wharf::codec {

/// Checks UTF-8 (RFC 3629) that arrives in pieces cut anywhere. Overlong forms, surrogates and code points above U+10FFFF are
/// refused at the first byte that makes the text impossible.
class Utf8 {
 public:
  /// False as soon as the text so far cannot become valid any more; sticky.
  [[nodiscard]] bool feed(std::string_view piece);
  /// Whether the text so far ends at the end of a code point (and is valid).
  [[nodiscard]] bool complete() const { return state_ == 0; }

 private:
  std::uint8_t state_ = 0;
};

[[nodiscard]] bool is_utf8_of_any_kind(std::string_view text);

/// Whether the whole text is valid UTF-8.
[[nodiscard]] inline bool is_utf8(std::string_view text) { return is_utf8_of_any_kind(text); }

/// The longest beginning of at most `most` bytes that does not end within a code point; at most 3 bytes less if it is no UTF-8.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t most);

}  // namespace wharf::codec
