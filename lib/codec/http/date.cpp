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

void put_number(char* at, unsigned value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

void put_name(char* at, std::string_view names, unsigned index) { names.substr(index * 3, 3).copy(at, 3); }

/// The parts of a date as they were written, not yet checked together.
struct Written {
  int year = 0;
  int month = 0;  ///< 1 to 12
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;

  [[nodiscard]] int second_of_day() const { return (hour * 60 + minute) * 60 + second; }
};

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
  bool time(Written& date) {
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
bool read_fixdate(DateReader reader, Written& date) {
  return reader.weekday() && reader.literal(", ") && reader.number(2, date.day) && reader.literal(" ") &&
         reader.month(date.month) && reader.literal(" ") && reader.number(4, date.year) && reader.literal(" ") &&
         reader.time(date) && reader.literal(" GMT") && reader.at_end();
}

/// "Sunday, 06-Nov-94 08:49:37 GMT"
bool read_rfc850_date(DateReader reader, Written& date) {
  return reader.long_weekday() && reader.literal(", ") && reader.number(2, date.day) && reader.literal("-") &&
         reader.month(date.month) && reader.literal("-") && reader.number(2, date.year) && reader.literal(" ") &&
         reader.time(date) && reader.literal(" GMT") && reader.at_end();
}

/// "Sun Nov  6 08:49:37 1994"
bool read_asctime_date(DateReader reader, Written& date) {
  return reader.weekday() && reader.literal(" ") && reader.month(date.month) && reader.literal(" ") &&
         (reader.literal(" ") ? reader.number(1, date.day) : reader.number(2, date.day)) && reader.literal(" ") &&
         reader.time(date) && reader.literal(" ") && reader.number(4, date.year) && reader.at_end();
}

/// The latest year with those last two digits in which the date is no more than 50 years after `now`.
int full_year(const Written& date, std::time_t now) {
  using namespace std::chrono;
  const sys_seconds moment{seconds{std::clamp(now, first_second, last_second)}};
  const sys_days day = floor<days>(moment);
  const year_month_day today{day};
  const int this_year = static_cast<int>(today.year());
  const auto fifty_years_on = std::tuple(this_year + 50, static_cast<int>(static_cast<unsigned>(today.month())),
                                         static_cast<int>(static_cast<unsigned>(today.day())), (moment - day).count());
  int year = this_year - this_year % 100 + 100 + date.year;
  while (std::tuple(year, date.month, date.day, date.second_of_day()) > fifty_years_on) year -= 100;
  return year;
}

/// nullopt for a day that the month does not have, or a time that the day does not have.
std::optional<std::time_t> seconds_of(const Written& date) {
  using namespace std::chrono;
  const year_month_day day{year{date.year}, month{static_cast<unsigned>(date.month)},
                           std::chrono::day{static_cast<unsigned>(date.day)}};
  const bool leap_second = date.hour == 23 && date.minute == 59 && date.second == 60;
  if (!day.ok() || date.hour > 23 || date.minute > 59 || (date.second > 59 && !leap_second)) return std::nullopt;
  return static_cast<std::time_t>((sys_days{day} + seconds{date.second_of_day()}).time_since_epoch().count());
}

}  // namespace

std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now) {
  Written date;
  const DateReader reader(text);
  if (read_fixdate(reader, date) || read_asctime_date(reader, date)) return seconds_of(date);
  if (!read_rfc850_date(reader, date)) return std::nullopt;
  date.year = full_year(date, now);
  return seconds_of(date);
}

/// A year that four digits cannot express becomes the nearest that they can.
HttpDate::HttpDate(std::time_t when) {
  using namespace std::chrono;
  const sys_seconds moment{seconds{std::clamp(when, first_second, last_second)}};
  const sys_days day = floor<days>(moment);
  const year_month_day date{day};
  const hh_mm_ss<seconds> time{moment - day};

  std::string_view("DDD, 00 MMM 0000 00:00:00 GMT").copy(text_.data(), text_.size());
  put_name(&text_[0], weekdays, weekday{day}.c_encoding());
  put_number(&text_[5], static_cast<unsigned>(date.day()), 2);
  put_name(&text_[8], months, static_cast<unsigned>(date.month()) - 1);
  put_number(&text_[12], static_cast<unsigned>(static_cast<int>(date.year())), 4);
  put_number(&text_[17], static_cast<unsigned>(time.hours().count()), 2);
  put_number(&text_[20], static_cast<unsigned>(time.minutes().count()), 2);
  put_number(&text_[23], static_cast<unsigned>(time.seconds().count()), 2);
}

}  // namespace wharf::codec
