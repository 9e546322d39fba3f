// Connections that leave HTTP and pass through a proxy mount.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr std::string_view offer =
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
    "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
constexpr std::string_view taken =
    "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
constexpr std::string_view switched =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

/// A client and a server upstream whose connections are joined.
struct Joined {
  explicit Joined(const ProxyLimits& limits = {}) : bench(ProxyBench::to(), limits) {
    bench.send(client, asks("GET", offer));
    upstream = &bench.accept();
    upstream->take();
    bench.send(*upstream, taken);
    REQUIRE(client.take() == switched);
  }
  [[nodiscard]] bool over() const { return client.closed() && upstream->closed(); }

  ProxyBench bench;
  ProxyBench::Link& client = bench.client();
  ProxyBench::Link* upstream = nullptr;
};

}  // namespace

TEST_CASE("proxy upgrade: an upgrade is offered, taken, and bytes pass both ways (RFC 9110 section 7.8)") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("GET", offer));
  auto& upstream = bench.accept();
  CHECK(upstream.take() == asked("GET", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
                                 "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
  bench.send(upstream, taken);
  CHECK(client.take() == switched);
  bench.send(client, "ping");
  CHECK(upstream.take() == "ping");
  bench.send(upstream, "pong");
  CHECK(client.take() == "pong");
  const std::string large(100'000, 'a');
  bench.send(client, large);
  CHECK(upstream.take() == large);
}

TEST_CASE("proxy upgrade: bytes that come together with the heads are not lost, wherever they are cut") {
  const std::string request = asks("GET", offer) + "early";
  const std::string answer = std::string(taken) + "at once";
  for (std::size_t at = 0; at <= answer.size(); ++at) {
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, request.substr(0, at % request.size()));
    bench.send(client, request.substr(at % request.size()));
    auto& upstream = bench.accept();
    CHECK(upstream.take().find("early") == std::string::npos);  // it may not become a tunnel
    upstream.receive(answer.substr(0, at));
    upstream.receive(answer.substr(at));  // before the client's side had a turn
    bench.run();
    CHECK(client.take() == std::string(switched) + "at once");
    CHECK(upstream.take() == "early");
    bench.send(client, "!");
    CHECK(upstream.take() == "!");
  }
}

TEST_CASE("proxy upgrade: an upgrade that is declined is a response like others, and a request follows") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("GET", offer) + asks());
  auto& upstream = bench.accept();
  upstream.take();
  bench.send(upstream, small_answer);
  CHECK(upstream.take() == asked());
  bench.send(upstream, small_answer);
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  CHECK(received(client) == whole + whole);
  CHECK(bench.outside.count == 1);
}

TEST_CASE("proxy upgrade: a switch to what the client did not offer is 502 (RFC 9110 section 7.8)") {
  for (const char* const upgrade :
       {"Upgrade: h2c\r\n", "Upgrade: websocket, other\r\n", "", "Upgrade: \r\n", "Upgrade: other\r\nUpgrade: websocket\r\n"}) {
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, asks("GET", offer));
    auto& upstream = bench.accept();
    bench.send(upstream, base::concat("HTTP/1.1 101 x\r\n", upgrade, "Connection: Upgrade\r\n\r\n"));
    CHECK(received(client).starts_with("HTTP/1.1 502 "));
    CHECK(upstream.closed());
  }
}

TEST_CASE("proxy upgrade: on a kept connection that has just been closed, the offer is made again") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& old = bench.accept();
  bench.send(old, small_answer);
  received(client);
  bench.send(client, asks("GET", offer));
  bench.end(old);
  auto& upstream = bench.accept();
  bench.send(upstream, taken);
  CHECK(client.take() == switched);
  bench.send(client, "x");
  CHECK(upstream.take().ends_with("\r\n\r\nx"));
}

TEST_CASE("proxy upgrade: a client that does not take the response yet holds the server back from the first byte on") {
  ProxyBench bench;
  auto& client = bench.client();
  client.set_window(0);
  bench.send(client, asks("GET", offer));
  auto& upstream = bench.accept();
  bench.send(upstream, std::string(taken) + std::string(100'000, 'a'));
  CHECK_FALSE(upstream.reading());
  bench.take_in(client, ProxyBench::Link::unlimited);
  CHECK(upstream.reading());
  CHECK(client.take() == std::string(switched) + std::string(100'000, 'a'));
}

TEST_CASE("proxy upgrade: a client that leaves at the moment of the switch") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("GET", offer));
  auto& upstream = bench.accept();
  client.abort();  // nobody has been told yet
  upstream.receive(std::string(taken) + "more");
  bench.run();
  CHECK(client.closed());
  CHECK(upstream.closed());
}

TEST_CASE("proxy upgrade: a server that leaves at the moment of the switch") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("GET", offer));
  auto& upstream = bench.accept();
  upstream.receive(std::string(taken) + "more");
  upstream.abort();
  bench.run();
  CHECK(client.take() == std::string(switched) + "more");
  CHECK(client.closed());
  CHECK(upstream.closed());
}

TEST_CASE("proxy upgrade: ends when nothing has come for long, either way") {
  Joined joined;
  joined.bench.advance(599'999);
  joined.bench.send(joined.client, "a");
  joined.bench.advance(599'999);
  joined.bench.send(*joined.upstream, "b");
  joined.bench.advance(599'999);
  CHECK_FALSE(joined.client.closed());
  CHECK_FALSE(joined.upstream->closed());
  joined.bench.advance(1);
  CHECK(joined.over());
}

TEST_CASE("proxy upgrade: no limit of silence") {
  ProxyLimits limits;
  limits.pipe_idle = base::never;
  Joined joined(limits);
  joined.bench.advance(1'000'000'000);
  CHECK_FALSE(joined.client.closed());
  CHECK(joined.client.due() == base::never);
}

TEST_CASE("proxy upgrade: the time that a request may take counts no more") {
  Joined joined;
  joined.bench.advance(61'000);
  CHECK_FALSE(joined.over());
  joined.bench.send(joined.client, "a");
  CHECK(joined.upstream->take() == "a");
}
