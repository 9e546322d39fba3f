#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/clients.h"
#include "unit/server/served.h"

// Requests beyond a rate, of the server, a virtual host or a mount, and hosts that have no room.

namespace {

using namespace wharf;
using namespace wharf::server;

Mount fixed(const std::string& prefix, RequestRate rate = {}) {
  Mount mount{prefix, Fixed{}};
  mount.request_rate = rate;
  return mount;
}

VirtualHost host(const std::string& name, std::vector<Mount> mounts) {
  VirtualHost made;
  made.name = name;
  made.mounts = std::move(mounts);
  return made;
}

const std::string websocket_head =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: plain\r\n\r\n";

}  // namespace

TEST_CASE("request limits: beyond a mount's rate it is 429, with the seconds until the next may come (RFC 6585 section 4)") {
  Served served({host("", {fixed("/"), fixed("/slow/", {0.1, 2})})});
  CHECK(served.get("/slow/").status == 200);
  CHECK(served.get("/slow/").status == 200);
  const Answer answer = served.get("/slow/");
  CHECK(answer.status == 429);
  CHECK(answer.field("Retry-After") == "10");
  CHECK_FALSE(answer.closed);
  CHECK(served.get("/").status == 200);
  REQUIRE_FALSE(served.home.log_lines.empty());
  CHECK(served.home.log_lines.back() ==
        "info: the client at 192.0.2.1 sends requests faster than the mount '/slow/' allows: one was refused with 429");
  served.home.now += base::Time{9'001};
  CHECK(served.get("/slow/").field("Retry-After") == "1");
  served.home.now += base::Time{999};
  CHECK(served.get("/slow/").status == 200);
  CHECK(served.get("/slow/").status == 429);
}

TEST_CASE("request limits: a connection goes on after 429") {
  Served served({host("", {fixed("/", {1, 1})})});
  const auto link = served.connect();
  for (const char* status : {"200", "429", "429"}) {
    link->receive(Served::head("GET", "/"));
    CHECK(link->take().substr(9, 3) == status);
  }
  served.home.now += base::Time{1'000};
  link->receive(Served::head("GET", "/"));
  CHECK(link->take().substr(9, 3) == "200");
  CHECK_FALSE(link->closed());
}

TEST_CASE("request limits: a virtual host's rate is for all its mounts, and for no other host") {
  VirtualHost limited = host("one.example", {fixed("/"), fixed("/a/")});
  limited.request_rate = {1, 2};
  Served served({limited, host("", {fixed("/")})});
  CHECK(served.get("/", "one.example").status == 200);
  CHECK(served.get("/a/", "one.example").status == 200);
  CHECK(served.get("/", "one.example").status == 429);
  CHECK(served.get("/").status == 200);
}

TEST_CASE("request limits: address_request_rate is for everything that one client asks for") {
  Limits limits;
  limits.address_request_rate = 1;
  limits.address_request_burst = 2;
  Served served({host("", {fixed("/")})}, {plain_row("plain")}, limits);
  CHECK(served.get("/").status == 200);
  CHECK(served.get("/nothing").status != 429);
  CHECK(served.get("/").status == 429);
  const auto link = served.connect();
  link->receive(websocket_head);
  CHECK(link->take().substr(9, 3) == "429");
  const auto other = served.connect();
  other->set_peer(*base::PeerAddress::parse("192.0.2.2:1"));
  other->receive(websocket_head);
  CHECK(other->take().substr(9, 3) == "101");
}

TEST_CASE("request limits: a host's connections are requests in progress and WebSockets, until they end") {
  VirtualHost limited = host("", {fixed("/")});
  limited.connections = 2;
  Served served({limited}, {plain_row("plain")});
  auto first = served.connect();
  auto second = served.connect();
  first->receive(websocket_head);
  CHECK(first->take().substr(9, 3) == "101");
  CHECK(served.get("/").status == 200);
  CHECK(served.get("/").status == 200);  // the one before has ended
  second->receive(websocket_head);
  CHECK(second->take().substr(9, 3) == "101");
  const Answer answer = served.get("/");
  CHECK(answer.status == 503);
  CHECK(answer.field("Retry-After") == "1");
  CHECK(served.home.log_lines.back() ==
        "info: the default virtual host has 2 requests and WebSockets at once: one more was refused with 503");
  first->abort();
  first->run();
  first.reset();
  CHECK(served.get("/").status == 200);
}

TEST_CASE("request limits: faulty ones are refused") {
  VirtualHost faulty = host("one.example", {});
  faulty.request_rate = {-1, 0};
  CHECK(Host::check(faulty) == "the virtual host 'one.example': a rate of requests is from 0 to 1,000,000 a second");
  CHECK(Host::check(host("", {fixed("/a/", {0, 3})})) == "mount '/a/': a burst of requests needs a rate, too");
}
