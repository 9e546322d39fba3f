#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/http/h1_bench.h"

// What becomes of a link while the server drains.

namespace {

using namespace wharf;
using namespace wharf::test;
using Requests = std::vector<std::string>;

}  // namespace

TEST_CASE("h1: a server that drains serves a request that comes within a second, as the last") {
  H1Bench bench;
  bench.link.receive(get("/a"));
  bench.link.take();
  bench.link.server_drains();
  CHECK_FALSE(bench.link.waits_to_be_told());
  bench.advance(999);
  CHECK_FALSE(bench.link.closed());
  bench.link.receive(get("/b") + get("/c"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.handler.requests == Requests{"GET /a", "GET /b"});
  CHECK(bench.link.closed());
}

TEST_CASE("h1: a server that drains ends a link on which nothing comes for a second, but not one with a part of a head") {
  for (const bool new_link : {false, true}) {
    H1Bench idle;
    if (!new_link) idle.link.receive(get("/a"));
    idle.link.server_drains();
    idle.advance(999);
    CHECK_FALSE(idle.link.closed());
    idle.advance(1);
    CHECK(idle.link.closed());
  }
  H1Bench slow;
  slow.link.receive("GET / HTTP/1.1\r\n");
  slow.link.server_drains();
  slow.advance(5'000);
  CHECK_FALSE(slow.link.closed());
  slow.link.receive("Host: a\r\n\r\n");
  CHECK(slow.handler.requests == Requests{"GET /"});
  CHECK(slow.link.closed());
}

TEST_CASE("h1: a link that a stop finds while it drains ends at once") {
  H1Bench bench;
  bench.link.server_drains();
  bench.link.server_stops();
  CHECK(bench.link.closed());
}
