#include "codec/http_date.h"

#include <doctest/doctest.h>

#include <clocale>
#include <limits>
#include <string>

namespace {

std::string date(std::time_t when) { return std::string(wharf::codec::HttpDate(when).text()); }

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
  }
  std::setlocale(LC_TIME, before.c_str());
}
