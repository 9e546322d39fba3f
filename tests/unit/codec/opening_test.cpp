#include "codec/opening.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using wharf::codec::longest_opening;
using wharf::codec::Opening;
using wharf::codec::opening_of;

/// At every cut it is undecided or the same already.
void check(const std::string& bytes, Opening expected) {
  CAPTURE(bytes);
  CHECK(opening_of(bytes) == expected);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const Opening part = opening_of(bytes.substr(0, size));
    CHECK((part == Opening::undecided || part == expected));
  }
}

}  // namespace

TEST_CASE("opening: what a connection begins with") {
  check("", Opening::undecided);
  check("\x16\x03\x01\x02", Opening::tls);
  check("\x16\x02\x01", Opening::other);
  check("\x15\x03\x01", Opening::other);
  check("GET / HTTP/1.1\r\n", Opening::http1);
  check("\r\nGET / HTTP/1.1\r\n", Opening::http1);
  check("OPTIONS * HTTP/1.0\n", Opening::http1);
  check("GET / HTTP/2.0\r\n", Opening::http1);  // which refuses it
  check("GET /a b HTTP/1.1\r\n", Opening::http1);
  check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Opening::http2);
  check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", Opening::http2);
  check("PRI * HTTP/2.0\r\nHost: a\r\n", Opening::http1);
  check("PRI", Opening::undecided);
  check("GET / HTTP/1.1", Opening::undecided);
  check("GET /\r\n", Opening::other);
  check("GET  HTTP/1.1\r\n", Opening::other);
  check(" GET / HTTP/1.1\r\n", Opening::other);
  check("GET / HTTP/1.1\tx\r\n", Opening::other);
  check("hello world\r\n", Opening::other);
  check("hello\r\n", Opening::other);
  check("\r\r", Opening::other);
  check(std::string("\0\1", 2), Opening::other);
  check("G\xC3\xA9T", Opening::other);
}

TEST_CASE("opening: a long line is a request, a long word is none, and no more bytes than that are looked at") {
  check("GET /" + std::string(longest_opening, 'a'), Opening::http1);
  check("GET /" + std::string(longest_opening - 6, 'a'), Opening::undecided);
  check("GET /" + std::string(longest_opening, 'a') + " nothing\r\n", Opening::http1);
  check(std::string(longest_opening, 'a'), Opening::other);
  check(std::string(longest_opening - 1, 'a'), Opening::undecided);
}
