#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "session/site.h"
#include "unit/session/h1_bench.h"

// Each of the public limits, set to something unusual, is reached. (Connections, write stall and stop grace need sockets: see
// socket_test.cpp and stop_test.cpp; the backlog is in unit/io/listener_test.cpp.)

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

int status_of(const Limits& limits, const std::string& request) {
  MemorySite site(floor_limits(limits));
  const auto wire = site.connect();
  wire->send(request);
  return std::stoi(wire->read_until("\r\n\r\n").substr(9, 3));
}

/// A conversation, the clock `time` later.
struct Later {
  explicit Later(const Limits& limits) : site(floor_limits(limits)), wire(site.connect()) {}
  void advance(std::int64_t time) {
    site.advance(time);
    wire->link().run();
  }
  [[nodiscard]] bool closed() const { return wire->link().closed(); }

  MemorySite site;
  std::unique_ptr<MemoryWire> wire;
};

}  // namespace

TEST_CASE("limits: the defaults are those that are documented") {
  const server::FloorLimits limits(Limits{}, 1);
  CHECK(limits.http.head.request_line == 8 * 1024);
  CHECK(limits.http.head.head == 16 * 1024);
  CHECK(limits.http.head.fields == 100);
  CHECK(limits.http.head_time == base::Time{10'000});
  CHECK(limits.http.idle == base::Time{60'000});
  CHECK(limits.ws.message == 1024 * 1024);
  CHECK(limits.ws.close_handshake == base::Time{5'000});
  CHECK(limits.loop.output.low_water == 16 * 1024);
  CHECK(limits.loop.output.high_water == 64 * 1024);
  CHECK(limits.loop.output.hard_cap == 4 * 1024 * 1024);
  CHECK(limits.loop.write_stall == base::Time{30'000});
  CHECK(Limits{}.stop_grace == milliseconds(4'000));
}

TEST_CASE("limits: request_line") {
  Limits limits;
  limits.request_line = 20;
  CHECK(status_of(limits, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
  CHECK(status_of(limits, "GET /small? HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
  CHECK(status_of(limits, "GET /small?? HTTP/1.1\r\nHost: a\r\n\r\n") == 414);
}

TEST_CASE("limits: request_head") {
  Limits limits;
  const std::string request = get("/small");
  limits.request_head = request.size();
  CHECK(status_of(limits, request) == 200);
  limits.request_head = request.size() - 1;
  CHECK(status_of(limits, request) == 431);
}

TEST_CASE("limits: request_fields") {
  Limits limits;
  limits.request_fields = 2;
  CHECK(status_of(limits, "GET /small HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n") == 200);
  CHECK(status_of(limits, "GET /small HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n") == 431);
}

TEST_CASE("limits: request_head_time") {
  Limits limits;
  limits.request_head_time = milliseconds(200);
  Later later(limits);
  later.wire->send("GET");
  later.advance(199);
  CHECK_FALSE(later.closed());
  later.advance(1);
  CHECK(later.wire->read_all().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("limits: keep_alive_idle") {
  Limits limits;
  limits.keep_alive_idle = milliseconds(300);
  Later later(limits);
  later.wire->send(get("/small"));
  later.wire->read_until("small");
  later.advance(299);
  CHECK_FALSE(later.closed());
  later.advance(1);
  CHECK(later.closed());
}

TEST_CASE("limits: message") {
  Limits limits;
  limits.message = 10;
  MemorySite site(floor_limits(limits));
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo", text("0123456789") + text("0123456789+"));
  CHECK(talk.next() == "text 0123456789");
  CHECK(talk.next().starts_with("close 1009 "));
}

TEST_CASE("limits: close_handshake") {
  Limits limits;
  limits.close_handshake = milliseconds(70);
  Later later(limits);
  WsTalk talk(*later.wire, "actor", text("close me"));
  CHECK(talk.next() == "close 4000 asked");
  later.advance(69);
  CHECK_FALSE(later.closed());
  later.advance(1);
  CHECK(later.closed());
}

TEST_CASE("limits: output_high_water and output_low_water") {
  Limits limits;
  limits.output_high_water = 25'000;
  limits.output_low_water = 5'000;
  MemorySite site(floor_limits(limits));
  const auto wire = site.connect();
  WsTalk talk(*wire, "actor");
  session::MemoryLink& link = wire->link();
  link.set_window(0);
  talk.send(text("flood 100"));
  CHECK(link.out().size() == 3 * 10'004);
  CHECK_FALSE(link.reading());
  link.set_window(25'000);
  link.run();
  CHECK(link.out().size() == 5'012);
  CHECK_FALSE(link.reading());
  link.set_window(12);
  link.run();
  CHECK(link.out().size() == 5'000 + 2 * 10'004);  // drained, and filled again
}

TEST_CASE("limits: output_hard_cap") {
  Limits limits;
  limits.output_hard_cap = 100'000;
  MemorySite site(floor_limits(limits));
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo");
  wire->link().set_window(0);
  talk.send(binary(std::string(100'001, 'x')));
  CHECK(wire->link().was_aborted());
  CHECK(site.log().count("the cap is 100000") == 1);
}
