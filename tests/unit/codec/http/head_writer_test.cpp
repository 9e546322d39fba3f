#include "codec/http/head_writer.h"

#include <doctest/doctest.h>

using wharf::codec::reason_phrase;
using wharf::codec::ResponseHead;

TEST_CASE("a response head is a status line, fields and an empty line") {
  ResponseHead head(200);
  CHECK(head.field("Content-Type", "text/html; charset=utf-8"));
  head.content_length(18446744073709551615U);
  CHECK(head.field("X-Empty", ""));
  CHECK(std::move(head).finish() ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 18446744073709551615\r\nX-Empty: \r\n\r\n");
  CHECK(ResponseHead(404).finish() == "HTTP/1.1 404 Not Found\r\n\r\n");
}

TEST_CASE("a length of zero is a number") {
  ResponseHead head(200);
  head.content_length(0);
  CHECK(std::move(head).finish() == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("a field that would split a response is refused and changes nothing") {
  ResponseHead head(302);
  CHECK_FALSE(head.field("Location", "/a\r\nSet-Cookie: b"));
  CHECK_FALSE(head.field("Location", "/a\r"));
  CHECK_FALSE(head.field("Location", "\n/a"));
  CHECK_FALSE(head.field("Location", std::string_view("/a\0", 3)));
  CHECK_FALSE(head.field("", "a"));
  CHECK_FALSE(head.field("a b", "a"));
  CHECK_FALSE(head.field("a:", "a"));
  CHECK_FALSE(head.field("a\r\nb", "a"));
  CHECK_FALSE(head.field("\xE9", "a"));
  CHECK(head.field("Location", "/\xC3\xA9"));
  CHECK(std::move(head).finish() == "HTTP/1.1 302 Found\r\nLocation: /\xC3\xA9\r\n\r\n");
}

TEST_CASE("a status line always has three digits and a phrase") {
  CHECK(ResponseHead(299).finish() == "HTTP/1.1 299 Unknown\r\n\r\n");
  CHECK(ResponseHead(999).finish() == "HTTP/1.1 999 Unknown\r\n\r\n");
  for (const int status : {-1, 0, 99, 1000}) CHECK(ResponseHead(status).finish() == "HTTP/1.1 500 Internal Server Error\r\n\r\n");
}

TEST_CASE("reason phrases are those of the RFCs") {
  CHECK(reason_phrase(101) == "Switching Protocols");
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(304) == "Not Modified");
  CHECK(reason_phrase(400) == "Bad Request");
  CHECK(reason_phrase(405) == "Method Not Allowed");
  CHECK(reason_phrase(414) == "URI Too Long");
  CHECK(reason_phrase(426) == "Upgrade Required");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(501) == "Not Implemented");
  CHECK(reason_phrase(505) == "HTTP Version Not Supported");
  CHECK(reason_phrase(418) == "Unknown");
}

TEST_CASE("a request head is its line, fields and an empty line, in memory that is used again") {
  std::string memory(1'000, 'x');
  const char* const place = memory.data();
  wharf::codec::RequestText head("GET", "/a?b", std::move(memory));
  CHECK(head.field("Host", "a"));
  CHECK_FALSE(head.field("Host", "a\r\nb: c"));
  const std::string text = std::move(head).finish();
  CHECK(text == "GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(text.data() == place);
}
