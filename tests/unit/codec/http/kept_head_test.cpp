#include "codec/http/request_head.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace wharf::codec;

/// A head whose bytes do not stay: they are written over, and freed, after it was kept.
struct Lent {
  explicit Lent(std::string_view text) : bytes(std::make_unique<std::string>(text)) {
    REQUIRE(parser.parse(*bytes) == RequestParser::State::done);
  }
  [[nodiscard]] const RequestHead& head() const { return parser.head(); }
  void lose() {
    std::ranges::fill(*bytes, '#');
    bytes.reset();
    parser.reset();
  }

  std::unique_ptr<std::string> bytes;
  RequestParser parser;
};

/// All that a head says.
std::string text_of(const RequestHead& head) {
  std::string text = std::string(head.method) + "|" + std::string(head.target) + "|" + std::string(head.host) + "|" +
                     std::string(head.path) + "|" + std::string(head.query);
  for (const Field& field : head.fields) text.append("|").append(field.name).append("=").append(field.value);
  text.append("|").append(name_of(head.version));
  text += head.body == BodyFraming::length ? "|length " : head.body == BodyFraming::chunked ? "|chunked " : "|none ";
  return text + std::to_string(head.content_length) + (head.keep_alive ? "|kept" : "|last");
}

const std::vector<std::string> heads{
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET /behind-an-empty-line HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a?b=c HTTP/1.1\r\nhost:  b:80 \r\nContent-Length: 12\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\nbehind it",
    "GET http://absolute.example:81/x HTTP/1.1\r\nHost: absolute.example:81\r\nX: y\r\n\r\n",
    "GET http://absolute.example?no=path HTTP/1.1\r\nHost: absolute.example\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",                         // no field and no host
    "GET http://absolute.example/ HTTP/1.0\r\n\r\n",  // the host stands in the target alone
    "GET / HTTP/1.1\r\nHost: a\r\nEmpty:\r\nLast-And-Empty: \r\n\r\n",
};

}  // namespace

TEST_CASE("kept head: a copy says the same when the bytes that it was parsed from are gone") {
  for (const std::string& text : heads) {
    CAPTURE(text);
    Lent lent(text);
    const std::string before = text_of(lent.head());
    const KeptHead kept(lent.head());
    lent.lose();
    CHECK(text_of(kept.head()) == before);
  }
}

TEST_CASE("kept head: with the bytes given to it, long or so short that a string holds them in itself") {
  for (const std::string& text : heads) {
    CAPTURE(text);
    Lent lent(text);
    const std::string before = text_of(lent.head());
    const KeptHead kept(lent.head(), std::move(*lent.bytes));
    lent.lose();
    CHECK(text_of(kept.head()) == before);
  }
  RequestHead made;
  std::string bytes = "GET /short";
  made.method = std::string_view(bytes).substr(0, 3);
  made.target = std::string_view(bytes).substr(4);
  const KeptHead kept(made, std::move(bytes));
  bytes.assign("#########");
  CHECK(kept.head().method == "GET");
  CHECK(kept.head().target == "/short");
  CHECK(kept.head().host.data() == nullptr);
}

TEST_CASE("kept head: the host of an absolute target is a part of the target that was kept") {
  Lent lent("GET http://absolute.example/ HTTP/1.0\r\n\r\n");
  const KeptHead kept(lent.head());
  lent.lose();
  const RequestHead& head = kept.head();
  CHECK(head.host == "absolute.example");
  CHECK(head.host.data() == head.target.data() + std::string_view("http://").size());
}

TEST_CASE("kept head: a value that is empty is there, and one that was not sent is not") {
  Lent lent("GET / HTTP/1.0\r\nEmpty:\r\n\r\n");
  const KeptHead kept(lent.head());
  lent.lose();
  const RequestHead& head = kept.head();
  CHECK(head.field("Empty").empty());
  CHECK(head.field("Empty").data() != nullptr);
  CHECK(head.field("Absent").data() == nullptr);
  CHECK(head.host.empty());
}

TEST_CASE("kept head: a copy of a copy outlives it") {
  Lent lent("GET /twice HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
  auto first = std::make_unique<KeptHead>(lent.head());
  lent.lose();
  const KeptHead second(first->head());
  const std::string before = text_of(first->head());
  first.reset();
  CHECK(text_of(second.head()) == before);
  CHECK(second.head().field("X") == "y");
}

TEST_CASE("kept head: the protocol of an extended CONNECT is kept too") {
  auto bytes = std::make_unique<std::string>("CONNECTwebsocket/chatserver.example.comsec-websocket-version13");
  const auto part = [&bytes](std::size_t at, std::size_t size) { return std::string_view(*bytes).substr(at, size); };
  RequestHead head;
  head.method = part(0, 7);
  head.protocol = part(7, 9);
  head.target = part(16, 5);
  head.host = part(21, 18);
  head.fields = {{part(39, 21), part(60, 2)}};
  head.version = HttpVersion::http2;
  const std::string before = text_of(head);
  const KeptHead kept(head);
  std::ranges::fill(*bytes, '#');
  CHECK(kept.head().protocol == "websocket");
  CHECK(text_of(kept.head()) == before);
}
