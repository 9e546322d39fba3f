// Requests behind others on one connection, if a response is held, cut, or the last.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/http/prepared_fields.h"
#include "http/h1.h"
#include "unit/http/h1_bench.h"
#include "unit/link/scripted.h"

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

TEST_CASE("h1 pipeline: a link is idle between two exchanges, until the first byte of the next one") {
  H1Bench bench;
  CHECK_FALSE(bench.link.is_idle());
  bench.link.receive(get("/a"));
  CHECK(bench.link.is_idle());
  bench.link.receive("G");
  CHECK_FALSE(bench.link.is_idle());
  bench.link.receive(get("/b").substr(1));
  CHECK(bench.link.is_idle());
  session::Exchange* waiting = nullptr;
  bench.handler.answer = [&waiting](session::Exchange& exchange) { waiting = &exchange; };
  bench.link.receive(get("/c"));
  CHECK_FALSE(bench.link.is_idle());
  bench.link.set_window(0);
  waiting->respond(session::text_response(200, std::string(bench.limits.high_water, 'x')));
  bench.link.run();
  CHECK_FALSE(bench.link.is_idle());  // the client has yet to take it
  CHECK_FALSE(bench.link.reading());
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  CHECK(bench.link.is_idle());
  CHECK(bench.link.reading());

  bench.handler.answer = [&bench](session::Exchange& exchange) {  // the same, within the call
    exchange.respond(session::text_response(200, std::string(bench.limits.high_water, 'x')));
  };
  bench.link.set_window(0);
  bench.link.receive(get("/d"));
  CHECK_FALSE(bench.link.is_idle());
  CHECK_FALSE(bench.link.reading());
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  CHECK(bench.link.is_idle());
  CHECK(bench.link.reading());
}

TEST_CASE("h1 pipeline: a response has no field of the mount before it, and is not framed as for the request before it") {
  const codec::PreparedFields of_mount{{"E", "f"}};
  for (const std::string& first : {get("/a"), std::string("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n"),
                                   std::string("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")})
    for (const std::string& second : {get("/b"), std::string("no request\r\n\r\n")}) {
      CAPTURE(first);
      CAPTURE(second);
      H1Bench bench;
      bench.handler.answer = [&of_mount](session::Exchange& exchange) {
        exchange.add_fields(of_mount);
        exchange.respond(session::text_response(200, "a"));
      };
      bench.link.receive(first);
      CHECK(bench.link.take().find("E: f\r\n") != std::string::npos);
      bench.handler.answer = nullptr;
      bench.link.receive(second);
      const auto all = answers(bench.link.take());
      REQUIRE(all.size() == 1);
      CHECK_FALSE(all[0].has("E: f"));
      CHECK_FALSE(all[0].has("Connection: keep-alive"));
      CHECK_FALSE(all[0].body.empty());
    }
}

TEST_CASE("h1 pipeline: a response of a known length behind one in chunks has none itself") {
  H1Bench bench;
  std::optional<std::uint64_t> length;
  bench.handler.answer = [&length](session::Exchange& exchange) {
    exchange.begin({}, length);
    exchange.write("abc");
    exchange.end();
  };
  bench.link.receive(get("/a"));
  CHECK(bench.link.take().ends_with("\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
  length = 3;
  bench.link.receive(get("/b"));
  CHECK(bench.link.take().ends_with("\r\n\r\nabc"));
}

TEST_CASE("h1 pipeline: a session that takes over gets its input, though the exchange was paused in the same call") {
  Story story;
  H1Bench bench;
  bench.handler.answer = [&story](session::Exchange& exchange) {
    exchange.switch_to("x", {}, [&story](session::Link& link) { return std::make_unique<Scripted>(link, story, "next"); });
    exchange.pause_body();
  };
  bench.link.receive(get("/a") + "abc");
  CHECK(story.take() == Requests{"next start", "next input abc"});
}
