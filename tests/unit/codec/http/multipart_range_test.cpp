#include "codec/http/multipart_range.h"

#include <doctest/doctest.h>

#include <set>

#include "base/ascii.h"

using wharf::codec::ByteRange;
using wharf::codec::MultipartRanges;
using wharf::codec::random_boundary;

namespace {

constexpr std::string_view content = "0123456789abcdefghij";

std::string body_of(const MultipartRanges& multipart) {
  std::string body;
  for (std::size_t part = 0; part < multipart.ranges().size(); ++part) {
    const ByteRange& range = multipart.ranges()[part];
    body += multipart.part_head(part);
    body += content.substr(range.first, range.size());
  }
  return body + multipart.closing();
}

}  // namespace

TEST_CASE("a multipart/byteranges body has its parts between delimiters (RFC 9110 section 14.6)") {
  const MultipartRanges multipart("THIS_STRING_SEPARATES", "text/plain; charset=utf-8", {{10, 12}, {0, 0}, {18, 19}},
                                  content.size());
  CHECK(multipart.content_type() == "multipart/byteranges; boundary=THIS_STRING_SEPARATES");
  CHECK(body_of(multipart) ==
        "--THIS_STRING_SEPARATES\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Range: bytes 10-12/20\r\n"
        "\r\n"
        "abc\r\n"
        "--THIS_STRING_SEPARATES\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Range: bytes 0-0/20\r\n"
        "\r\n"
        "0\r\n"
        "--THIS_STRING_SEPARATES\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Range: bytes 18-19/20\r\n"
        "\r\n"
        "ij\r\n"
        "--THIS_STRING_SEPARATES--\r\n");
}

TEST_CASE("the length of the body is known beforehand") {
  const std::vector<ByteRange> all[] = {{{0, 0}}, {{0, 9}, {11, 19}}, {{19, 19}, {0, 0}, {5, 10}}};
  for (const std::vector<ByteRange>& ranges : all) {
    const MultipartRanges multipart("b", "image/png", ranges, content.size());
    CHECK(multipart.content_length() == body_of(multipart).size());
  }
  const MultipartRanges large("b", "a/b", {{0, 0x7FFF'FFFF'FFFF}, {0x8000'0000'0001, 0x8000'0000'0001}}, 0x8000'0000'0002);
  const std::uint64_t framing = large.part_head(0).size() + large.part_head(1).size() + large.closing().size();
  CHECK(large.content_length() == 0x8000'0000'0000 + 1 + framing);
}

TEST_CASE("a boundary is a token of 32 characters, another each time") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::optional<std::string> boundary = random_boundary();
    REQUIRE(boundary.has_value());
    CHECK(boundary->size() == 32);
    CHECK(wharf::base::is_token(*boundary));
    seen.insert(*boundary);
  }
  CHECK(seen.size() == 100);
}
