#pragma once
#include <array>
#include <ctime>
#include <optional>
#include <string>
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

/// Appends a time in UTC in a layout of strftime(), as in the C locale, with these letters: %a %b %d %m %Y %H %M %S. A year that
/// four digits cannot express becomes the nearest that they can, here and in an HttpDate.
void append_time(std::string& text, std::string_view layout, std::time_t when);

/// Reads an HTTP-date (RFC 9110 section 5.6.7) in any of its three forms: IMF-fixdate, the RFC 850 form and that of asctime().
/// Seconds since 1970, or nullopt for anything else. Strict: case, spaces, digits, a day that the month has, a time that the day
/// has; a leap second (only 23:59:60) is the first second of the next day. The name of the weekday has to be one, but is not
/// compared with the date. A year of two digits is the latest that lies no more than 50 years after `now`. Independent of locale
/// and time zone.
std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now);

}  // namespace wharf::codec
