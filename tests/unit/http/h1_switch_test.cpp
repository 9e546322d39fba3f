// Leaving HTTP between requests: what leaves, and what the next session gets. h1_upgrade_test.cpp has what comes later.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "http/h1.h"
#include "unit/http/h1_bench.h"
#include "unit/link/scripted.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("h1: 101 comes first, and the bytes behind the request go to the next session, wherever they are cut") {
  const std::string request = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: test\r\nConnection: upgrade\r\n\r\n";
  const std::string all = request + "frames";
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Story story;
    H1Bench bench;
    bench.handler.answer = [&story](session::Exchange& exchange) {
      exchange.switch_to("test", {{"X-Key", "value"}},
                         [&](session::Link& link) { return std::make_unique<Scripted>(link, story, "next"); });
    };
    bench.link.receive(all.substr(0, cut));
    bench.link.receive(all.substr(cut));
    CHECK(bench.link.take() == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: test\r\nConnection: Upgrade\r\nX-Key: value\r\n\r\n");
    std::string got;
    for (const std::string& event : story.events)
      if (event.starts_with("next input ")) got += event.substr(11);
    CHECK(got == "frames");
    CHECK(story.events.front() == "next start");
    bench.advance(1'000'000);  // nothing of HTTP's time is left
    CHECK_FALSE(bench.link.closed());
  }
}

TEST_CASE("h1: the session after an upgrade that is agreed to later was given no input") {
  Story story;
  H1Bench bench;
  session::Exchange* waiting = nullptr;
  bench.handler.answer = [&](session::Exchange& exchange) {
    waiting = &exchange;
    exchange.suspend(std::make_unique<ScriptedVisit>([&story](session::Exchange& again) {
      again.switch_to("test", {}, [&](session::Link& link) { return std::make_unique<Scripted>(link, story, "next"); });
    }));
  };
  bench.link.receive(get("/ws") + "early");
  REQUIRE(waiting != nullptr);
  waiting->resume();
  bench.link.run();
  bench.link.receive("late");
  CHECK(story.events == Events{"next start", "next input early", "next input late"});
}

TEST_CASE("h1: an upgrade behind pipelined requests gets its response after them") {
  Story story;
  H1Bench bench;
  bench.handler.answer = [&](session::Exchange& exchange) {
    if (exchange.request().target == "/a") return exchange.respond(session::text_response(200, "a"));
    exchange.switch_to("test", {}, [&](session::Link& link) { return std::make_unique<Scripted>(link, story, "next"); });
  };
  bench.link.receive(get("/a") + "GET /ws HTTP/1.1\r\nHost: a\r\n\r\nxyz");
  std::string bytes = bench.link.take();
  CHECK(take_answer(bytes).status == 200);
  CHECK(bytes.starts_with("HTTP/1.1 101 "));
  CHECK(story.events == Events{"next start", "next input xyz"});
}
