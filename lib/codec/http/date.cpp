#include "codec/http/date.h"

#include <algorithm>
#include <chrono>
#include <tuple>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

constexpr std::string_view weekdays = "SunMonTueWedThuFriSat";
constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::string_view long_weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

constexpr std::time_t first_second = -62'167'219'200;  // of year 0
constexpr std::time_t last_second = 253'402'300'799;   // of year 9999

/// A time of the calendar, in UTC. The parts of one that was read are not yet checked together: the month may lack the day.
struct CalendarTime {
  int year = 0;
  int month = 0;  ///< 1 to 12
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int weekday = 0;  ///< 0 is Sunday; not read

  [[nodiscard]] int second_of_day() const { return (hour * 60 + minute) * 60 + second; }
  [[nodiscard]] auto in_order() const { return std::tuple(year, month, day, second_of_day()); }
};

/// A year that four digits cannot express becomes the nearest that they can.
CalendarTime calendar_time(std::time_t when) {
  using namespace std::chrono;
  const sys_seconds moment{seconds{std::clamp(when, first_second, last_second)}};
  const sys_days day = floor<days>(moment);
  const year_month_day date{day};
  const auto second = static_cast<int>((moment - day).count());
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          second / 3600,
          second / 60 % 60,
          second % 60,
          static_cast<int>(weekday{day}.c_encoding())};
}

/// The text of one letter of a layout, in `digits` if it is a number.
std::string_view part_of(const CalendarTime& time, char letter, std::array<char, 4>& digits) {
  const auto number = [&digits](int value, std::size_t size) {
    for (std::size_t i = size; i > 0; --i, value /= 10) digits[i - 1] = static_cast<char>('0' + value % 10);
    return std::string_view(digits.data(), size);
  };
  switch (letter) {
    case 'a': return weekdays.substr(static_cast<std::size_t>(time.weekday) * 3, 3);
    case 'b': return months.substr(static_cast<std::size_t>(time.month - 1) * 3, 3);
    case 'd': return number(time.day, 2);
    case 'm': return number(time.month, 2);
    case 'Y': return number(time.year, 4);
    case 'H': return number(time.hour, 2);
    case 'M': return number(time.minute, 2);
    case 'S': return number(time.second, 2);
    default: return {};
  }
}

template <class Put>
void print(std::time_t when, std::string_view layout, const Put& put) {
  const CalendarTime time = calendar_time(when);
  std::array<char, 4> digits{};
  for (std::size_t at = 0; at < layout.size(); ++at) {
    const std::size_t sign = std::min(layout.find('%', at), layout.size());
    put(layout.substr(at, sign - at));
    at = sign + 1;
    if (at < layout.size()) put(part_of(time, layout[at], digits));
  }
}

/// Takes one part after the other from the front of a text; false if something else stands there.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return text_.empty(); }

  bool literal(std::string_view expected) {
    if (!text_.starts_with(expected)) return false;
    text_.remove_prefix(expected.size());
    return true;
  }
  bool number(std::size_t digits, int& value) {
    if (text_.size() < digits) return false;
    value = 0;
    for (const char c : text_.substr(0, digits)) {
      if (!base::is_digit(c)) return false;
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(digits);
    return true;
  }
  bool month(int& value) {
    const std::size_t found = take_name(months);
    value = static_cast<int>(found / 3) + 1;
    return found != std::string_view::npos;
  }
  bool weekday() { return take_name(weekdays) != std::string_view::npos; }
  bool long_weekday() {
    return std::any_of(std::begin(long_weekdays), std::end(long_weekdays), [this](std::string_view name) { return literal(name); });
  }
  bool time(CalendarTime& date) {
    return number(2, date.hour) && literal(":") && number(2, date.minute) && literal(":") && number(2, date.second);
  }

 private:
  /// The place of the name that the next three characters begin; npos if there is none.
  std::size_t take_name(std::string_view names) {
    for (std::size_t at = 0; at < names.size(); at += 3)
      if (literal(names.substr(at, 3))) return at;
    return std::string_view::npos;
  }

  std::string_view text_;
};

/// "Sun, 06 Nov 1994 08:49:37 GMT"
bool read_fixdate(DateReader reader, CalendarTime& date) {
  return reader.weekday() && reader.literal(", ") && reader.number(2, date.day) && reader.literal(" ") &&
         reader.month(date.month) && reader.literal(" ") && reader.number(4, date.year) && reader.literal(" ") &&
         reader.time(date) && reader.literal(" GMT") && reader.at_end();
}

/// "Sunday, 06-Nov-94 08:49:37 GMT"
bool read_rfc850_date(DateReader reader, CalendarTime& date) {
  return reader.long_weekday() && reader.literal(", ") && reader.number(2, date.day) && reader.literal("-") &&
         reader.month(date.month) && reader.literal("-") && reader.number(2, date.year) && reader.literal(" ") &&
         reader.time(date) && reader.literal(" GMT") && reader.at_end();
}

/// "Sun Nov  6 08:49:37 1994"
bool read_asctime_date(DateReader reader, CalendarTime& date) {
  return reader.weekday() && reader.literal(" ") && reader.month(date.month) && reader.literal(" ") &&
         (reader.literal(" ") ? reader.number(1, date.day) : reader.number(2, date.day)) && reader.literal(" ") &&
         reader.time(date) && reader.literal(" ") && reader.number(4, date.year) && reader.at_end();
}

/// The latest year with those last two digits in which the date is no more than 50 years after `now`.
int full_year(const CalendarTime& date, std::time_t now) {
  CalendarTime fifty_years_on = calendar_time(now);
  fifty_years_on.year += 50;
  CalendarTime meant = date;
  meant.year = fifty_years_on.year / 100 * 100 + 100 + date.year;
  while (meant.in_order() > fifty_years_on.in_order()) meant.year -= 100;
  return meant.year;
}

/// nullopt for a day that the month does not have, or a time that the day does not have.
std::optional<std::time_t> seconds_of(const CalendarTime& date) {
  using namespace std::chrono;
  const year_month_day day{year{date.year}, month{static_cast<unsigned>(date.month)},
                           std::chrono::day{static_cast<unsigned>(date.day)}};
  const bool leap_second = date.hour == 23 && date.minute == 59 && date.second == 60;
  if (!day.ok() || date.hour > 23 || date.minute > 59 || (date.second > 59 && !leap_second)) return std::nullopt;
  return static_cast<std::time_t>((sys_days{day} + seconds{date.second_of_day()}).time_since_epoch().count());
}

}  // namespace

std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now) {
  CalendarTime date;
  const DateReader reader(text);
  if (read_fixdate(reader, date) || read_asctime_date(reader, date)) return seconds_of(date);
  if (!read_rfc850_date(reader, date)) return std::nullopt;
  date.year = full_year(date, now);
  return seconds_of(date);
}

HttpDate::HttpDate(std::time_t when) {
  std::size_t size = 0;
  print(when, "%a, %d %b %Y %H:%M:%S GMT", [&](std::string_view part) { size += part.copy(&text_[size], part.size()); });
}

void append_time(std::string& text, std::string_view layout, std::time_t when) {
  print(when, layout, [&text](std::string_view part) { text += part; });
}

}  // namespace wharf::codec
