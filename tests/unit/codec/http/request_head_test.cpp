#include "codec/http/request_head.h"

#include <doctest/doctest.h>

#include <string>

// tests/wire/http_request.wire has the outcome of heads, whole and cut at every place. Here is the rest.

namespace {

using namespace wharf::codec;
using State = RequestParser::State;

/// The number of bytes of `text` that the parser takes until it fails or is done; 0 if it wants more than all of them.
std::size_t bytes_until_decided(std::string_view text) {
  RequestParser parser;
  for (std::size_t size = 1; size <= text.size(); ++size)
    if (parser.parse(text.substr(0, size)) != State::more) return size;
  return 0;
}

/// The same for a text whose last byte shows the fault.
bool fails_at_last_byte(std::string_view text) {
  RequestParser parser;
  return bytes_until_decided(text) == text.size() && parser.parse(text) == State::failed;
}

}  // namespace

TEST_CASE("a fault is reported with the byte that shows it") {
  const std::string good = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string_view request_lines[] = {"\n",
                                            "\rG",
                                            "\r\n\r",
                                            " ",
                                            "GET\r",
                                            "GET\t",
                                            "GET  ",
                                            "GET /\n",
                                            "GET /\x7F",
                                            "GET /\x80",
                                            "GET /#",
                                            "GET a ",
                                            "GET * ",
                                            "CONNECT a ",
                                            "GET / h",
                                            "GET / HTTP/x",
                                            "GET / HTTP/1x",
                                            "GET / HTTP/1.1 ",
                                            "GET / HTTP/1.1\n",
                                            "GET / HTTP/1.1\rH",
                                            "GET / HTTP/2.0\r\n"};
  for (const std::string_view text : request_lines) {
    CAPTURE(text);
    CHECK(fails_at_last_byte(text));
  }
  const std::string_view field_lines[] = {" ",
                                          "\t",
                                          ":",
                                          "\n",
                                          "x\r",
                                          "x ",
                                          std::string_view("x: \0", 4),
                                          "x: \n",
                                          "x: 1\r ",
                                          "\r\r",
                                          "Host:",
                                          "Content-Length: 1\r\nTransfer-Encoding:",
                                          "Content-Length: 1\r\nContent-Length:",
                                          "Content-Length: +1\r",
                                          "Transfer-Encoding: chunked, chunked\r",
                                          "Transfer-Encoding: gzip\r\n\r\n"};
  for (const std::string_view text : field_lines) {
    CAPTURE(text);
    CHECK(fails_at_last_byte(good + std::string(text)));
  }
}

TEST_CASE("a limit is reported with the byte that reaches it, before the line or the head has ended") {
  CHECK(fails_at_last_byte(std::string(33, 'M')));
  CHECK(fails_at_last_byte("GET /" + std::string(8192 - 5, 'a')));
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  CHECK(fails_at_last_byte(head + "x: " + std::string(16384 - head.size() - 3, 'b')));
  std::string fields = head;
  for (int i = 1; i < 100; ++i) fields += "x: 1\r\n";
  CHECK(fails_at_last_byte(fields + "x"));
}

TEST_CASE("limits larger than any head do not overflow") {
  RequestParser parser(HeadLimits{SIZE_MAX, SIZE_MAX, SIZE_MAX});
  CHECK(parser.parse("\r\nGET /" + std::string(20'000, 'a') + " HTTP/1.1\r\nHost: a\r\nx: " + std::string(20'000, 'b')) ==
        State::more);
}

TEST_CASE("limits of zero refuse the first byte") {
  RequestParser parser(HeadLimits{0, 0, 0});
  CHECK(parser.parse("GET / HTTP/1.1\r\n\r\n") == State::failed);
  CHECK(parser.error().status == 414);
}

TEST_CASE("no bytes are no head and no fault") {
  RequestParser parser;
  CHECK(parser.parse("") == State::more);
  CHECK(parser.parse("") == State::more);
}

TEST_CASE("views point into the bytes of the call that returned done") {
  const std::string text = "POST /x?y HTTP/1.1\r\nHost: a.b\r\nx-one:  1 \r\n\r\nbody";
  RequestParser parser;
  {
    const std::string first = text.substr(0, 40);
    REQUIRE(parser.parse(first) == State::more);
  }
  REQUIRE(parser.parse(text) == State::done);
  const auto at = [&](std::string_view view) { return view.data() - text.data(); };
  CHECK(at(parser.head().method) == 0);
  CHECK(at(parser.head().target) == 5);
  CHECK(at(parser.head().host) == 26);
  CHECK(at(parser.head().fields[1].name) == 31);
  CHECK(at(parser.head().fields[1].value) == 39);
  CHECK(parser.head().fields[1].value == "1");
  CHECK(parser.size() == text.size() - 4);
}

TEST_CASE("an error stays until reset, and then the parser is as new") {
  RequestParser parser;
  REQUIRE(parser.parse("POST / HTTP/1.0\r\nConnection: close, keep-alive\r\nHost: a\r\nContent-Length: 7\r\nContent-Length: 7") ==
          State::failed);
  CHECK(parser.error().status == 400);
  CHECK(parser.parse("GET / HTTP/1.1\r\nHost: b\r\n\r\n") == State::failed);
  CHECK(parser.error().reason == "The request has more than one Content-Length.");

  parser.reset();
  REQUIRE(parser.parse("GET / HTTP/1.1\r\nHost: b\r\n\r\n") == State::done);
  CHECK(parser.error().status == 0);
  CHECK(parser.head().version == HttpVersion::http11);
  CHECK(parser.head().host == "b");
  CHECK(parser.head().fields.size() == 1);
  CHECK(parser.head().body == BodyFraming::none);
  CHECK(parser.head().content_length == 0);
  CHECK(parser.head().keep_alive);
}

TEST_CASE("requests that follow each other in one buffer are parsed in turn") {
  std::string_view rest =
      "\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nGET http://b/2 HTTP/1.0\r\n\r\nGET /3";
  RequestParser parser;
  REQUIRE(parser.parse(rest) == State::done);
  CHECK(parser.head().target == "/1");
  CHECK(parser.head().body == BodyFraming::chunked);
  rest.remove_prefix(parser.size());

  parser.reset();
  REQUIRE(parser.parse(rest) == State::done);
  CHECK(parser.head().method == "GET");
  CHECK(parser.head().target == "http://b/2");
  CHECK(parser.head().host == "b");
  CHECK(parser.head().body == BodyFraming::none);
  CHECK_FALSE(parser.head().keep_alive);
  rest.remove_prefix(parser.size());

  parser.reset();
  CHECK(parser.parse(rest) == State::more);
}

TEST_CASE("done stays done, and bytes behind the head change nothing") {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string more = text + "GET / HTTP/9.9\r\n";
  RequestParser parser;
  REQUIRE(parser.parse(text) == State::done);
  CHECK(parser.parse(more) == State::done);
  CHECK(parser.size() == text.size());
  CHECK(parser.head().target.data() == text.data() + 4);
}

TEST_CASE("reset keeps the memory of the field list") {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\ny: 2\r\n\r\n";
  RequestParser parser;
  REQUIRE(parser.parse(text) == State::done);
  const Field* const memory = parser.head().fields.data();
  parser.reset();
  REQUIRE(parser.parse(text) == State::done);
  CHECK(parser.head().fields.data() == memory);
}

TEST_CASE("fields are found by name, ignoring case") {
  RequestParser parser;
  const std::string text =
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, WebSocket\r\nX-Empty:\r\nx-list: one,, two\r\nX-List:\tTHREE \r\n\r\n";
  REQUIRE(parser.parse(text) == State::done);
  const RequestHead& head = parser.head();
  CHECK(head.field("host") == "a");
  CHECK(head.field("X-LIST") == "one,, two");
  CHECK(head.field("x-empty").empty());
  CHECK(head.field("x-empty").data() != nullptr);
  CHECK(head.field("x-lis").data() == nullptr);
  CHECK(head.count("X-list") == 2);
  CHECK(head.count("x-none") == 0);
  CHECK(head.has_token("upgrade", "websocket"));
  CHECK(head.has_token("x-list", "two"));
  CHECK(head.has_token("x-list", "three"));
  CHECK_FALSE(head.has_token("x-list", "thre"));
  CHECK_FALSE(head.has_token("x-list", ""));
  CHECK_FALSE(head.has_token("x-none", "one"));
}
