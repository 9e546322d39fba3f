#pragma once
#include <array>
#include <ctime>
#include <string_view>

namespace wharf::codec {

/// An IMF-fixdate (RFC 9110 section 5.6.7), always 29 characters: "Sun, 06 Nov 1994 08:49:37 GMT". Independent of the locale.
class HttpDate {
 public:
  explicit HttpDate(std::time_t when);
  [[nodiscard]] std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  std::array<char, 29> text_;
};

}  // namespace wharf::codec
