#include <doctest/doctest.h>

#include <string>

#include "exchanges.h"

extern "C" const wharf_plugin wharf_plugin_http_echo;

namespace {

using tests::StartedRow;
using tests::TestExchange;

const wharf_row& row() { return *wharf_plugin_http_echo.rows[0]; }

}  // namespace

TEST_CASE("http-echo: one row of that name, for requests alone") {
  CHECK(wharf_plugin_http_echo.abi == WHARF_ABI_NUMBER);
  CHECK(wharf_plugin_http_echo.row_count == 1);
  CHECK(row().name == std::string("http-echo"));
  CHECK((row().http != nullptr));
  CHECK((row().open == nullptr));
}

TEST_CASE("http-echo: a body of known length comes back as it is, with its type") {
  StartedRow echo(row());
  const std::string whole = std::string("all\0bytes\r\n", 11) + std::string(1000, '\xFF');
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, whole.size()}) {
    CAPTURE(size);
    TestExchange exchange(echo,
                          {"PUT", "/mount/", {{"Content-Type", "image/png"}, {"content-length", std::to_string(whole.size())}}});
    CHECK_FALSE(exchange.answered());  // it would be too early: the client may wait for 100
    exchange.body_in_pieces(whole, size);
    CHECK(exchange.status == 200);
    CHECK(exchange.answer == whole);
    CHECK(exchange.length == whole.size());
    CHECK(exchange.answer_field("content-type") == "image/png");
    CHECK(exchange.answer_field("x-content-type-options") == "nosniff");
    CHECK(exchange.complete);
  }
}

TEST_CASE("http-echo: a body in chunks has no length") {
  StartedRow echo(row());
  TestExchange exchange(echo, {"POST", "/mount/", {{"Transfer-Encoding", "chunked"}}});
  exchange.body("one");
  CHECK(exchange.answered());  // while it comes in
  CHECK(exchange.answer == "one");
  CHECK_FALSE(exchange.complete);
  exchange.body_in_pieces("two", 1);
  CHECK(exchange.answer == "onetwo");
  CHECK_FALSE(exchange.length);
  CHECK(exchange.answer_field("content-type") == "application/octet-stream");
  CHECK(exchange.complete);
}

TEST_CASE("http-echo: nothing for nothing") {
  StartedRow echo(row());
  for (const char* method : {"GET", "HEAD", "DELETE", "OPTIONS", "BREW"}) {
    TestExchange exchange(echo, {method, "/mount/any/path?x=headers"});
    exchange.body_end();
    CHECK(exchange.status == 200);
    CHECK(exchange.length == 0);
    CHECK(exchange.answer.empty());
    CHECK(exchange.complete);
  }
}

TEST_CASE("http-echo: it reads no faster than the client takes its response") {
  StartedRow echo(row());
  TestExchange exchange(echo, {"POST", "/mount/", {{"Content-Length", "9"}}});
  exchange.body("abc");
  CHECK_FALSE(exchange.paused);
  exchange.flow = WHARF_HOLD;
  exchange.body("def");
  CHECK(exchange.paused);
  exchange.drained();
  CHECK_FALSE(exchange.paused);
  exchange.flow = WHARF_GO;
  exchange.body("ghi");
  CHECK_FALSE(exchange.paused);
  exchange.body_end();
  CHECK(exchange.answer == "abcdefghi");
}

TEST_CASE("http-echo: the head as it was understood") {
  StartedRow echo(row());
  TestExchange exchange(
      echo,
      {"PATCH", "/mount/a?b=c&headers", {{"Host", "h"}, {"X-twice", "1"}, {"x-TWICE", ""}, {"Transfer-Encoding", "chunked"}}});
  exchange.body_in_pieces(std::string(1000, 'x'), 300);
  CHECK(exchange.status == 200);
  CHECK(exchange.answer ==
        "PATCH /mount/a?b=c&headers HTTP/1.1\nHost: h\nX-twice: 1\nx-TWICE: \nTransfer-Encoding: chunked\n\n1000\n");
  CHECK(exchange.answer_field("content-type") == "text/plain");
}
