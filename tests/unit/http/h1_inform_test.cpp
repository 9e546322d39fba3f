// Interim responses (RFC 9110 section 15.2).
#include <doctest/doctest.h>

#include <string>

#include "unit/http/h1_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using session::Flow;

}  // namespace

TEST_CASE("h1 inform: before the response, any number of times, without framing fields or those of the mount") {
  const codec::PreparedFields of_mount{{"X-Mount", "1"}};
  H1Bench bench;
  bench.handler.answer = [&](session::Exchange& exchange) {
    exchange.add_fields(of_mount);
    CHECK(exchange.inform(103, {{"Link", "</a>"}, {"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}}) == Flow::go);
    CHECK(exchange.inform(102, {}) == Flow::go);
    CHECK_FALSE(exchange.answered());
    exchange.respond(session::text_response(204, ""));
    CHECK(exchange.inform(103, {}) == Flow::closed);
  };
  bench.link.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  bench.link.run();
  const std::string bytes = bench.link.take();
  CHECK(bytes.starts_with(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n"));
  CHECK(bytes.find("HTTP/1.1 103", 1) == std::string::npos);
}

TEST_CASE("h1 inform: not to HTTP/1.0, and neither 100 nor 101 (RFC 9110 section 15.2)") {
  H1Bench bench;
  bench.handler.answer = [](session::Exchange& exchange) {
    for (const int status : {100, 101, 200, 99}) CHECK(exchange.inform(status, {}) == Flow::go);
    if (exchange.request().version == codec::HttpVersion::http10) CHECK(exchange.inform(103, {}) == Flow::go);
    exchange.respond(session::text_response(200, "x"));
  };
  for (const char* const version : {"1.1", "1.0"}) {
    bench.link.receive(std::string("GET / HTTP/") + version + "\r\nHost: a\r\n\r\n");
    bench.link.run();
    CHECK(bench.link.take().starts_with("HTTP/1.1 200 OK\r\n"));
  }
}
