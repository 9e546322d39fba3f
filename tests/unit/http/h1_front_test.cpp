// Requests that come through servers in front.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mailbox.h"
#include "protocol/row_exchange.h"
#include "protocol/services.h"
#include "unit/http/h1_bench.h"
#include "wharf/protocol.hpp"

namespace {

using namespace wharf;
using namespace wharf::test;

codec::TrustedFronts trusting(std::string_view network) {
  return {{*base::PeerNetwork::parse(network)}, codec::ForwardingFields::either};
}

std::string ask(std::string_view fields) { return base::concat("GET / HTTP/1.1\r\nHost: up.example\r\n", fields, "\r\n"); }

/// Each response names the client, and its scheme and host.
void tell(session::Exchange& exchange) {
  exchange.respond(
      session::text_response(200, base::concat(exchange.client().text(), " ", exchange.scheme(), " ", exchange.host())));
}

std::string told(H1Bench& bench, std::string_view fields) {
  bench.link.receive(ask(fields));
  std::string bytes = bench.link.take();
  return take_answer(bytes).body;
}

constexpr std::string_view forwarded =
    "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example\r\n";

/// The request as a row sees it.
struct Seen {
  static void request(Exchange exchange) {
    const Request& asked = exchange.request();
    const PeerAddress peer = asked.peer();
    exchange.respond(
        200, "text/plain",
        base::concat(asked.address(), "|", static_cast<int>(peer.family), "|", peer.host, "|", peer.port, "|",
                     static_cast<int>(peer.bytes[0]), "|", asked.scheme(), "|", asked.is_secure() ? 1 : 0, "|", asked.host()));
  }
};

}  // namespace

TEST_CASE("front: each request on the connection of a trusted front has a client of its own") {
  H1Bench bench;
  bench.context.fronts = trusting("192.0.2.0/24");
  bench.handler.answer = tell;
  CHECK(told(bench, forwarded) == "203.0.113.7 https www.example\n");
  CHECK(told(bench, "X-Forwarded-For: 203.0.113.8:80\r\n") == "203.0.113.8:80 http up.example\n");
  CHECK(told(bench, "") == "192.0.2.1:4711 http up.example\n");
  CHECK(told(bench, "Forwarded: for=\"[2001:db8::1]\";proto=https\r\n") == "2001:db8::1 https up.example\n");
}

TEST_CASE("front: anybody else who names a client is not believed") {
  H1Bench bench;
  bench.handler.answer = tell;
  CHECK(told(bench, forwarded) == "192.0.2.1:4711 http up.example\n");
  bench.context.fronts = trusting("192.0.3.0/24");
  CHECK(told(bench, forwarded) == "192.0.2.1:4711 http up.example\n");
  bench.context.fronts = trusting("unix");
  CHECK(told(bench, forwarded) == "192.0.2.1:4711 http up.example\n");
  bench.link.set_address("unix:");
  CHECK(told(bench, forwarded) == "203.0.113.7 https www.example\n");
  bench.link.set_address("");
  CHECK(told(bench, forwarded) == " http up.example\n");
}

TEST_CASE("front: what a front said stays as long as the exchange, even if the head's bytes are gone") {
  H1Bench bench;
  bench.context.fronts = trusting("192.0.2.1");
  session::Exchange* open = nullptr;
  bench.handler.answer = [&open](session::Exchange& exchange) {
    exchange.set_responder(std::make_unique<session::Responder>());
    open = &exchange;
  };
  std::string bytes = ask(forwarded);
  for (const char c : bytes) bench.link.receive({&c, 1});
  REQUIRE(open != nullptr);
  bytes.assign(bytes.size(), '!');
  tell(*open);
  bench.link.run();
  std::string answered = bench.link.take();
  CHECK(take_answer(answered).body == "203.0.113.7 https www.example\n");
}

TEST_CASE("front: a connection that left HTTP is its client's, in the log too") {
  H1Bench bench;
  bench.context.fronts = trusting("192.0.2.1");
  bench.handler.answer = [](session::Exchange& exchange) {
    exchange.switch_to("lines/1", {}, [](session::Link&) { return nullptr; });
  };
  bench.link.receive(ask(base::concat("Connection: Upgrade\r\nUpgrade: lines/1\r\n", forwarded)));
  CHECK(bench.link.take().starts_with("HTTP/1.1 101 "));
  CHECK(bench.link.peer().address.text() == "203.0.113.7");
  CHECK(bench.link.address() == "203.0.113.7");
}

TEST_CASE("front: rows see the client, the scheme and the host, in parts too") {
  H1Bench bench;
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  session::Home home{bench.log, handles, [&bench] { return bench.now; }};
  session::Protocol row{session::service_table(), home};
  const Protocol made = protocol<Seen>("seen");
  row.row = made;
  row.http = *row.row.http;
  bench.handler.answer = [&row](session::Exchange& exchange) { session::RowExchange::serve(exchange, row, {"/", {}}); };
  CHECK(told(bench, forwarded) == "192.0.2.1:4711|1|192.0.2.1|4711|192|http|0|up.example");
  bench.context.fronts = trusting("192.0.2.1");
  CHECK(told(bench, forwarded) == "203.0.113.7|1|203.0.113.7|0|203|https|1|www.example");
  CHECK(told(bench, "X-Forwarded-For: [2001:db8::1]:80\r\n") == "[2001:db8::1]:80|2|2001:db8::1|80|32|http|0|up.example");
  bench.link.set_address("unix:");
  CHECK(told(bench, "") == "unix:|3|unix:|0|0|http|0|up.example");
  bench.link.abort();
  bench.link.run();
}
