// Interim responses, and bodies that wait for one (RFC 9110 sections 10.1.1 and 15.2).
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr std::string_view hints = "HTTP/1.1 103 x\r\nLink: </a>\r\nConnection: X-Own\r\nX-Own: 1\r\nContent-Length: 3\r\n\r\n";
constexpr std::string_view hinted = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
constexpr std::string_view expects = "Content-Length: 3\r\nExpect: 100-continue\r\n";
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";

std::string expecting() { return asked("PUT", "", "Expect: 100-continue\r\nContent-Length: 3\r\n"); }

/// A client that waits to be told before it sends its body, and a server that has its request.
struct Waiting {
  explicit Waiting(const Proxy& proxy = ProxyBench::to()) : bench(proxy) {
    bench.send(client, asks("PUT", expects));
    upstream = &bench.accept();
    REQUIRE(upstream->take() == expecting());
    REQUIRE(client.take().empty());
  }

  ProxyBench bench;
  ProxyBench::Link& client = bench.client();
  ProxyBench::Link* upstream = nullptr;
};

}  // namespace

TEST_CASE("proxy interim: each passes as it comes, to clients of HTTP/1.1 (RFC 9110 section 15.2)") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, hints);
  CHECK(client.take() == hinted);
  bench.send(upstream, "HTTP/1.1 199\r\nLocation: /base/x\r\n\r\nHTTP/1.1 102 x\r\n\r\n");
  CHECK(client.take() == "HTTP/1.1 199 Unknown\r\nLocation: /app/x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
  bench.send(upstream, small_answer);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  bench.send(client, "GET /app/x HTTP/1.0\r\n\r\n");
  bench.send(upstream, std::string(hints) + std::string(small_answer));
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
}

TEST_CASE("proxy interim: they can be kept from clients that would take them for the final response") {
  Proxy proxy = ProxyBench::to();
  proxy.send_interim = Switch::off;
  ProxyBench bench(proxy);
  auto& client = bench.client();
  bench.send(client, asks());
  bench.send(bench.accept(), std::string(hints) + std::string(small_answer));
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_CASE("proxy interim: a client that does not read holds them back") {
  ProxyBench bench;
  auto& client = bench.client();
  client.set_window(0);
  bench.send(client, asks());
  auto& upstream = bench.accept();
  const std::string large = base::concat("HTTP/1.1 103 x\r\nLink: ", std::string(60'000, 'a'), "\r\n\r\n");
  int sent = 0;
  for (; sent < 16 && upstream.reading(); ++sent) bench.send(upstream, large);
  CHECK(sent == 2);
  CHECK(client.out().size() < bench.limits.high_water + large.size());
  bench.take_in(client, ProxyBench::Link::unlimited);
  CHECK(upstream.reading());
  bench.send(upstream, small_answer);
  CHECK(received(client).ends_with("hello"));
  CHECK_FALSE(upstream.closed());
}

TEST_CASE("proxy interim: a client that has gone wants none") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  client.abort();  // nobody has been told yet
  upstream.receive(hints);
  bench.run();
  CHECK(upstream.closed());
}

TEST_CASE("proxy interim: the server decides whether a body that waits is sent (RFC 9110 section 10.1.1)") {
  Waiting one;
  one.bench.send(*one.upstream, go_on);
  CHECK(one.client.take() == go_on);
  one.bench.send(*one.upstream, go_on);  // once is enough
  CHECK(one.client.take().empty());
  one.bench.send(one.client, "abc");
  CHECK(one.upstream->take() == "abc");
  one.bench.send(*one.upstream, small_answer);
  CHECK(received(one.client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  one.bench.send(one.client, asks("PUT", expects));  // on a connection that is there already
  CHECK(one.upstream->take() == expecting());
  one.bench.send(*one.upstream, go_on);
  CHECK(one.client.take() == go_on);
}

TEST_CASE("proxy interim: a body that the server does not want is never asked for") {
  Waiting one;
  one.bench.send(*one.upstream, "HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n");
  CHECK(received(one.client) == "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CHECK(one.upstream->closed());  // it may still wait for the body
  one.bench.advance(10'000);
  CHECK(one.client.take().empty());
}

TEST_CASE("proxy interim: a client does not wait for ever for a server that knows no 100-continue (RFC 9110 section 10.1.1)") {
  Waiting one;
  one.bench.advance(999);
  CHECK(one.client.take().empty());
  one.bench.advance(1);
  CHECK(one.client.take() == go_on);
  one.bench.send(*one.upstream, go_on);
  CHECK(one.client.take().empty());
  one.bench.send(one.client, "abc");
  CHECK(one.upstream->take() == "abc");
  one.bench.send(*one.upstream, small_answer);
  CHECK(received(one.client).ends_with("hello"));
  one.bench.advance(5'000);
  CHECK_FALSE(one.client.closed());
}

TEST_CASE("proxy interim: a body that does not wait is not kept waiting") {
  Waiting one;
  one.bench.send(one.client, "abc");
  one.bench.advance(1'000);
  CHECK(one.upstream->take() == "abc");
  one.bench.send(*one.upstream, std::string(go_on) + std::string(small_answer));
  CHECK(received(one.client).ends_with("hello"));
}

TEST_CASE("proxy interim: a client that did not ask gets no 100") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("PUT", "Content-Length: 3\r\n", "abc"));
  auto& upstream = bench.accept();
  CHECK(upstream.take() == asked("PUT", "", "Content-Length: 3\r\n") + "abc");
  bench.send(upstream, std::string(go_on) + std::string(small_answer));
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_CASE("proxy interim: sent again while the client still waits") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& old = bench.accept();
  bench.send(old, small_answer);
  received(client);
  bench.send(client, asks("PUT", expects));
  bench.end(old);
  auto& fresh = bench.accept();
  CHECK(fresh.take() == expecting());
  bench.send(fresh, go_on);
  CHECK(client.take() == go_on);
}
