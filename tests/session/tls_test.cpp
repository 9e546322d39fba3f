#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include "session/site.h"
#include "wharf/server.hpp"

// What only a port with TLS shows. The scripts of both_test.cpp run over TLS too.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

/// Echoes.
struct Echoing {
  Peer peer;
  void message(Kind kind, std::string_view data) { peer.send(kind, data); }
};

/// Responds with what the request knows of TLS.
struct Facts {
  static void request(Exchange exchange) {
    std::string text;
    for (const char* const fact : {"version", "server_name", "client_subject"})
      text += std::string(exchange.request().tls(fact).value_or("none")) + ";";
    text += exchange.request().scheme();
    exchange.respond(200, "text/plain", text);
  }
};

io::Address address_of(const std::string& text) {
  return *io::resolve_interface("127.0.0.1", static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1))));
}

std::string get(std::string_view target) {
  return base::concat("GET ", target, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

}  // namespace

TEST_CASE("tls: ports with it and without, on one loop and on four, and each request knows which") {
  for (const unsigned threads : {1U, 4U}) {
    Record lines;
    ServerOptions options;
    options.threads = threads;
    options.log = [&lines](Level, std::string_view line) { lines.add(std::string(line)); };
    Server server(options);
    REQUIRE_FALSE(server.add(protocol<Echoing>("echo")));
    REQUIRE_FALSE(server.add(protocol<Facts>("facts")));
    VirtualHost host;
    host.mounts.push_back({"/", Requests{"facts"}});
    REQUIRE_FALSE(server.add(host));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0, {Tls{}}));
    const io::Address plain = address_of(server.addresses()[0]);
    const io::Address secure = address_of(server.addresses()[1]);
    const Running running(server);
    for (int i = 0; i < 8; ++i) {
      SocketWire in_the_clear(plain);
      in_the_clear.send(get("/"));
      CHECK(in_the_clear.read_all().ends_with("none;none;none;http"));
      TlsWire sealed(std::make_unique<SocketWire>(secure));
      sealed.send(get("/"));
      CHECK(sealed.read_all().ends_with("TLSv1.3;localhost;none;https"));
      TlsWire talking(std::make_unique<SocketWire>(secure));
      WsTalk talk(talking, "echo");
      talk.send(text("hello"));
      CHECK(talk.next() == "text hello");
    }
    REQUIRE(lines.lines().size() == 1);  // the fingerprint
  }
}

TEST_CASE("tls: what is wrong with a certificate is the error of listen(), and nothing is bound") {
  Server server{ServerOptions{}};
  Tls tls;
  tls.certificates.push_back({"/no/such/file.pem"});
  CHECK(server.listen("127.0.0.1", 0, {tls}).message ==
        "cannot read a certificate from '/no/such/file.pem': No such file or directory; it must be PEM");
  CHECK(server.addresses().empty());
}

TEST_CASE("tls: a stop ends open connections with close_notify, and handshakes at once") {
  TlsSocketSite site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo");
  SocketWire silent(site.address());
  site.wait_for_connections(2);
  site.stop(base::Time{5'000});
  CHECK(silent.read_all().empty());
  CHECK(talk.next() == "close 1001 server is stopping");
  talk.send(close_frame(1001));
  CHECK(talk.next() == "end");
  CHECK(wire->ended_well());
  site.join();
}

TEST_CASE("tls: a client that sends KeyUpdates and nothing else is cut, and others are served meanwhile (RFC 8446 section 4.6.3)") {
  static SSL* flooding = nullptr;
  const auto context = std::move(*tls::Context::for_client({.authorities = {}, .verify = false}));
  SSL_CTX_set_info_callback(context->get(), [](const SSL* ssl, int, int) { flooding = const_cast<SSL*>(ssl); });
  TlsSocketSite site;
  const auto other = site.connect();
  WsTalk talk(*other, "echo");
  for (int round = 0; round < 3; ++round) {
    TlsWire wire(std::make_unique<SocketWire>(site.address()), "localhost", context.get());
    REQUIRE(flooding != nullptr);
    for (int i = 0; i < 5'000; ++i)
      REQUIRE((SSL_key_update(flooding, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(flooding) == 1));
    try {
      wire.send("");
      wire.read_all();
    } catch (const std::runtime_error&) {  // it was reset
    }
    talk.send(text("hello"));
    CHECK(talk.next() == "text hello");
  }
  wait_until([&site] { return site.log().count("messages of TLS itself without data") == 3; });
  site.wait_for_connections(1);
}

TEST_CASE("limits: tls_handshake_time") {
  CHECK(Limits{}.tls_handshake_time == milliseconds(10'000));
  Limits limits;
  limits.tls_handshake_time = milliseconds(200);
  SocketSite site(room_limits(limits), Begin::at_once, SocketKind::tls);
  const auto begin = std::chrono::steady_clock::now();
  SocketWire silent(site.address());
  silent.send("\x16\x03\x01");
  CHECK(silent.read_all().empty());
  CHECK(std::chrono::steady_clock::now() - begin >= milliseconds(190));
  wait_until([&site] { return site.log().count("the handshake took too long") == 1; });
}
