#pragma once
/// Texts of clients in responses: as JSON, and as UTF-8, which they may not be.

#include <cstddef>
#include <string>
#include <string_view>

#include "wharf/utf8.hpp"

namespace plugins {

/// The text as UTF-8: each byte that belongs to no code point becomes U+FFFD.
inline std::string utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = wharf::utf8_code_point(text);
    valid += size != 0 ? text.substr(0, size) : std::string_view("\xEF\xBF\xBD");
    text.remove_prefix(size != 0 ? size : 1);
  }
  return valid;
}

/// A string of JSON with its quotes (RFC 8259 section 7), valid UTF-8 whatever the text is.
inline std::string json_string(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string json = "\"";
  for (const char c : utf8(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') (json += '\\') += c;
    else if (byte >= ' ' && byte != 0x7F) json += c;
    else ((json += "\\u00") += digits[byte >> 4U]) += digits[byte & 15U];
  }
  return json += '"';
}

/// Two digits for each byte.
inline std::string hexadecimal(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    (text += digits[byte >> 4U]) += digits[byte & 15U];
  }
  return text;
}

}  // namespace plugins
