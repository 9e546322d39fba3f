#include "codec/http/response_head.h"

#include <doctest/doctest.h>

#include <string>

// tests/wire/http_answer.wire has the outcome of heads, and so has tests/unit/websocket/response_test.cpp. Here is the framing of
// every status, and how methods and fields are compared.

namespace {

using namespace wharf::codec;

/// A head of that status with those field lines, each with its CRLF. It lives until the next call.
const AnswerHead& head_of(int status, std::string_view fields, std::string_view version = "HTTP/1.1") {
  static std::string text;
  static AnswerHead head;
  text = std::string(version) + " " + std::to_string(status) + " \r\n" + std::string(fields) + "\r\n";
  REQUIRE(read_answer_head(text, {}, head).state == AnswerState::done);
  return head;
}

AnswerBody body_of(int status, std::string_view fields, std::string_view method = "GET") {
  return answer_framing(head_of(status, fields), method).body;
}

}  // namespace

TEST_CASE("http_response: which statuses have a body") {
  for (int status = 100; status < 600; ++status) {
    CAPTURE(status);
    const bool is_bare = status < 200 || status == 204 || status == 304;
    CHECK(body_of(status, "") == (is_bare ? AnswerBody::none : AnswerBody::until_close));
    CHECK(body_of(status, "Content-Length: 5\r\n") == (is_bare ? AnswerBody::none : AnswerBody::length));
    CHECK(body_of(status, "Transfer-Encoding: chunked\r\n") == (is_bare ? AnswerBody::none : AnswerBody::chunked));
    CHECK(body_of(status, "Content-Length: x\r\n") == (is_bare ? AnswerBody::none : AnswerBody::malformed));
    CHECK(body_of(status, "Content-Length: 5\r\n", "HEAD") == AnswerBody::none);
    CHECK(body_of(status, "Content-Length: 5\r\n", "CONNECT") == (is_bare || status < 300 ? AnswerBody::none : AnswerBody::length));
  }
}

TEST_CASE("http_response: methods are told apart by case") {
  CHECK(body_of(200, "", "head") == AnswerBody::until_close);
  CHECK(body_of(200, "", "HEADER") == AnswerBody::until_close);
  CHECK(body_of(200, "", "connect") == AnswerBody::until_close);
  CHECK(body_of(200, "", "") == AnswerBody::until_close);
}

TEST_CASE("http_response: a malformed framing says why, and any other does not") {
  const AnswerFraming malformed = answer_framing(head_of(200, "Content-Length: 5\r\nContent-Length: 5\r\n"), "GET");
  CHECK(malformed.body == AnswerBody::malformed);
  CHECK(malformed.reason == "The answer has more than one Content-Length.");
  CHECK(malformed.content_length == 0);
  const AnswerFraming length = answer_framing(head_of(200, "content-length: 18446744073709551615\r\n"), "GET");
  CHECK(length.body == AnswerBody::length);
  CHECK(length.content_length == UINT64_MAX);
  CHECK(length.reason.empty());
}

TEST_CASE("http_response: keep-alive is of the version and of the options of Connection") {
  CHECK(keep_alive(head_of(200, "")));
  CHECK_FALSE(keep_alive(head_of(200, "connection: x, CLOSE\r\n")));
  CHECK_FALSE(keep_alive(head_of(200, "Connection: keep-alive\r\nConnection: close\r\n")));
  CHECK(keep_alive(head_of(200, "Connection: closed\r\nX: close\r\n")));
  CHECK_FALSE(keep_alive(head_of(200, "", "HTTP/1.0")));
  CHECK(keep_alive(head_of(200, "Connection: Keep-Alive\r\n", "HTTP/1.0")));
  CHECK_FALSE(keep_alive(head_of(200, "Connection: close, keep-alive\r\n", "HTTP/1.0")));
  CHECK_FALSE(keep_alive(head_of(200, "Keep-Alive: timeout=5\r\n", "HTTP/1.0")));
}

TEST_CASE("http_response: how long a server keeps a connection is a parameter of Keep-Alive, the least of several") {
  const auto timeout = [](std::string_view fields) { return keep_alive_timeout(head_of(200, fields)); };
  CHECK(timeout("Keep-Alive: timeout=5\r\n") == 5);
  CHECK(timeout("keep-alive: max=100, Timeout = 0\r\n") == 0);
  CHECK(timeout("Keep-Alive: timeout=7, timeout=6\r\nKeep-Alive: timeout=8\r\n") == 6);
  for (const std::string_view fields :
       {"", "Keep-Alive:\r\n", "Keep-Alive: 5\r\n", "Keep-Alive: timeout\r\n", "Keep-Alive: timeout=\r\n",
        "Keep-Alive: timeout=-1\r\n", "Keep-Alive: timeout=5s\r\n", "Keep-Alive: timeout=18446744073709551616\r\n",
        "Keep-Alive: my-timeout=5\r\n", "Connection: timeout=5\r\n"})
    CHECK_FALSE(timeout(fields));
}
