// Requests behind others on one connection, if a response is held, cut, or the last.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "http/h1.h"
#include "unit/http/h1_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using Requests = std::vector<std::string>;

}  // namespace

TEST_CASE("h1 pipeline: a response that ended while the queue was overfull does not stall the request behind it") {
  H1Bench bench({}, {10, 20, 1000});
  bench.link.set_window(0);
  std::vector<session::Flow> flows;
  bench.handler.answer = [&flows](session::Exchange& exchange) {
    exchange.begin({}, 30);
    flows.push_back(exchange.write(std::string(30, 'x')));
    exchange.end();
  };
  bench.link.receive(get("/a") + get("/b"));
  CHECK(flows == std::vector{session::Flow::hold});
  CHECK(bench.handler.requests == Requests{"GET /a"});
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  bench.link.run();
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 2);
  for (const Answer& each : all) CHECK(each.body == std::string(30, 'x'));
  CHECK(bench.handler.requests == Requests{"GET /a", "GET /b"});
  CHECK(bench.link.reading());
  bench.link.receive(get("/c"));
  CHECK(answers(bench.link.take()).size() == 1);
}

TEST_CASE("h1 pipeline: nor does one that a responder ended so") {
  H1Bench bench({}, {10, 20, 1000});
  bench.link.set_window(0);
  struct Ender final : session::Responder {
    Ender(session::Exchange& of, session::Flow& found) : exchange(of), flow(found) {}
    void body_end() override {
      exchange.begin({}, 30);
      flow = exchange.write(std::string(30, 'x'));
      exchange.end();
    }
    void drained() override { FAIL("the exchange is over"); }
    session::Exchange& exchange;
    session::Flow& flow;
  };
  session::Flow flow = session::Flow::go;
  bench.handler.answer = [&flow](session::Exchange& exchange) {
    exchange.set_responder(std::make_unique<Ender>(exchange, flow));
    exchange.read_body();
  };
  bench.link.receive("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + get("/b"));
  CHECK(bench.handler.requests == Requests{"POST /a"});
  CHECK(flow == session::Flow::hold);
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  bench.link.run();
  CHECK(bench.handler.requests == Requests{"POST /a", "GET /b"});
  CHECK(answers(bench.link.take()).size() == 2);
  CHECK(bench.link.reading());
}

TEST_CASE("h1 pipeline: whole responses leave before a later one is cut") {
  using Cut = void (*)(session::Exchange&);
  const Cut cuts[] = {
      [](session::Exchange& exchange) {
        exchange.begin({}, 5);
        exchange.write("longer");
      },
      [](session::Exchange& exchange) {
        exchange.begin({}, 5);
        exchange.end();
      },
      [](session::Exchange& exchange) {
        exchange.begin({}, std::nullopt);
        exchange.abort();
      },
      [](session::Exchange& exchange) { exchange.abort(); },
  };
  for (const Cut cut : cuts) {
    H1Bench bench;
    bench.handler.answer = [cut](session::Exchange& exchange) {
      if (exchange.request().target == "/b") return cut(exchange);
      exchange.respond(session::text_response(200, "whole"));
    };
    bench.link.receive(get("/a") + get("/b") + get("/c"));
    std::string bytes = bench.link.take();
    CHECK(take_answer(bytes).body == "whole\n");
    CHECK(take_answer(bytes, "HEAD").body.empty());  // the second has a head at most
    CHECK(bytes.empty());
    CHECK(bench.link.was_aborted());
    CHECK(bench.handler.requests == Requests{"GET /a", "GET /b"});
  }
}

TEST_CASE("h1 pipeline: bytes behind CONNECT may be no request: the connection ends after the response") {
  H1Bench bench;
  bench.link.receive("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n" + get("/b"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.handler.requests == Requests{"CONNECT a:80"});
  CHECK(bench.link.closed());
}

TEST_CASE("h1 pipeline: a source that runs short cuts only its own response") {
  H1Bench bench;
  bench.handler.answer = [](session::Exchange& exchange) {
    if (exchange.request().target == "/b") return exchange.respond(sourced(std::make_unique<Source>(200, 0)));
    exchange.respond(session::text_response(200, "whole"));
  };
  bench.link.receive(get("/a") + get("/b"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].body == "whole\n");
  CHECK(bench.link.was_aborted());
}
