#include "codec/http/range.h"

#include <doctest/doctest.h>

#include <limits>

using wharf::codec::ByteRange;
using wharf::codec::content_range;
using wharf::codec::RangeAnswer;
using wharf::codec::RangeLimits;
using wharf::codec::resolve_ranges;
using wharf::codec::unsatisfied_range;

namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

/// "whole", "unsatisfiable", or the ranges: "0-9 20-29".
std::string resolved(std::string_view field, std::uint64_t size, const RangeLimits& limits = {}) {
  const RangeAnswer answer = resolve_ranges(field, size, limits);
  CHECK(answer.ranges.empty() == (answer.kind != RangeAnswer::Kind::partial));
  if (answer.kind == RangeAnswer::Kind::whole) return "whole";
  if (answer.kind == RangeAnswer::Kind::unsatisfiable) return "unsatisfiable";
  std::string text;
  for (const ByteRange& range : answer.ranges)
    text += (text.empty() ? "" : " ") + std::to_string(range.first) + "-" + std::to_string(range.last);
  return text;
}

/// "bytes=0-0,2-2,4-4,..."
std::string single_bytes(int count) {
  std::string field = "bytes=";
  for (int i = 0; i < count; ++i) field += (i > 0 ? "," : "") + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  return field;
}

}  // namespace

TEST_CASE("the examples of RFC 9110 section 14.1.2") {
  CHECK(resolved("bytes=0-499", 10000) == "0-499");
  CHECK(resolved("bytes=500-999", 10000) == "500-999");
  CHECK(resolved("bytes=-500", 10000) == "9500-9999");
  CHECK(resolved("bytes=9500-", 10000) == "9500-9999");
  CHECK(resolved("bytes=0-0,-1", 10000) == "0-0 9999-9999");
  CHECK(resolved("bytes= 0-999, 4500-5499, -1000", 10000) == "0-999 4500-5499 9000-9999");
  CHECK(resolved("bytes=500-600,601-999", 10000) == "500-999");
  CHECK(resolved("bytes=500-700,601-999", 10000) == "500-999");
}

TEST_CASE("a range ends with the representation") {
  CHECK(resolved("bytes=0-", 10) == "0-9");
  CHECK(resolved("bytes=0-9", 10) == "0-9");
  CHECK(resolved("bytes=0-10", 10) == "0-9");
  CHECK(resolved("bytes=9-9", 10) == "9-9");
  CHECK(resolved("bytes=9-1000", 10) == "9-9");
  CHECK(resolved("bytes=-10", 10) == "0-9");
  CHECK(resolved("bytes=-11", 10) == "0-9");
  CHECK(resolved("bytes=-1", 10) == "9-9");
  CHECK(resolved("bytes=0-0", 1) == "0-0");
}

TEST_CASE("a range behind the end, and a suffix of no bytes, cannot be satisfied") {
  CHECK(resolved("bytes=10-", 10) == "unsatisfiable");
  CHECK(resolved("bytes=10-10", 10) == "unsatisfiable");
  CHECK(resolved("bytes=11-20,30-40", 10) == "unsatisfiable");
  CHECK(resolved("bytes=-0", 10) == "unsatisfiable");
  CHECK(resolved("bytes=-000", 10) == "unsatisfiable");
  CHECK(resolved("bytes=-0,10-", 10) == "unsatisfiable");
}

TEST_CASE("a range that cannot be satisfied is left out if another can") {
  CHECK(resolved("bytes=10-,0-1", 10) == "0-1");
  CHECK(resolved("bytes=-0,2-3,100-200", 10) == "2-3");
}

TEST_CASE("of an empty representation a suffix is all, and all else is nothing") {
  CHECK(resolved("bytes=0-", 0) == "unsatisfiable");
  CHECK(resolved("bytes=0-0", 0) == "unsatisfiable");
  CHECK(resolved("bytes=-0", 0) == "unsatisfiable");
  CHECK(resolved("bytes=-1", 0) == "whole");
  CHECK(resolved("bytes=0-0,-1", 0) == "whole");
  CHECK(resolved("bytes=x", 0) == "whole");
}

TEST_CASE("a unit is compared ignoring case, and another is ignored") {
  CHECK(resolved("BYTES=0-0", 10) == "0-0");
  CHECK(resolved("Bytes=0-0", 10) == "0-0");
  for (const std::string_view field : {"items=0-0", "byte=0-0", "bytess=0-0", "=0-0", "none=0-0", "seconds=1-2"}) {
    CAPTURE(field);
    CHECK(resolved(field, 10) == "whole");
  }
}

TEST_CASE("a field that breaks the grammar is ignored, all of it") {
  for (const std::string_view field : {"",
                                       "bytes",
                                       "bytes=",
                                       "bytes= ",
                                       "bytes=,",
                                       "bytes=, ,",
                                       "bytes =0-0",
                                       " bytes=0-0",
                                       "bytes:0-0",
                                       "bytes=-",
                                       "bytes=1",
                                       "bytes=a-",
                                       "bytes=-a",
                                       "bytes=0-a",
                                       "bytes=a-0",
                                       "bytes=0--1",
                                       "bytes=--1",
                                       "bytes=-1-",
                                       "bytes=0-0-",
                                       "bytes=+1-2",
                                       "bytes=1-+2",
                                       "bytes=0 -1",
                                       "bytes=0- 1",
                                       "bytes=0x0-0x1",
                                       "bytes=0.0-1",
                                       "bytes=0-0;",
                                       "bytes=0-0 1-1",
                                       "bytes==0-0",
                                       "bytes=*",
                                       "bytes=0-0,a-b",
                                       "bytes=a,0-0",
                                       "bytes=0-0,1",
                                       "bytes=0-0,-",
                                       "bytes=1-0",
                                       "bytes=5-4,0-0",
                                       "bytes=0-0,5-4",
                                       "bytes=20-19",
                                       "bytes=0-0\t1",
                                       "bytes=0-\xB2"}) {
    CAPTURE(field);
    CHECK(resolved(field, 10) == "whole");
  }
  CHECK(resolved(std::string_view("bytes=0-0\0", 10), 10) == "whole");
}

TEST_CASE("a list may have white space and members without anything") {
  CHECK(resolved("bytes=0-0 , 2-2", 10) == "0-0 2-2");
  CHECK(resolved("bytes=\t0-0\t,\t2-2\t", 10) == "0-0 2-2");
  CHECK(resolved("bytes=,,0-0,, ,2-2,", 10) == "0-0 2-2");
}

TEST_CASE("numbers of any length are numbers") {
  CHECK(resolved("bytes=0-18446744073709551615", 10) == "0-9");
  CHECK(resolved("bytes=0-18446744073709551616", 10) == "0-9");
  CHECK(resolved("bytes=0-99999999999999999999999999999999999999999", 10) == "0-9");
  CHECK(resolved("bytes=-99999999999999999999999999999999999999999", 10) == "0-9");
  CHECK(resolved("bytes=18446744073709551616-", 10) == "unsatisfiable");
  CHECK(resolved("bytes=18446744073709551616-18446744073709551617", 10) == "unsatisfiable");
  CHECK(resolved("bytes=99999999999999999999-0", 10) == "whole");
  CHECK(resolved("bytes=0000000000000000000000000000001-002", 10) == "1-2");
  CHECK(resolved("bytes=18446744073709551610-18446744073709551619", 18446744073709551612U) ==
        "18446744073709551610-18446744073709551611");
}

TEST_CASE("the largest representation has ranges at its end") {
  CHECK(resolved("bytes=0-", most) == "0-18446744073709551614");
  CHECK(resolved("bytes=-1", most) == "18446744073709551614-18446744073709551614");
  CHECK(resolved("bytes=18446744073709551614-", most) == "18446744073709551614-18446744073709551614");
  CHECK(resolved("bytes=18446744073709551615-", most) == "unsatisfiable");
  CHECK(resolved("bytes=0-,0-", most) == "whole");
  CHECK(resolved("bytes=0-9223372036854775807,9223372036854775808-", most) == "0-18446744073709551614");
  CHECK(ByteRange{0, most - 1}.size() == most);
}

TEST_CASE("ranges stay in the order asked for") {
  CHECK(resolved("bytes=20-29,0-9,40-49", 100) == "20-29 0-9 40-49");
  CHECK(resolved("bytes=-1,0-0", 100) == "99-99 0-0");
}

TEST_CASE("ranges that adjoin or overlap become one, in the place of the first") {
  CHECK(resolved("bytes=0-9,10-19", 100) == "0-19");
  CHECK(resolved("bytes=10-19,0-9", 100) == "0-19");
  CHECK(resolved("bytes=0-9,11-19", 100) == "0-9 11-19");
  CHECK(resolved("bytes=0-9,9-19", 100) == "0-19");
  CHECK(resolved("bytes=0-19,5-9", 100) == "0-19");
  CHECK(resolved("bytes=0-9,0-9", 100) == "0-9");
  CHECK(resolved("bytes=50-59,20-29,60-69", 100) == "50-69 20-29");
  CHECK(resolved("bytes=60-69,20-29,50-59", 100) == "50-69 20-29");
  CHECK(resolved("bytes=20-29,60-69,50-59,0-0", 100) == "20-29 50-69 0-0");
  CHECK(resolved("bytes=2-2,1-1,0-0,3-3", 100) == "0-3");
}

TEST_CASE("more than two that overlap are ignored (RFC 9110 section 14.2)") {
  CHECK(resolved("bytes=0-9,5-14", 100) == "0-14");
  CHECK(resolved("bytes=0-9,5-14,10-19", 100) == "whole");
  CHECK(resolved("bytes=0-9,0-9,0-9", 100) == "whole");
  CHECK(resolved("bytes=0-9,9-18,18-27", 100) == "whole");  // by one byte each
  CHECK(resolved("bytes=0-9,9-18,19-27", 100) == "0-27");
  CHECK(resolved("bytes=0-9,5-14,50-59,55-64", 100) == "whole");
  CHECK(resolved("bytes=0-50,10-11,20-21", 100) == "whole");  // the outer and two that do not touch each other
  CHECK(resolved("bytes=20-21,0-50,10-11", 100) == "whole");
  CHECK(resolved("bytes=0-9,5-14,50-59,70-79", 100) == "0-14 50-59 70-79");
}

TEST_CASE("more bytes than there are are ignored (RFC 9110 section 14.2)") {
  CHECK(resolved("bytes=0-,0-0", 100) == "whole");
  CHECK(resolved("bytes=0-49,49-98", 100) == "0-98");
  CHECK(resolved("bytes=0-49,49-99", 100) == "whole");
  CHECK(resolved("bytes=0-98,-1", 100) == "0-99");
  CHECK(resolved("bytes=0-60,-60", 100) == "whole");
}

TEST_CASE("more ranges than the limit are ignored") {
  CHECK(resolved(single_bytes(16), 1000).ends_with(" 28-28 30-30"));
  CHECK(resolved(single_bytes(17), 1000) == "whole");
  CHECK(resolved("bytes=0-0,2-2", 10, {.ranges = 2}) == "0-0 2-2");
  CHECK(resolved("bytes=0-0,2-2,4-4", 10, {.ranges = 2}) == "whole");
  CHECK(resolved("bytes=0-0,,,,,,2-2", 10, {.ranges = 2}) == "0-0 2-2");
  CHECK(resolved("bytes=0-0,20-20,30-30", 10, {.ranges = 2}) == "whole");  // they count though they cannot be satisfied
  CHECK(resolved("bytes=0-0", 10, {.ranges = 0}) == "whole");
  CHECK(resolved("bytes=10-", 10, {.ranges = 0}) == "whole");
  CHECK(resolved(single_bytes(1000), 10000, {.ranges = 1000}).ends_with(" 1996-1996 1998-1998"));
}

TEST_CASE("Content-Range says which bytes are sent, or how many there are (RFC 9110 section 14.4)") {
  CHECK(content_range({0, 9}, 100) == "bytes 0-9/100");
  CHECK(content_range({42, 1233}, 1234) == "bytes 42-1233/1234");
  CHECK(content_range({most - 1, most - 1}, most) == "bytes 18446744073709551614-18446744073709551614/18446744073709551615");
  CHECK(unsatisfied_range(1234) == "bytes */1234");
  CHECK(unsatisfied_range(0) == "bytes */0");
}
