#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/site.h"
#include "unit/http/h1_bench.h"
#include "wharf/options.hpp"
#include "wharf/server.hpp"

// Limits that a virtual host has otherwise than the server, and the one for bodies of both.

namespace {

using namespace wharf;
using namespace wharf::test;
using server::HostChange;
using std::chrono::milliseconds;

/// Takes what it is sent, and says nothing.
struct Listening {
  Pipe pipe;
  void data(std::string_view /*bytes*/) {}
};

/// Responds with the size of the request's body; the path says with what else.
struct Taking {
  struct Responder {
    Exchange exchange;
    std::size_t size = 0;
    void request() {
      if (exchange.path() == "/row/pipe") CHECK(exchange.upgrade<Listening>("listen"));
      if (exchange.path() == "/row/early") exchange.begin(200, "text/plain");
    }
    void body(std::string_view piece) { size += piece.size(); }
    void body_end() const {
      if (exchange.path() == "/row/early") exchange.end();
      else if (exchange.path() != "/row/never") exchange.respond(200, "text/plain", std::to_string(size));
    }
  };
};

struct WithTaking {
  WithTaking() { more_rows() = {protocol<Taking>("taking")}; }
  ~WithTaking() { more_rows().clear(); }
  WithTaking(const WithTaking&) = delete;
  WithTaking& operator=(const WithTaking&) = delete;
};

VirtualHost host_of(const std::string& name, const HostLimits& limits) {
  VirtualHost host;
  host.name = name;
  host.limits = limits;
  host.mounts.push_back({"/", Files{files_folder()}});
  host.mounts.push_back({"/row/", Requests{"taking"}});
  return host;
}

/// A server in memory with the hosts `usual`, as the server, and `own`, with limits of its own; and one connection.
struct Two : WithTaking {
  explicit Two(const HostLimits& own, const Limits& limits = {}) : site(room_limits(limits)), wire(site.connect()) {
    REQUIRE_FALSE(site.change({HostChange::Kind::add, host_of("usual", {}), {}}));
    REQUIRE_FALSE(site.change({HostChange::Kind::add, host_of("own", own), {}}));
  }
  void change(const HostLimits& own) { REQUIRE_FALSE(site.change({HostChange::Kind::change, host_of("own", own), {}})); }
  /// The statuses of the responses that come, like "200 503".
  std::string ask(std::string_view bytes) {
    wire->send(bytes);
    return statuses();
  }
  std::string advance(std::int64_t time) {
    site.advance(time);
    wire->link().run();
    return statuses();
  }
  [[nodiscard]] bool closed() const { return wire->link().closed(); }
  std::string statuses() {
    std::string all;
    for (const Answer& answer : answers(wire->link().take())) all += (all.empty() ? "" : " ") + std::to_string(answer.status);
    return all;
  }
  void again() { wire = site.connect(); }

  MemorySite site;
  std::unique_ptr<MemoryWire> wire;
};

std::string request_of(std::string_view host, std::string_view method, std::string_view target, std::string_view fields = {},
                       std::string_view body = {}) {
  return base::concat(method, " ", target, " HTTP/1.1\r\nHost: ", host, "\r\n", fields, "\r\n", body);
}
std::string sized(std::string_view host, std::size_t size, std::string_view target = "/row/") {
  return request_of(host, "POST", target, base::concat("Content-Length: ", size, "\r\n"), std::string(size, 'x'));
}
std::string chunked(std::string_view host, int chunks, std::string_view target = "/row/") {
  std::string body;
  for (int i = 0; i < chunks; ++i) body += "2\r\nxx\r\n";
  return request_of(host, "POST", target, "Transfer-Encoding: chunked\r\n", body + "0\r\n\r\n");
}
std::string upgrade_of(std::string_view host, std::string_view protocol) {
  std::string request = upgrade_request(protocol);
  const std::size_t at = request.find("Host: ");
  return request.replace(at, request.find("\r\n", at) - at, base::concat("Host: ", host));
}

/// Opens a conversation of that host, and returns what comes after the response.
std::unique_ptr<MemoryWire> conversation(Two& two, std::string_view host, std::string_view row = "echo") {
  two.again();
  two.wire->send(upgrade_of(host, row));
  CHECK(two.wire->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  return std::move(two.wire);
}

std::string words(MemoryWire& wire) {
  FrameReader reader;
  std::string all;
  for (const std::string& word : reader.read(wire.link().take())) all += (all.empty() ? "" : ", ") + word;
  return all;
}

}  // namespace

TEST_CASE("limits: body") {
  CHECK(Limits{}.body == 0);
  Limits limits;
  limits.body = 10;
  Two two({}, limits);
  CHECK(two.ask(sized("usual", 10) + chunked("usual", 5)) == "200 200");
  CHECK(two.ask(sized("usual", 11)) == "413");
  CHECK_FALSE(two.closed());  // it was dropped
  CHECK(two.ask(sized("usual", 11, "/small")) == "413");
  CHECK(two.ask(sized("usual", 10, "/small")) == "405");
  CHECK(two.ask(request_of("usual", "POST", "/row/", "Expect: 100-continue\r\nContent-Length: 11\r\n")) == "413");
  CHECK(two.closed());
  two.again();
  CHECK(two.ask(chunked("usual", 6)) == "413");
  CHECK(two.closed());
  two.again();
  CHECK(two.ask(chunked("usual", 6, "/row/early")) == "200");  // it has begun
  CHECK(two.wire->link().was_aborted());
}

TEST_CASE("host limits: bodies are as long as the host says, or the server, or without a limit") {
  Limits limits;
  limits.body = 10;
  Two two({.body = 20}, limits);
  CHECK(two.ask(sized("own", 20) + sized("own", 21) + sized("usual", 20) + sized("own", 20)) == "200 413 413 200");
  CHECK(two.ask(chunked("own", 10)) == "200");
  CHECK(two.ask(chunked("own", 11)) == "413");
  two.change({.body = 0});
  two.again();
  CHECK(two.ask(sized("own", 1000) + chunked("own", 100)) == "200 200");
  two.change({.body_idle = milliseconds(1)});
  CHECK(two.ask(sized("own", 11)) == "413");
  Two without({.body = 5});
  CHECK(without.ask(sized("own", 6) + sized("usual", 6)) == "413 200");
}

TEST_CASE("host limits: a body that the author pauses is counted whole") {
  Two two({.body = 10});
  two.ask(request_of("own", "POST", "/row/", "Transfer-Encoding: chunked\r\n", "6\r\n123456\r\n"));
  two.advance(1);
  CHECK(two.ask("5\r\n12345\r\n0\r\n\r\n") == "413");
}

TEST_CASE("host limits: the time for a body and for an answer") {
  for (const auto& [own, usual_status] : std::vector<std::pair<HostLimits, std::string>>{{{.body_idle = milliseconds(300)}, ""},
                                                                                         {{.body_grace = milliseconds(300)}, ""}}) {
    Two two(own);
    const std::string begun = "Content-Length: 5\r\n";
    two.ask(request_of("own", "POST", "/row/", begun));
    CHECK(two.advance(299).empty());
    CHECK(two.advance(1) == "408");
    two.again();
    two.ask(request_of("usual", "POST", "/row/", begun, "x"));
    CHECK(two.advance(10'000) == usual_status);
  }
  Two slow({.body_grace = milliseconds(100), .body_rate = 10});
  slow.ask(request_of("own", "POST", "/row/", "Content-Length: 5\r\n", "xx"));
  CHECK(slow.advance(299).empty());
  CHECK(slow.advance(1) == "408");
  Two answer({.answer_time = milliseconds(250)});
  answer.ask(request_of("own", "GET", "/row/never"));
  CHECK(answer.advance(249).empty());
  CHECK(answer.advance(1) == "503");
  answer.again();
  answer.ask(request_of("usual", "GET", "/row/never"));
  CHECK(answer.advance(29'999).empty());
  CHECK(answer.advance(1) == "503");
}

TEST_CASE("host limits: a connection is kept as long as the host of the last request says") {
  Two two({.keep_alive_idle = milliseconds(300)});
  CHECK(two.ask(request_of("own", "GET", "/small") + request_of("usual", "GET", "/small")) == "200 200");
  two.advance(10'000);
  CHECK_FALSE(two.closed());
  CHECK(two.ask(request_of("own", "GET", "/small")) == "200");
  two.advance(299);
  CHECK_FALSE(two.closed());
  two.advance(1);
  CHECK(two.closed());
}

TEST_CASE("host limits: the rest of a body that nobody wants outlives the host") {
  Two two({.body_idle = milliseconds(300)});
  two.wire->send(request_of("own", "POST", "/small", "Content-Length: 5\r\n", "x"));
  CHECK(two.statuses() == "405");
  HostChange removal{HostChange::Kind::remove, {}, {}};
  removal.host.name = "own";
  REQUIRE_FALSE(two.site.change(removal));
  REQUIRE_FALSE(two.site.change({HostChange::Kind::add, host_of("other", {}), {}}));  // the old one goes
  two.advance(1'000);
  CHECK_FALSE(two.closed());
  CHECK(two.ask("xxxx" + request_of("usual", "GET", "/small")) == "200");
}

TEST_CASE("host limits: messages and pings") {
  Two two({.message = 10, .ping_after = milliseconds(90), .pong_timeout = milliseconds(30)});
  const std::string long_text = text("0123456789+");
  const auto own = conversation(two, "own");
  const auto usual = conversation(two, "usual");
  usual->send(long_text);
  CHECK(words(*usual) == "text 0123456789+");
  two.change({});
  own->send(text("0123456789"));
  CHECK(words(*own) == "text 0123456789");  // it goes on with what it began with
  two.site.advance(90);
  own->link().run();
  usual->link().run();
  CHECK(words(*own) == "ping ");
  CHECK(words(*usual).empty());
  own->send(pong());
  own->send(long_text);
  CHECK(words(*own).starts_with("close 1009 "));
}

TEST_CASE("host limits: the close handshake") {
  Two two({.close_handshake = milliseconds(70)});
  const auto own = conversation(two, "own", "actor");
  own->send(text("close me"));
  CHECK(words(*own) == "close 4000 asked");
  two.site.advance(69);
  own->link().run();
  CHECK_FALSE(own->link().closed());
  two.site.advance(1);
  own->link().run();
  CHECK(own->link().closed());
}

TEST_CASE("host limits: connections that left HTTP") {
  const std::string fields = "Connection: Upgrade\r\nUpgrade: listen\r\n";
  Two two({.pipe_idle = milliseconds(150)});
  CHECK(two.ask(request_of("own", "GET", "/row/pipe", fields)) == "101");
  two.advance(149);
  CHECK_FALSE(two.closed());
  two.advance(1);
  CHECK(two.closed());
  two.again();
  CHECK(two.ask(request_of("usual", "GET", "/row/pipe", fields)) == "101");
  two.advance(150);
  CHECK_FALSE(two.closed());
}

TEST_CASE("host limits: have names and units as those of the server") {
  for (const auto& each : options::of_host_limits) {
    CAPTURE(each.name);
    const auto* const of_server = options::find(options::of_limits, each.name);
    REQUIRE(of_server != nullptr);
    CHECK(each.unit == of_server->unit);
    CHECK(each.about == of_server->about);
    HostLimits limits;
    CHECK_FALSE(options::number_of(each, limits).has_value());
    CHECK(options::take(each, limits, "1234"));
    CHECK(options::number_of(each, limits) == 1234);
    CHECK_FALSE(options::take(each, limits, "x"));
    CHECK(limits != HostLimits{});
    Limits server;
    CHECK(options::take(*of_server, server, "77"));
    CHECK(options::number_of(each, server::limits_of_hosts(server)) == 77);
  }
}
