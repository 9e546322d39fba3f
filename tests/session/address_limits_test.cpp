#include <doctest/doctest.h>

#include <string>

#include "session/site.h"
#include "session/wire.h"
#include "wharf/server.hpp"

// The fields of wharf::Limits that count by address: the defaults, and that they get to a server.

namespace {

using namespace wharf;
using namespace wharf::test;

}  // namespace

TEST_CASE("limits: what is counted by address is off by default, and gets to the server") {
  const Limits usual;
  CHECK(usual.address_connections == 0);
  CHECK(usual.address_connection_rate == 0);
  CHECK(usual.address_connection_burst == 0);
  CHECK(usual.address_request_rate == 0);
  CHECK(usual.address_request_burst == 0);
  CHECK(usual.address_records == 16'384);
  Record log;
  ServerOptions options;
  options.log_level = Level::info;
  options.log = [&log](Level /*level*/, std::string_view text) { log.add(std::string(text)); };
  options.limits.address_connections = 2;
  options.limits.address_connection_rate = 1;
  options.limits.address_connection_burst = 3;
  options.limits.address_request_rate = 1;
  options.limits.address_request_burst = 1;
  options.limits.address_records = 0;  // as few as a table can have
  Server server(options);
  VirtualHost host;
  host.mounts.push_back({"/", Fixed{}});
  REQUIRE_FALSE(server.add(host));
  const io::Address address = listen_anywhere(server);
  const Running running(server);
  const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  SocketWire first(address);
  SocketWire second(address);
  first.send(request);
  CHECK(first.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  second.send(request);
  CHECK(second.read_until("\r\n\r\n").starts_with("HTTP/1.1 429 "));
  const SocketWire third(address);
  wait_until([&log] { return log.count("as many connections as address_connections allows") == 1; });
  const SocketWire fourth(address);
  wait_until([&log] { return log.count("faster than address_connection_rate allows") == 1; });
}

TEST_CASE("limits: all clients of a trusted front that did not name them shared one rate") {
  ServerOptions options;
  options.quiet = true;
  options.fronts.networks = {"127.0.0.1"};
  options.limits.address_request_rate = 1;
  Server server(options);
  VirtualHost host;
  host.mounts.push_back({"/", Fixed{}});
  REQUIRE_FALSE(server.add(host));
  const io::Address address = listen_anywhere(server);
  const Running running(server);
  const auto ask = [&address](const std::string& fields) {
    SocketWire wire(address);
    wire.send("GET / HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n");
    return wire.read_until("\r\n\r\n").substr(9, 3);
  };
  for (int i = 0; i < 3; ++i) CHECK(ask("") == "200");
  CHECK(ask("X-Forwarded-For: 192.0.2.1\r\n") == "200");
  CHECK(ask("X-Forwarded-For: 192.0.2.1\r\n") == "429");
  CHECK(ask("X-Forwarded-For: 192.0.2.2\r\n") == "200");
}

TEST_CASE("limits: requests that were redirected to https did not count for a rate") {
  for (const bool has_tls : {false, true}) {
    ServerOptions options;
    options.quiet = true;
    Server server(options);
    VirtualHost host;
    host.mounts.push_back({"/", Fixed{}});
    host.request_rate = {.per_second = 0.001, .burst = 2};
    REQUIRE_FALSE(server.add(host));
    Door door;
    door.plain_http = PlainHttp::redirected;
    if (has_tls) door.tls = Tls{};
    REQUIRE_FALSE(server.listen("127.0.0.1", 0, door));
    const std::string name = server.addresses().front();
    const io::Address address =
        *io::resolve_interface("127.0.0.1", static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1))));
    const Running running(server);
    for (const std::string status : {"308", "308", "429"}) {
      SocketWire wire(address);
      wire.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      CHECK(wire.read_until("\r\n\r\n").substr(9, 3) == status);
    }
  }
}

TEST_CASE("limits: requests for hosts that are not there did not count for the rate of their address") {
  ServerOptions options;
  options.quiet = true;
  options.unknown_hosts = UnknownHosts::not_found;
  options.limits.address_request_rate = 1;
  options.limits.address_request_burst = 1;
  Server server(options);
  VirtualHost host;
  host.name = "known.test";
  host.mounts.push_back({"/", Fixed{}});
  REQUIRE_FALSE(server.add(host));
  const io::Address address = listen_anywhere(server);
  const Running running(server);
  SocketWire wire(address);
  const std::string request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
  wire.send(request + request);
  CHECK(wire.read_until("\r\n\r\n").starts_with("HTTP/1.1 404 "));
  CHECK(wire.read_until("HTTP/1.1 429 ").ends_with("HTTP/1.1 429 "));
}

TEST_CASE("limits: a burst without a rate is refused in one line") {
  ServerOptions options;
  options.quiet = true;
  options.limits.address_request_burst = 1;
  CHECK(Server(options).run().message == "the limit address_request_burst needs address_request_rate, too");
}
