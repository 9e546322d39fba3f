#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "session/site.h"
#include "wharf/server.hpp"

// Raw rows on doors of a whole server. tests/unit/protocol/raw_forward_test.cpp has every stage of a connection that is handed on.

namespace {

using namespace wharf;
using namespace wharf::test;

/// Upper case of what comes, with what is known of TLS before it.
struct Loud {
  Pipe pipe;
  void data(std::string_view bytes) const {
    std::string loud(pipe.tls("version").value_or("plain"));
    for (const char each : bytes) loud += each >= 'a' && each <= 'z' ? static_cast<char>(each - 'a' + 'A') : each;
    pipe.write(loud);
  }
  void ended() const {
    pipe.write("bye");
    pipe.close();
  }
};

/// Speaks first.
struct Greets {
  explicit Greets(Pipe pipe) { pipe.write("welcome\n"); }
  static void data(std::string_view /*bytes*/) {}
};

/// Hands on to where its option says.
struct Onward {
  struct Shared {
    explicit Shared(Scope scope) : to(scope.option("to").value_or("")) {}
    std::string to;
  };
  Onward(Pipe client, const Shared& shared) { client.forward(shared.to); }
  static void data(std::string_view /*bytes*/) {}
};

/// WebSocket clients alone.
struct Talks {
  Peer peer;
  void message(Kind kind, std::string_view data) { peer.send(kind, data); }
};

io::Address address_of(const std::string& text) {
  return *io::resolve_interface("127.0.0.1", static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1))));
}

/// All that comes back, when this side has ended.
std::string ask(const std::string& address, std::string_view bytes) {
  SocketWire wire(address_of(address));
  wire.send(bytes);
  wire.finish();
  return wire.read_all();
}

Door raw_door(const std::string& row) {
  Door door;
  door.raw = row;
  return door;
}

}  // namespace

TEST_CASE("raw rows: beside HTTP, with TLS and without, on one loop and on three") {
  for (const unsigned threads : {1U, 3U}) {
    ServerOptions options;
    options.quiet = true;
    options.threads = threads;
    Server server(options);
    REQUIRE_FALSE(server.add(protocol<Loud>("loud")));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0, raw_door("loud")));
    Door sealed = raw_door("loud");
    sealed.tls.emplace();
    REQUIRE_FALSE(server.listen("127.0.0.1", 0, sealed));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    const auto addresses = server.addresses();
    const Running running(server);
    SocketWire plain(address_of(addresses[0]));
    plain.send("hello");
    plain.finish();
    CHECK(plain.read_all() == "plainHELLObye");
    TlsWire secure(std::make_unique<SocketWire>(address_of(addresses[1])));
    secure.send("hello");
    CHECK(secure.read_until("HELLO") == "TLSv1.3HELLO");
    SocketWire http(address_of(addresses[2]));
    http.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    CHECK(http.read_all().starts_with("HTTP/1.1 404"));
  }
}

TEST_CASE("raw rows: by ALPN beside HTTP, on the same port") {
  ServerOptions options;
  options.quiet = true;
  Server server(options);
  REQUIRE_FALSE(server.add(protocol<Loud>("loud")));
  Door door;
  door.tls.emplace();
  door.tls->raw_by_alpn["loud/1"] = "loud";
  REQUIRE_FALSE(server.listen("127.0.0.1", 0, door));
  const io::Address address = address_of(server.addresses().front());
  const Running running(server);
  for (const std::vector<std::string>& offer : {std::vector<std::string>{"loud/1"}, {"http/1.1", "loud/1"}, {"http/1.1"}, {}}) {
    tls::ClientSettings settings;
    settings.verify = false;
    settings.protocols = offer;
    const auto context = tls::Context::for_client(settings);
    REQUIRE(context);
    TlsWire wire(std::make_unique<SocketWire>(address), "localhost", context->get());
    wire.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const bool is_raw = !offer.empty() && offer.back() == "loud/1";
    CHECK(wire.read_until(is_raw ? "CLOSE\r\n\r\n" : "HTTP/1.1 404").starts_with(is_raw ? "TLSv1.3GET / HTTP" : "HTTP/1.1 404"));
  }
}

TEST_CASE("raw rows: for what is neither HTTP nor TLS, with TLS and without") {
  ServerOptions options;
  options.quiet = true;
  options.limits.tls_handshake_time = std::chrono::milliseconds(300);
  Server server(options);
  REQUIRE_FALSE(server.add(protocol<Loud>("loud")));
  REQUIRE_FALSE(server.add(protocol<Greets>("greets")));
  Door door = raw_door("loud");
  door.raw_use = RawUse::fallback;
  REQUIRE_FALSE(server.listen("127.0.0.1", 0, door));
  door.tls.emplace();
  REQUIRE_FALSE(server.listen("127.0.0.1", 0, door));
  door.plain_http = PlainHttp::served;
  REQUIRE_FALSE(server.listen("127.0.0.1", 0, door));
  Door greeting = raw_door("greets");
  greeting.raw_use = RawUse::fallback;
  REQUIRE_FALSE(server.listen("127.0.0.1", 0, greeting));
  const auto addresses = server.addresses();
  const Running running(server);
  const std::string get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

  CHECK(ask(addresses[0], get).starts_with("HTTP/1.1 404"));
  CHECK(ask(addresses[0], "\x01hello") == "plain\x01HELLObye");
  TlsWire http(std::make_unique<SocketWire>(address_of(addresses[1])));
  http.send(get);
  CHECK(http.read_until("404").starts_with("HTTP/1.1 404"));
  TlsWire raw(std::make_unique<SocketWire>(address_of(addresses[1])));
  raw.send("\x01hello");
  CHECK(raw.read_until("HELLO") == "TLSv1.3\x01HELLO");
  CHECK(ask(addresses[1], "\x01hello").starts_with("HTTP/1.1 400"));
  CHECK(ask(addresses[2], "\x01hello") == "plain\x01HELLObye");
  SocketWire waits(address_of(addresses[3]));
  CHECK(waits.read_until("\n") == "welcome\n");
}

TEST_CASE("raw rows: doors that say what cannot be") {
  ServerOptions options;
  options.quiet = true;
  Server server(options);
  REQUIRE_FALSE(server.add(protocol<Loud>("loud")));
  Door nothing;
  nothing.raw_use = RawUse::fallback;
  CHECK(server.listen("127.0.0.1", 0, nothing).message == "a door falls back to a raw row, and names none");
  Door both = raw_door("loud");
  both.tls.emplace();
  both.tls->raw_by_alpn["loud/1"] = "loud";
  CHECK(server.listen("127.0.0.1", 0, both).message == "a door that is always for one raw row has no others by ALPN");
  Door other;
  other.tls.emplace();
  other.tls->raw_by_alpn["http/1.1"] = "loud";
  CHECK(server.listen("127.0.0.1", 0, other).message == "http/1.1 is no raw protocol");
  other.tls->raw_by_alpn = {{"loud/1", "loud"}};
  other.tls->alpn = {"http/1.1"};
  CHECK(server.listen("127.0.0.1", 0, other).message ==
        "the raw protocol 'loud' goes by the ALPN name 'loud/1', which is not among those of the door");
  other.tls->raw_by_alpn.clear();
  other.tls->alpn = {"http/1.1", std::string(256, 'a')};
  CHECK(server.listen("127.0.0.1", 0, other).message == "a name of ALPN has 1 to 255 bytes, not 256");
  CHECK(server.addresses().empty());
}

TEST_CASE("raw rows: a connection that is handed on to another server, and one that cannot be") {
  ServerOptions quiet;
  quiet.quiet = true;
  Server behind(quiet);
  REQUIRE_FALSE(behind.add(protocol<Loud>("loud")));
  REQUIRE_FALSE(behind.listen("127.0.0.1", 0, raw_door("loud")));
  const Running running_behind(behind);

  Server front(quiet);
  REQUIRE_FALSE(front.add(protocol<Onward>("onward")));
  VirtualHost host;
  host.options["onward"]["to"] = behind.addresses().front();
  REQUIRE_FALSE(front.add(host));
  REQUIRE_FALSE(front.listen("127.0.0.1", 0, raw_door("onward")));
  const Running running(front);
  SocketWire wire(address_of(front.addresses().front()));
  wire.send("hello");
  CHECK(wire.read_until("HELLO") == "plainHELLO");
  wire.finish();
  CHECK(wire.read_all() == "bye");

  Record lines;
  ServerOptions options;
  options.log = [&lines](Level, std::string_view line) { lines.add(std::string(line)); };
  Server astray(options);
  REQUIRE_FALSE(astray.add(protocol<Onward>("onward")));
  host.options["onward"]["to"] = "unix:/no/such/socket";
  REQUIRE_FALSE(astray.add(host));
  REQUIRE_FALSE(astray.listen("127.0.0.1", 0, raw_door("onward")));
  const Running running_astray(astray);
  SocketWire lost(address_of(astray.addresses().front()));
  CHECK(lost.read_all().empty());
  REQUIRE(lines.lines().size() == 1);
  CHECK(lines.lines().front().find("closed, 'unix:/no/such/socket' could not be reached: ") != std::string::npos);
}

TEST_CASE("raw rows: a door for what is no raw row is an error before anything is served") {
  for (const std::string row : {"talks", "nobody"}) {
    ServerOptions quiet;
    quiet.quiet = true;
    Server server(quiet);
    REQUIRE_FALSE(server.add(protocol<Talks>("talks")));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0, raw_door(row)));
    const Error error = server.run();
    CHECK(error.message == (row == "talks" ? "a door is for the raw protocol 'talks', and there is no such raw one"
                                           : "a door is for the raw protocol 'nobody', and there is no such protocol"));
  }
}

TEST_CASE("raw rows: a host that does not have the row cuts the connection, and the log says why") {
  Record lines;
  ServerOptions options;
  options.log = [&lines](Level, std::string_view line) { lines.add(std::string(line)); };
  Server server(options);
  REQUIRE_FALSE(server.add(protocol<Loud>("loud")));
  REQUIRE_FALSE(server.add(protocol<Talks>("talks")));
  VirtualHost host;
  host.protocols = {"talks"};
  REQUIRE_FALSE(server.add(host));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0, raw_door("loud")));
  const Running running(server);
  SocketWire wire(address_of(server.addresses().front()));
  CHECK(wire.read_all().empty());
  REQUIRE(lines.lines().size() == 1);
  CHECK(lines.lines().front().find("cut, there is no raw row 'loud' on the virtual host ''") != std::string::npos);
}
