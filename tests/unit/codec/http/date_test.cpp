#include "codec/http/date.h"

#include <doctest/doctest.h>

#include <clocale>
#include <cstdlib>
#include <limits>
#include <string>

namespace {

using wharf::codec::parse_http_date;

constexpr std::time_t in_1994 = 784'111'777;    // Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::time_t in_2024 = 1'709'208'000;  // Thu, 29 Feb 2024 12:00:00 GMT

std::string date(std::time_t when) { return std::string(wharf::codec::HttpDate(when).text()); }

std::string time_in(const char* layout, std::time_t when) {
  std::string text;
  wharf::codec::append_time(text, layout, when);
  return text;
}

}  // namespace

TEST_CASE("HttpDate writes the example of RFC 9110 section 5.6.7") { CHECK(date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"); }

TEST_CASE("HttpDate knows the ends of days, months and years, and leap years") {
  CHECK(date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(date(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
  CHECK(date(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(date(1709251199) == "Thu, 29 Feb 2024 23:59:59 GMT");
  CHECK(date(1709251200) == "Fri, 01 Mar 2024 00:00:00 GMT");
  CHECK(date(2147483648) == "Tue, 19 Jan 2038 03:14:08 GMT");
  CHECK(date(4107542399) == "Sun, 28 Feb 2100 23:59:59 GMT");
  CHECK(date(4107542400) == "Mon, 01 Mar 2100 00:00:00 GMT");
}

TEST_CASE("HttpDate has 29 characters for any time") {
  CHECK(date(253402300799) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(date(253402300800) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(date(std::numeric_limits<std::time_t>::max()) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(date(-62167219200) == "Sat, 01 Jan 0000 00:00:00 GMT");
  CHECK(date(std::numeric_limits<std::time_t>::min()) == "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST_CASE("HttpDate agrees with the C library in every month and on every weekday") {
  const std::string before = std::setlocale(LC_TIME, nullptr);
  REQUIRE(std::setlocale(LC_TIME, "C") != nullptr);
  for (std::time_t when = -1'000'000'000; when < 5'000'000'000; when += 2'345'679) {
    std::tm parts{};
    REQUIRE(gmtime_r(&when, &parts) != nullptr);
    char expected[32];
    REQUIRE(std::strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &parts) == 29);
    CHECK(date(when) == expected);
    REQUIRE(std::strftime(expected, sizeof expected, "%H:%M:%S, %a %Y-%m-%d (%b)", &parts) == 30);
    CHECK(time_in("%H:%M:%S, %a %Y-%m-%d (%b)", when) == expected);
  }
  std::setlocale(LC_TIME, before.c_str());
}

TEST_CASE("append_time appends, in any layout") {
  std::string text = "at ";
  wharf::codec::append_time(text, "[%d/%b/%Y:%H:%M:%S +0000]", in_1994);
  CHECK(text == "at [06/Nov/1994:08:49:37 +0000]");
  CHECK(time_in("", in_1994).empty());
  CHECK(time_in("%d", in_1994) == "06");
  CHECK(time_in("%d%m%a%b", in_1994) == "0611SunNov");
  CHECK(time_in("noon", in_1994) == "noon");
  CHECK(time_in("%Y-%m-%dT%H:%M:%SZ", 253402300800) == "9999-12-31T23:59:59Z");
  CHECK(time_in("%Y-%m-%dT%H:%M:%SZ", std::numeric_limits<std::time_t>::min()) == "0000-01-01T00:00:00Z");
}

TEST_CASE("parse_http_date reads the three forms of RFC 9110 section 5.6.7") {
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", in_2024) == in_1994);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", in_2024) == in_1994);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", in_2024) == in_1994);
  CHECK(parse_http_date("Sun Nov 06 08:49:37 1994", in_2024) == in_1994);
  CHECK(parse_http_date("Wed Nov 16 08:49:37 1994", in_2024) == in_1994 + 10 * 86400);
}

TEST_CASE("parse_http_date reads what HttpDate writes") {
  for (std::time_t when = -62'167'219'200; when <= 253'402'300'799; when += 987'654'321) {
    CAPTURE(when);
    CHECK(parse_http_date(date(when), 0) == when);
  }
  for (const std::time_t when : {std::time_t{-1}, std::time_t{0}, std::time_t{951'782'400}, std::time_t{253'402'300'799}})
    CHECK(parse_http_date(date(when), 0) == when);
}

TEST_CASE("parse_http_date knows every month and every weekday in all forms") {
  const std::string_view long_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  for (int day = 0; day < 365; ++day) {
    const std::time_t when = 1'735'689'600 + day * 86'400;  // of the year 2025, which began on a Wednesday
    const std::string fixdate = date(when);
    const std::string weekday(long_names[(3 + day) % 7]);
    const std::string day_of_month = fixdate.substr(5, 2);
    const std::string month = fixdate.substr(8, 3);
    CAPTURE(fixdate);
    REQUIRE(weekday.starts_with(fixdate.substr(0, 3)));
    CHECK(parse_http_date(fixdate, in_2024) == when);
    CHECK(parse_http_date(weekday + ", " + day_of_month + "-" + month + "-25 00:00:00 GMT", in_2024) == when);
    CHECK(parse_http_date(weekday.substr(0, 3) + " " + month + " " + day_of_month + " 00:00:00 2025", in_2024) == when);
  }
}

TEST_CASE("parse_http_date takes no day that the month has not") {
  CHECK(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT", 0) == 1'709'164'800);
  CHECK(parse_http_date("Tue, 29 Feb 2000 00:00:00 GMT", 0) == 951'782'400);
  for (const std::string_view day : {"00 Jan 2024", "32 Jan 2024", "30 Feb 2024", "29 Feb 2023", "29 Feb 1900", "29 Feb 2100",
                                     "31 Apr 2024", "31 Jun 2024", "31 Sep 2024", "31 Nov 2024", "99 Dec 2024"}) {
    CAPTURE(day);
    CHECK_FALSE(parse_http_date("Mon, " + std::string(day) + " 00:00:00 GMT", 0).has_value());
  }
}

TEST_CASE("parse_http_date takes no time that the day has not, but a leap second at its end") {
  const auto at = [](const std::string& time) { return parse_http_date("Sat, 31 Dec 2016 " + time + " GMT", 0); };
  CHECK(at("23:59:59") == 1'483'228'799);
  CHECK(at("23:59:60") == 1'483'228'800);
  CHECK(at("00:00:00") == 1'483'142'400);
  for (const char* time : {"24:00:00", "23:60:00", "23:59:61", "23:58:60", "22:59:60", "00:00:60", "99:99:99"}) {
    CAPTURE(time);
    CHECK_FALSE(at(time).has_value());
  }
}

TEST_CASE("a year of two digits is the latest no more than 50 years from now") {
  const auto year_94 = [](std::time_t now) { return parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now); };
  const std::time_t in_2044 = *parse_http_date("Sun, 06 Nov 2044 08:49:37 GMT", 0);
  const std::time_t in_2094 = *parse_http_date("Sat, 06 Nov 2094 08:49:37 GMT", 0);
  CHECK(year_94(in_2024) == in_1994);
  CHECK(year_94(in_1994) == in_1994);
  CHECK(year_94(in_1994 - 1) == in_1994);
  CHECK(year_94(in_2044 - 1) == in_1994);  // one second more than 50 years ahead
  CHECK(year_94(in_2044) == in_2094);      // 50 years ahead to the second
  CHECK(year_94(in_2094) == in_2094);
  const auto last_day_of = [](const char* digits, std::time_t now) {
    return parse_http_date("Monday, 31-Dec-" + std::string(digits) + " 23:59:59 GMT", now);
  };
  CHECK(last_day_of("99", in_2024) == *parse_http_date("Fri, 31 Dec 1999 23:59:59 GMT", 0));
  CHECK(last_day_of("00", in_2024) == *parse_http_date("Sun, 31 Dec 2000 23:59:59 GMT", 0));
  CHECK(last_day_of("73", in_2024) == *parse_http_date("Sun, 31 Dec 2073 23:59:59 GMT", 0));
  CHECK(last_day_of("74", in_2024) == *parse_http_date("Mon, 31 Dec 1974 23:59:59 GMT", 0));
  CHECK(last_day_of("05", 4'000'000'000) == *parse_http_date("Thu, 31 Dec 2105 23:59:59 GMT", 0));  // of 2096
}

TEST_CASE("the day of a two-digit year is that of the year it turns out to be") {
  CHECK(parse_http_date("Tuesday, 29-Feb-00 00:00:00 GMT", in_2024) == 951'782'400);
  CHECK_FALSE(parse_http_date("Monday, 29-Feb-00 00:00:00 GMT", *parse_http_date("Sat, 01 Jan 2095 00:00:00 GMT", 0)).has_value());
  CHECK(parse_http_date("Thursday, 29-Feb-24 12:00:00 GMT", in_2024) == in_2024);
}

TEST_CASE("a clock of any time is taken") {
  for (const std::time_t now : {std::numeric_limits<std::time_t>::min(), std::numeric_limits<std::time_t>::max()})
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now).has_value());
}

TEST_CASE("the weekday is a name that is not held against the date") {
  CHECK(parse_http_date("Mon, 06 Nov 1994 08:49:37 GMT", 0) == in_1994);
  CHECK(parse_http_date("Saturday, 06-Nov-94 08:49:37 GMT", in_2024) == in_1994);
  CHECK(parse_http_date("Tue Nov  6 08:49:37 1994", 0) == in_1994);
}

TEST_CASE("parse_http_date takes nothing else") {
  for (const std::string_view text : {"",
                                      "0",
                                      "784111777",
                                      "1994-11-06T08:49:37Z",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 06 Nov 1994 08:49:37 gmt",
                                      "Sun, 06 Nov 1994 08:49:37 +0000",
                                      "Sun, 06 Nov 1994 08:49:37 GMT ",
                                      " Sun, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
                                      "sun, 06 Nov 1994 08:49:37 GMT",
                                      "SUN, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "Sun, 06 NOV 1994 08:49:37 GMT",
                                      "Sxx, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nxx 1994 08:49:37 GMT",
                                      "Sun, 06 ovD 1994 08:49:37 GMT",
                                      "unM, 06 Nov 1994 08:49:37 GMT",
                                      "06 Nov 1994 08:49:37 GMT",
                                      "Sunday, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 006 Nov 1994 08:49:37 GMT",
                                      "Sun,  6 Nov 1994 08:49:37 GMT",
                                      "Sun,06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06  Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 94 08:49:37 GMT",
                                      "Sun, 06 Nov 01994 08:49:37 GMT",
                                      "Sun, 06 Nov -994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 8:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49 GMT",
                                      "Sun, 06 Nov 1994 08.49.37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37.0 GMT",
                                      "Sun, 06 Nov 1994 +8:49:37 GMT",
                                      "Sun, 06-Nov-94 08:49:37 GMT",
                                      "Sunday, 06-Nov-1994 08:49:37 GMT",
                                      "Sunday, 6-Nov-94 08:49:37 GMT",
                                      "Sunday 06-Nov-94 08:49:37 GMT",
                                      "Sunday, 06-Nov-94 08:49:37",
                                      "Sunday, 06-Nov-94 08:49:37 GMT ",
                                      "Sunday, 31-Feb-94 08:49:37 GMT",
                                      "Sunday, 06-Nov-94 24:49:37 GMT",
                                      "Sun Nov 6 08:49:37 1994",
                                      "Sun Nov   6 08:49:37 1994",
                                      "Sun Nov 32 08:49:37 1994",
                                      "Sun Nov  0 08:49:37 1994",
                                      "Sun Nov  6 08:49:37 1994 GMT",
                                      "Sun Nov  6 08:49:37 94",
                                      "Sunday Nov  6 08:49:37 1994",
                                      "Sun, Nov  6 08:49:37 1994"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text, in_2024).has_value());
  }
}

TEST_CASE("parse_http_date takes no date that is cut") {
  const std::string whole[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
  for (const std::string& text : whole) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      const std::string cut(text, 0, size);  // of its own, so that a read beyond it shows
      CAPTURE(cut);
      CHECK_FALSE(parse_http_date(cut, in_2024).has_value());
    }
  }
}

TEST_CASE("parse_http_date does not ask for the time zone") {
  const char* const found = std::getenv("TZ");
  const std::string before = found == nullptr ? "" : found;
  REQUIRE(setenv("TZ", "Pacific/Auckland", 1) == 0);
  tzset();
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", in_2024) == in_1994);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", in_2024) == in_1994);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", in_2024) == in_1994);
  if (found == nullptr) unsetenv("TZ");
  else setenv("TZ", before.c_str(), 1);
  tzset();
}
