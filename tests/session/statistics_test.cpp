#include <doctest/doctest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "session/site.h"
#include "session/wire.h"
#include "wharf/server.hpp"

// What a server counts of those who come in, and of those who are refused.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

/// Responds with the statistics.
struct Counts {
  static void request(Exchange exchange) {
    const ServerStatistics now = exchange.scope().server_statistics();
    std::string text;
    for (const std::uint64_t count : {now.tls.handshakes, now.tls.version_1_2, now.tls.resumed, now.tls.failed, now.tls.cut})
      text += std::to_string(count) + " ";
    text += "|";
    for (const std::uint64_t count :
         {now.refused.connections, now.refused.proxy_headers, now.refused.openings, now.refused.requests})
      text += " " + std::to_string(count);
    exchange.respond(200, "text/plain", text);
  }
};

/// A door of its own for each kind of client, and one in a unix socket, which has no limits, for the statistics.
class Counting {
 public:
  Counting(const std::vector<Door>& doors, const Limits& limits, const RequestRate& rate = {}) : server_(options(limits)) {
    REQUIRE_FALSE(server_.add(protocol<Counts>("counts")));
    VirtualHost host;
    host.mounts.push_back({"/counts/", Requests{"counts"}});
    host.mounts.push_back({"/", Fixed{}});
    host.mounts.back().request_rate = rate;
    REQUIRE_FALSE(server_.add(host));
    REQUIRE_FALSE(server_.listen_unix(inside_));
    for (const Door& door : doors) REQUIRE_FALSE(server_.listen("127.0.0.1", 0, door));
    running_.emplace(server_);
  }

  [[nodiscard]] io::Address address(std::size_t door) const {
    const std::string name = server_.addresses().at(door + 1);
    return *io::resolve_interface("127.0.0.1", static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1))));
  }
  std::string ask(std::size_t door, std::string_view bytes) {
    SocketWire wire(address(door));
    wire.send(bytes);
    return wire.read_all();
  }
  /// Waits until the statistics are these.
  void wait_for(const std::string& counts) {
    std::string seen;
    try {
      wait_until([&] { return (seen = now()) == counts; });
    } catch (const std::runtime_error&) {
      CHECK(seen == counts);
    }
  }

 private:
  static ServerOptions options(const Limits& limits) {
    ServerOptions given;
    given.quiet = true;
    given.limits = limits;
    return given;
  }
  static std::string next_name() {
    static int count = 0;
    return base::concat("@wharf-statistics-", ::getpid(), "-", ++count);
  }
  std::string now() {
    SocketWire wire(*io::unix_address(inside_));
    wire.send("GET /counts/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const std::string response = wire.read_all();
    return response.substr(response.find("\r\n\r\n") + 4);
  }

  std::string inside_ = next_name();
  Server server_;
  std::optional<Running> running_;
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

}  // namespace

TEST_CASE("statistics: handshakes of TLS, by version, those that failed, and what was cut") {
  Door door;
  door.tls = Tls{};
  Limits limits;
  limits.tls_handshake_time = milliseconds(300);
  Counting counting({door}, limits);
  counting.wait_for("0 0 0 0 0 | 0 0 0 0");
  { const TlsWire wire(std::make_unique<SocketWire>(counting.address(0))); }
  counting.wait_for("1 0 0 0 0 | 0 0 0 0");
  const auto old = std::move(*tls::Context::for_client({.authorities = {}, .verify = false}));
  SSL_CTX_set_max_proto_version(old->get(), TLS1_2_VERSION);
  { const TlsWire wire(std::make_unique<SocketWire>(counting.address(0)), "localhost", old.get()); }
  counting.wait_for("2 1 0 0 0 | 0 0 0 0");
  counting.ask(0, "\x16\x03\x01\x00\x04nope");
  counting.wait_for("2 1 0 1 0 | 0 0 0 0");
  SocketWire late(counting.address(0));
  late.send("\x16\x03\x01\x40");
  counting.wait_for("2 1 0 2 0 | 0 0 0 0");
  auto below = std::make_unique<SocketWire>(counting.address(0));
  SocketWire& plain = *below;
  const TlsWire wire(std::move(below));
  plain.send("this is no record of TLS");
  counting.wait_for("3 1 0 2 1 | 0 0 0 0");
}

TEST_CASE("statistics: refusals") {
  Door balanced;
  balanced.proxy_header_from = {"127.0.0.0/8"};
  Door strange;
  strange.proxy_header_from = {"192.0.2.0/24"};
  Door sealed;
  sealed.tls = Tls{};
  Limits limits;
  limits.tls_handshake_time = milliseconds(300);
  Counting counting({balanced, strange, sealed, {}}, limits, {.per_second = 0.001, .burst = 1});
  counting.ask(0, get);
  counting.wait_for("0 0 0 0 0 | 0 1 0 0");
  CHECK(counting.ask(1, "PROXY TCP4 203.0.113.9 198.51.100.7 4711 443\r\n").starts_with("HTTP/1.1 400 "));
  counting.wait_for("0 0 0 0 0 | 0 2 0 0");
  counting.ask(2, "");
  counting.wait_for("0 0 0 0 0 | 0 2 1 0");
  CHECK(counting.ask(3, get).starts_with("HTTP/1.1 200 "));
  CHECK(counting.ask(3, get).starts_with("HTTP/1.1 429 "));
  counting.wait_for("0 0 0 0 0 | 0 2 1 1");
  limits.address_connections = 1;
  Counting bounded({Door{}}, limits);
  const SocketWire first(bounded.address(0));
  SocketWire second(bounded.address(0));
  CHECK(second.read_all().empty());
  bounded.wait_for("0 0 0 0 0 | 1 0 0 0");
}
