#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/site.h"
#include "temporary_folder.h"
#include "tls/self_signed.h"
#include "wharf/server.hpp"

// What the settings of a door do to those who come in.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

/// Responds with what the request knows of its client.
struct Where {
  static void request(Exchange exchange) {
    const Request& request = exchange.request();
    std::string text = std::string(request.address()) + " " + std::string(request.scheme());
    for (const char* const fact : {"version", "destination", "authority", "0xea"})
      text += " " + std::string(request.proxy(fact).value_or("-"));
    exchange.respond(200, "text/plain", text);
  }
};

struct Echoing {
  Peer peer;
  void message(Kind kind, std::string_view data) { peer.send(kind, data); }
};

io::Address address_of(const std::string& text) {
  return *io::resolve_interface("127.0.0.1", static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1))));
}

constexpr std::string_view get = "GET /x?y=1 HTTP/1.1\r\nHost: a.test:80\r\nConnection: close\r\n\r\n";
constexpr std::string_view line = "PROXY TCP4 203.0.113.9 198.51.100.7 4711 443\r\n";
constexpr std::string_view by_tls{
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x23\xcb\0\x71\x09\xc6\x33\x64\x07\x12\x67\x01\xbb\x20\0\5\1\0\0\0\0\2\0\6a.test\xea\0\3vpc",
    51};

/// A server with one door.
class House {
 public:
  explicit House(const Door& door, const Limits& limits = {}, StrictTransportSecurity strict = {}, std::vector<Mount> more = {})
      : server_(options(limits)), first_(open(door, strict, std::move(more))), running_(server_) {}

  std::string ask(std::string_view bytes) {
    SocketWire wire(first_);
    wire.send(bytes);
    return wire.read_all();
  }
  std::string ask_by_tls(std::string_view bytes, std::string_view before = {}) {
    auto below = std::make_unique<SocketWire>(first_);
    below->send(before);
    TlsWire wire(std::move(below));
    wire.send(bytes);
    return wire.read_all();
  }
  [[nodiscard]] const io::Address& address() const { return first_; }
  [[nodiscard]] const Record& lines() const { return lines_; }

 private:
  ServerOptions options(const Limits& limits) {
    ServerOptions given;
    given.limits = limits;
    given.log_level = Level::info;
    given.log = [this](Level, std::string_view text) { lines_.add(std::string(text)); };
    return given;
  }
  io::Address open(const Door& door, const StrictTransportSecurity& strict, std::vector<Mount> more) {
    REQUIRE_FALSE(server_.add(protocol<Where>("where")));
    REQUIRE_FALSE(server_.add(protocol<Echoing>("echo")));
    VirtualHost host;
    host.mounts = std::move(more);
    host.mounts.push_back({"/", Requests{"where"}, {{"X-Own", "1"}}});
    host.strict_transport_security = strict;
    REQUIRE_FALSE(server_.add(host));
    REQUIRE_FALSE(server_.listen("127.0.0.1", 0, door));
    return address_of(server_.addresses().front());
  }

  Record lines_;
  Server server_;
  io::Address first_;
  Running running_;
};

Door with_tls(PlainHttp plain) {
  Door door;
  door.tls = Tls{};
  door.plain_http = plain;
  return door;
}

Door with_headers(const std::string& network) {
  Door door;
  door.proxy_header_from = {network};
  return door;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("doors: plain HTTP on a door with TLS is refused, redirected or served") {
  House refusing(with_tls(PlainHttp::refused));
  const std::string refused = refusing.ask(get);
  CHECK(refused.starts_with("HTTP/1.1 400 "));
  CHECK(has(refused, "Connection: close\r\n"));
  CHECK(has(refused, "use https"));
  CHECK(refusing.ask("\1\2\3\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(refusing.lines().count("no TLS, an HTTP request without it was refused") == 1);
  CHECK(has(refusing.ask_by_tls(get), " https - - - -"));
  House redirecting(with_tls(PlainHttp::redirected));
  const std::string port = std::to_string(io::peer_address(redirecting.address()).port());
  const std::string moved = redirecting.ask(get);
  CHECK(moved.starts_with("HTTP/1.1 308 "));
  CHECK(has(moved, "Location: https://a.test:" + port + "/x?y=1\r\n"));
  CHECK(has(moved, "Connection: close\r\n"));
  CHECK(
      has(redirecting.ask("GET http://b.test/z HTTP/1.1\r\nHost: b.test\r\n\r\n"), "Location: https://b.test:" + port + "/z\r\n"));
  CHECK(has(redirecting.ask("GET / HTTP/1.1\r\nHost: [::1]:7\r\n\r\n"), "Location: https://[::1]:" + port + "/\r\n"));
  CHECK(redirecting.ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(redirecting.ask("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(redirecting.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(has(redirecting.ask_by_tls(get), " https - - - -"));
  House serving(with_tls(PlainHttp::served));
  CHECK(has(serving.ask(get), " http - - - -"));
  CHECK(has(serving.ask_by_tls(get), " https - - - -"));
}

TEST_CASE("doors: plain HTTP on a door without TLS is redirected to another port") {
  Door door;
  door.plain_http = PlainHttp::redirected;
  House usual(door);
  constexpr std::string_view twice =
      "GET /x?y=1 HTTP/1.1\r\nHost: a.test:80\r\n\r\nGET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n";
  const std::string moved = usual.ask(twice);  // the connection goes on
  CHECK(has(moved, "Location: https://a.test/x?y=1\r\n"));
  CHECK(has(moved, "Location: https://b.test/\r\n"));
  CHECK(usual.ask("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(usual.ask("\1\2\3\r\n\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(usual.lines().count("no TLS") == 0);
  door.https_port = 8443;
  CHECK(has(House(door).ask(get), "Location: https://a.test:8443/x?y=1\r\n"));
  Door sealed = with_tls(PlainHttp::redirected);
  sealed.https_port = 443;
  CHECK(has(House(sealed).ask(get), "Location: https://a.test/x?y=1\r\n"));
}

TEST_CASE("doors: who comes by TLS as far as a balancer is served, and not sent in circles") {
  Door door = with_headers("127.0.0.1");
  door.plain_http = PlainHttp::redirected;
  House house(door);
  CHECK(has(house.ask(std::string(by_tls) + std::string(get)), "203.0.113.9:4711 https"));
  CHECK(house.ask(std::string(line) + std::string(get)).starts_with("HTTP/1.1 308 "));
}

TEST_CASE("doors: a mount may be served without TLS where all else is redirected or refused") {
  Mount open{"/open/", Requests{"where"}, {{"X-Open", "1"}}};
  open.without_tls = Switch::on;
  Door plain;
  plain.plain_http = PlainHttp::redirected;
  for (const Door& door : {plain, with_tls(PlainHttp::redirected), with_tls(PlainHttp::refused)}) {
    House house(door, {}, {}, {open});
    const auto ask = [&house](std::string_view target) {
      return house.ask("GET " + std::string(target) + " HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").substr(9, 3);
    };
    for (const char* target : {"/open/", "/open", "/%6fpen/x", "/open/x?y", "http://a.test/open/x"})
      CHECK_MESSAGE(ask(target) == "200", target);
    const std::string other = door.plain_http == PlainHttp::refused ? "400" : "308";
    for (const char* target : {"/", "/openx", "/x/open/", "/Open/", "//open/"}) CHECK_MESSAGE(ask(target) == other, target);
    for (const char* target : {"/open/../secret", "/open/%2e%2e/secret"}) CHECK_MESSAGE(ask(target) == "404", target);
    CHECK(has(house.ask("GET /open/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"), "X-Open: 1\r\n"));
  }
}

TEST_CASE("doors: a mount that is served without TLS was a way to all protocols, past TLS and past the passwords of others") {
  Mount open{"/open/", Requests{"where"}};
  open.without_tls = Switch::on;
  Door plain;
  plain.plain_http = PlainHttp::redirected;
  for (const Door& door : {plain, with_tls(PlainHttp::refused), Door{}}) {
    House house(door, {}, {}, {open});
    SocketWire wire(house.address());
    wire.send(
        "GET /open/x HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: echo\r\n\r\n");
    CHECK(wire.read_until("\r\n").substr(9, 3) == "200");
  }
}

TEST_CASE("doors: a client that comes by bytes, on a door with TLS") {
  House house(with_tls(PlainHttp::served));
  SocketWire wire(house.address());
  for (const char byte : get) wire.send({&byte, 1});
  CHECK(has(wire.read_all(), " http - - - -"));
}

TEST_CASE("doors: a PROXY header names the client, before HTTP and before TLS") {
  House plain(with_headers("127.0.0.0/8"));
  CHECK(has(plain.ask(std::string(line) + std::string(get)), "203.0.113.9:4711 http 1 198.51.100.7:443 - -"));
  CHECK(has(plain.ask(std::string(by_tls) + std::string(get)), "203.0.113.9:4711 https 2 198.51.100.7:443 a.test vpc"));
  CHECK(has(plain.ask(std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16) + std::string(get)), "127.0.0.1:"));
  CHECK(plain.ask(get).empty());
  CHECK(plain.lines().count("its PROXY header is not taken: there is none") == 1);
  Door both = with_headers("127.0.0.1");
  both.tls = Tls{};
  House secure(both);
  CHECK(has(secure.ask_by_tls(get, line), "203.0.113.9:4711 https 1 198.51.100.7:443 - -"));
  CHECK(secure.ask(std::string(line) + std::string(get)).starts_with("HTTP/1.1 400 "));
  CHECK(secure.lines().count("203.0.113.9:4711: no TLS, an HTTP request") == 1);
}

TEST_CASE("doors: a PROXY header of a stranger is refused, and a stranger without one is served") {
  Door both = with_headers("192.0.2.0/24");
  for (int i = 0; i < 2; ++i) {
    House house(both);
    for (const std::string_view header : {line, by_tls})
      CHECK(house.ask(std::string(header) + std::string(get)).starts_with("HTTP/1.1 400 "));
    CHECK(house.lines().count("it sent a PROXY header and is none of the balancers") == 2);
    CHECK(has(i == 0 ? house.ask(get) : house.ask_by_tls(get), "127.0.0.1:"));
    both.tls = Tls{};
  }
}

TEST_CASE("doors: clients that a PROXY header names were not counted if balancers may come from the same network") {
  Limits limits;
  limits.address_connections = 1;
  House house(with_headers("0.0.0.0/0"), limits);
  SocketWire first(house.address());
  first.send(std::string(line) + "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  CHECK(first.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  SocketWire second(house.address());
  second.send(std::string(line) + std::string(get));
  wait_until([&house] { return house.lines().count("203.0.113.9 has as many connections as address_connections allows") == 1; });
  const std::string_view check{"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16};  // the balancer's own
  SocketWire third(house.address());
  third.send(std::string(check) + "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
  CHECK(third.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  CHECK(has(house.ask(std::string(check) + std::string(get)), "127.0.0.1:"));
}

TEST_CASE("doors: where PROXY headers are taken, those who send none were not counted before their first byte") {
  Limits limits;
  limits.address_connections = 2;
  House house(with_headers("192.0.2.0/24"), limits);
  const SocketWire silent(house.address());
  const SocketWire as_silent(house.address());
  SocketWire third(house.address());
  CHECK(third.read_all().empty());
  CHECK(house.lines().count("as many connections as address_connections allows") == 1);
  House balanced(with_headers("127.0.0.1"), limits);
  const SocketWire one(balanced.address());
  const SocketWire two(balanced.address());
  CHECK(has(balanced.ask(std::string(line) + std::string(get)), "203.0.113.9:4711"));
}

TEST_CASE("doors: settings that mean nothing are errors of listen()") {
  Server server{ServerOptions{}};
  CHECK(server.listen("127.0.0.1", 0, with_headers("10.0.0.1/8")).message.starts_with("PROXY headers: network '10.0.0.1/8'"));
  Door door;
  door.plain_http = PlainHttp::served;
  CHECK(server.listen("127.0.0.1", 0, door).message ==
        "what becomes of plain HTTP can be chosen only for a door with HTTP, and without TLS it can only be redirected");
  door.plain_http = PlainHttp::refused;
  door.https_port = 443;
  CHECK(server.listen("127.0.0.1", 0, door).message == "a door that does not redirect plain HTTP has no use for https_port");
  CHECK(server.addresses().empty());
}

TEST_CASE("doors: settings that have no effect at any address of a door are errors of listen()") {
  const TemporaryFolder folder;
  const std::string path = folder.file("socket");
  Server server{ServerOptions{}};
  const auto at_port = [&server](const Door& door) { return server.listen("127.0.0.1", 0, door).message; };
  const auto at_path = [&server](const Door& door, const std::string& place) { return server.listen_unix(place, door).message; };
  for (const auto& change : std::vector<std::function<void(Door&)>>{
           [](Door& door) { door.mode = 0600; }, [](Door& door) { door.owner = "0"; }, [](Door& door) { door.group = "0"; }}) {
    Door door;
    change(door);
    CHECK(at_port(door) ==
          "cannot listen on 127.0.0.1:0: mode, owner and group are those of a unix socket's file, and a port has none; leave them "
          "out");
    CHECK(has(at_path(door, "@wharf-doors-test"), "and a name of the abstract kind has none; leave them out"));
  }
  Door fast;
  fast.fast_open = 5;
  CHECK(at_path(fast, path) ==
        "cannot listen on unix:" + path + ": fast_open is for ports, and has no effect on a unix socket; leave it out");
  fast.fast_open = -1;
  CHECK(has(at_port(fast), "the fast_open of a door is a number of connections, or 0 for none"));
  Door queue;
  queue.backlog = -1;
  CHECK(has(at_port(queue), "the backlog of a door is a number of connections, or 0 for Limits::backlog"));
  CHECK(has(at_port(with_headers("unix")),
            "PROXY headers are taken from unix sockets alone, and nobody comes to a port by one; name networks"));
  CHECK(has(at_path(with_headers("127.0.0.1"), path),
            "PROXY headers are taken from networks alone, and who comes to a unix socket is in none; name `unix`"));
  CHECK(server.addresses().empty());
  Door both = with_headers("127.0.0.1");
  both.proxy_header_from.emplace_back("unix");
  CHECK(at_port(both).empty());
  CHECK(at_path(both, path).empty());
}

TEST_CASE("doors: what a virtual host has of TLS, and no door can have an effect of, is a warning") {
  const TemporaryFolder folder;
  const auto made = tls::self_signed(std::array<std::string, 1>{"a.example"});
  REQUIRE(made);
  VirtualHost host;
  host.name = "a.example";
  host.certificates = {{folder.write("a.pem", made->certificate + made->key)}};
  host.strict_transport_security.max_age = std::chrono::hours(1);
  const auto warnings = [&host](const Door& door, TrustedFronts fronts) {
    Record lines;
    ServerOptions options;
    options.log = [&lines](Level, std::string_view text) { lines.add(std::string(text)); };
    options.fronts = std::move(fronts);
    {  // at the end of the server, all lines have been handed over
      Server server(options);
      REQUIRE_FALSE(server.add(host));
      REQUIRE_FALSE(server.listen("127.0.0.1", 0, door));
      const Running running(server);
      VirtualHost later = host;
      later.name = "b.example";
      REQUIRE_FALSE(server.add(later));
    }
    return std::to_string(lines.count("the certificates of the virtual host '")) + " " +
           std::to_string(lines.count("strict_transport_security of the virtual host '"));
  };
  CHECK(warnings({}, {}) == "2 2");
  CHECK(warnings({}, {{"127.0.0.1"}}) == "2 0");
  CHECK(warnings(with_headers("127.0.0.1"), {}) == "2 0");
  CHECK(warnings(with_tls(PlainHttp::refused), {}) == "0 0");
}

TEST_CASE("limits: proxy_header and proxy_header_time") {
  CHECK(Limits{}.proxy_header == 4'096);
  CHECK(Limits{}.proxy_header_time == milliseconds(10'000));
  Limits limits;
  limits.proxy_header = by_tls.size() - 1;
  limits.proxy_header_time = milliseconds(50);
  House house(with_headers("127.0.0.1"), limits);
  CHECK(house.ask(by_tls).empty());
  CHECK(house.lines().count("its PROXY header is not taken: it is too long") == 1);
  CHECK(house.ask("PROXY").empty());
  CHECK(house.lines().count("its PROXY header is not taken: it took too long") == 1);
  limits.proxy_header = by_tls.size();
  House other(with_headers("127.0.0.1"), limits);
  CHECK(has(other.ask(std::string(by_tls) + std::string(get)), "203.0.113.9:4711"));
}

TEST_CASE("strict transport security: in all responses over TLS, and never without (RFC 6797 section 7.2)") {
  const StrictTransportSecurity strict{std::chrono::hours(1), Switch::on, Switch::on};
  constexpr std::string_view field = "\r\nStrict-Transport-Security: max-age=3600; includeSubDomains; preload\r\n";
  House house(with_tls(PlainHttp::served), {}, strict);
  const std::string secure = house.ask_by_tls(get);
  CHECK(has(secure, field));
  CHECK(has(secure, "\r\nX-Own: 1\r\n"));
  CHECK(has(house.ask_by_tls("GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), field));
  const std::string plain = house.ask(get);
  CHECK_FALSE(has(plain, "Strict"));
  CHECK(has(plain, "\r\nX-Own: 1\r\n"));
  TlsWire wire(std::make_unique<SocketWire>(house.address()));
  wire.send(upgrade_request("echo"));
  const std::string switched = wire.read_until("\r\n\r\n");
  CHECK(switched.starts_with("HTTP/1.1 101 "));
  CHECK(has(switched, field));
  CHECK_FALSE(has(switched, "X-Own"));
  House behind(with_headers("127.0.0.1"), {}, strict);
  CHECK(has(behind.ask(std::string(by_tls) + std::string(get)), field));
  CHECK_FALSE(has(behind.ask(std::string(line) + std::string(get)), "Strict"));
}

TEST_CASE("strict transport security: what contradicts itself is an error") {
  const auto fault = [](StrictTransportSecurity strict, std::vector<Mount> mounts = {}) {
    Server server{ServerOptions{}};
    VirtualHost host;
    host.strict_transport_security = strict;
    host.mounts = std::move(mounts);
    return server.add(std::move(host)).message;
  };
  CHECK(fault({std::chrono::seconds(-1)}) == "the max_age of strict_transport_security is a number of seconds, not less than 0");
  CHECK(fault({std::chrono::seconds(0), Switch::on}) == "strict_transport_security needs a max_age");
  CHECK(fault({std::chrono::seconds(1), Switch::off, Switch::on}) ==
        "the preload of strict_transport_security needs include_subdomains");
  CHECK(fault({std::chrono::seconds(1)}, {{"/", Fixed{}, {{"strict-transport-security", "max-age=0"}}}}) ==
        "mount '/': strict-transport-security is sent because of strict_transport_security; leave one of the two out");
  CHECK(fault({}, {{"/", Fixed{}, {{"Strict-Transport-Security", "max-age=0"}}}}).empty());
}
