#include "base/log.h"

#include <array>

namespace wharf::base {

std::string_view name_of(LogLevel level) {
  static constexpr std::array<std::string_view, 5> names{"quiet", "error", "warn", "info", "debug"};
  return names[static_cast<std::size_t>(level)];
}

/// A sink belongs to the program around the server; what it throws must not go through the loop.
void Log::hand_over(LogLevel level, const std::string& text) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    sink_(level, text);
  } catch (...) {  // there is nobody left to tell
  }
}

namespace {

/// The size of the well-formed code point at the front of `bytes` (not empty) if it can stand in a log line: neither a control
/// character of ASCII nor one of the C1 set. 0 where it can not.
std::size_t harmless_code_point(std::string_view bytes) {
  const auto byte = [bytes](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
  if (first < 0xC2 || first > 0xF4) return 0;
  const unsigned least = first == 0xC2 ? 0xA0 : first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) return 0;
  const std::size_t size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  for (std::size_t i = 2; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return size;
}

}  // namespace

std::string printable(std::string_view bytes, std::size_t most) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  std::string_view rest = bytes;
  while (!rest.empty() && bytes.size() - rest.size() < most) {
    const std::size_t size = harmless_code_point(rest);
    const auto byte = static_cast<unsigned char>(rest.front());
    if (size != 0) text += rest.substr(0, size);
    else ((text += "\\x") += digits[byte >> 4]) += digits[byte & 15];
    rest.remove_prefix(size != 0 ? size : 1);
  }
  if (!rest.empty()) text += "...";
  return text;
}

}  // namespace wharf::base
