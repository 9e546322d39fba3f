#include "base/log.h"

#include <array>

namespace wharf::base {

std::string_view name_of(LogLevel level) {
  static constexpr std::array<std::string_view, 5> names{"quiet", "error", "warn", "info", "debug"};
  return names[static_cast<std::size_t>(level)];
}

std::string printable(std::string_view bytes, std::size_t most) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) ((text += "\\x") += digits[byte >> 4]) += digits[byte & 15];
    else text += c;
  }
  if (bytes.size() > most) text += "...";
  return text;
}

}  // namespace wharf::base
