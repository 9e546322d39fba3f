#include "codec/http_date.h"

#include <algorithm>
#include <chrono>

namespace wharf::codec {
namespace {

constexpr std::string_view weekdays = "SunMonTueWedThuFriSat";
constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";

constexpr std::time_t first_second = -62'167'219'200;  // of year 0
constexpr std::time_t last_second = 253'402'300'799;   // of year 9999

void put_number(char* at, unsigned value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

void put_name(char* at, std::string_view names, unsigned index) { names.substr(index * 3, 3).copy(at, 3); }

}  // namespace

/// A year that four digits can not tell is drawn to the nearest that they can.
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
