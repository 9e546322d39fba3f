#pragma once
/// Texts of clients in responses: as JSON, and as UTF-8, which they may not be.

#include <cstddef>
#include <string>
#include <string_view>

namespace plugins {

/// The number of bytes of the code point at the front, 1 to 4; 0 if there is none (RFC 3629 section 4).
inline std::size_t code_point_size(std::string_view text) {
  const auto byte = [text](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return text.empty() ? 0 : 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const std::size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  const unsigned least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) return 0;
  for (std::size_t at = 2; at < size; ++at)
    if ((byte(at) & 0xC0) != 0x80) return 0;
  return size;
}

/// The text as UTF-8: each byte that belongs to no code point becomes U+FFFD.
inline std::string utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = code_point_size(text);
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
