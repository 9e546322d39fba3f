#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "codec/http/response_head.h"

namespace {

using namespace wharf::codec;

const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade:websocket\r\nX-Empty:\r\nUPGRADE: \t second \r\n\r\n";

AnswerRead read(std::string_view bytes, AnswerLimits limits = {}) {
  AnswerHead head;
  return read_answer_head(bytes, limits, head);
}

/// The number of bytes that show that it is malformed; 0 if it is not.
std::size_t malformed_after(std::string_view bytes) {
  for (std::size_t size = 0; size <= bytes.size(); ++size)
    if (read(bytes.substr(0, size)).state == AnswerState::malformed) return size;
  return 0;
}

}  // namespace

TEST_CASE("http_response: a head is read when all of it is there, and nothing behind it is taken") {
  AnswerHead head;
  for (std::size_t size = 0; size < switching.size(); ++size)
    CHECK(read_answer_head(std::string_view(switching).substr(0, size), {}, head).state == AnswerState::more);
  const std::string more = switching + std::string("\0\n\r", 3);
  CHECK(read_answer_head(more, {}, head).state == AnswerState::done);
  CHECK(head.size == switching.size());
  CHECK(head.status == 101);
  CHECK(head.version == HttpVersion::http11);
  CHECK(head.phrase == "Switching Protocols");
  CHECK(head.fields.size() == 3);
  CHECK(head.values("upgrade") == std::vector<std::string_view>{"websocket", "second"});
  CHECK(head.values("x-empty") == std::vector<std::string_view>{""});
  CHECK(head.values("x").empty());
}

TEST_CASE("http_response: the least there is") {
  AnswerHead head;
  CHECK(read_answer_head("HTTP/1.0 204 \r\n\r\n", {}, head).state == AnswerState::done);
  CHECK(head.version == HttpVersion::http10);
  CHECK(head.status == 204);
  CHECK(head.phrase.empty());
  CHECK(head.fields.empty());
}

TEST_CASE("http_response: a malformed status line is found at the byte that shows it") {
  CHECK(malformed_after("SSH-2.0-OpenSSH") == 1);
  CHECK(malformed_after("HTTP/2 200 \r\n\r\n") == 6);
  CHECK(malformed_after("HTTP/1.1  200 OK\r\n\r\n") == 10);
  CHECK(malformed_after("HTTP/1.1 20 OK\r\n\r\n") == 12);
  CHECK(malformed_after("HTTP/1.1 099 OK\r\n\r\n") == 10);
  CHECK(malformed_after("HTTP/1.1 2000 OK\r\n\r\n") == 13);
  CHECK(malformed_after("\r\nHTTP/1.1 200 OK\r\n\r\n") == 2);
}

TEST_CASE("http_response: nothing ambiguous is repaired") {
  const std::string line = "HTTP/1.1 101 S\r\n";
  const auto after = [&line](std::string_view fields) { return malformed_after(line + std::string(fields)); };
  CHECK(malformed_after("HTTP/1.1 101 S\n\n") == 15);
  CHECK(malformed_after("HTTP/1.1 101 S\r \n\n") == 16);
  CHECK(after("A: b\n\r\n") == line.size() + 5);
  CHECK(after("A: b\rc\r\n") == line.size() + 6);
  CHECK(after("\n") == line.size() + 1);
  CHECK(after(std::string_view("A: b\0c\r\n", 8)) == line.size() + 5);
  CHECK(after("A: b\x7F") == line.size() + 5);
  CHECK(after("A : b\r\n") == line.size() + 7);
  CHECK(after(": b\r\n") == line.size() + 5);
  CHECK(after("A b\r\n") == line.size() + 5);
  CHECK(after("A(: b\r\n") == line.size() + 7);
  CHECK(after("A: b\r\n c\r\n") == line.size() + 10);
  CHECK(after("A: b\r\n\tc\r\n") == line.size() + 10);
  CHECK(after(" A: b\r\n") == line.size() + 7);
}

TEST_CASE("http_response: the limits are inclusive") {
  AnswerLimits limits;
  limits.head = switching.size();
  CHECK(read(switching + "more", limits).state == AnswerState::done);
  --limits.head;
  CHECK(read(switching, limits).state == AnswerState::too_large);
  CHECK(read(std::string_view(switching).substr(0, limits.head - 1), limits).state == AnswerState::more);
  CHECK(read("HTTP/1.1 101 " + std::string(20'000, 'x')).state == AnswerState::too_large);

  limits = {};
  limits.fields = 3;
  CHECK(read(switching, limits).state == AnswerState::done);
  --limits.fields;
  CHECK(read(switching, limits).state == AnswerState::too_large);
  limits.head = 0;
  CHECK(read({}, limits).state == AnswerState::too_large);
}
