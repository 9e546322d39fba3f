// Connections upstream: how they are made, kept and used again.
#include "proxy/upstream_pool.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

/// One exchange, over which a new connection has been made, or an old one used.
void exchange(ProxyBench& bench, ProxyBench::Link& client, ProxyBench::Link& upstream) {
  upstream.take();
  bench.send(client, asks());
  REQUIRE(upstream.take() == asked());
  bench.send(upstream, small_answer);
  REQUIRE(received(client).ends_with("hello"));
}

/// A connection upstream that waits for the second request.
ProxyBench::Link& kept(ProxyBench& bench, ProxyBench::Link& client) {
  bench.send(client, asks());
  auto& upstream = bench.accept();
  upstream.take();
  bench.send(upstream, small_answer);
  REQUIRE(received(client).ends_with("hello"));
  REQUIRE_FALSE(upstream.closed());
  return upstream;
}

}  // namespace

TEST_CASE("upstream pool: a bounded number of idle connections is kept, and the last used is used first") {
  Proxy proxy = ProxyBench::to();
  proxy.idle_connections = 2;
  ProxyBench bench(proxy);
  std::vector<ProxyBench::Link*> clients;
  std::vector<ProxyBench::Link*> upstreams;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(&bench.client());
    bench.send(*clients.back(), asks());
  }
  CHECK(bench.outside.count == 3);
  for (int i = 0; i < 3; ++i) upstreams.push_back(&bench.accept());
  for (ProxyBench::Link* const upstream : upstreams) {
    CHECK(upstream->take() == asked());
    bench.send(*upstream, small_answer);
  }
  for (ProxyBench::Link* const client : clients) CHECK(received(*client).ends_with("hello"));
  CHECK_FALSE(upstreams[0]->closed());
  CHECK_FALSE(upstreams[1]->closed());
  CHECK(upstreams[2]->closed());
  exchange(bench, *clients[0], *upstreams[1]);
  exchange(bench, *clients[2], *upstreams[1]);
  CHECK(bench.outside.count == 3);
}

TEST_CASE("upstream pool: idle connections end after a while, counted anew for each request") {
  ProxyBench bench;
  auto& client = bench.client();
  auto& upstream = kept(bench, client);
  bench.advance(29'999);
  exchange(bench, client, upstream);
  bench.advance(29'999);
  CHECK_FALSE(upstream.closed());
  bench.advance(1);
  CHECK(upstream.closed());
  bench.send(client, asks());
  CHECK(bench.outside.count == 2);
}

TEST_CASE("upstream pool: an idle connection that the server ends, or that brings something, is gone") {
  for (const auto& deed : {+[](ProxyBench&bench, ProxyBench::Link&link) { bench.end(link); },
                           +[](ProxyBench&bench, ProxyBench::Link&link) { bench.reset(link); },
                           +[](ProxyBench&bench, ProxyBench::Link&link) { bench.send(link, "HTTP/1.1 408 x\r\n\r\n"); },
                           +[](ProxyBench&bench, ProxyBench::Link&link) {
                             link.server_stops();
                             bench.run();
                           },
                           +[](ProxyBench&, ProxyBench::Link&link) { link.abort(); }}) {
    ProxyBench bench;
    auto& client = bench.client();
    auto& upstream = kept(bench, client);
    deed(bench, upstream);
    bench.send(client, asks("POST"));  // which would not be sent again
    CHECK(upstream.closed());
    CHECK(bench.outside.count == 2);
    bench.send(bench.accept(), small_answer);
    CHECK(received(client).ends_with("hello"));
  }
}

TEST_CASE("upstream pool: an end, or a word, that came just before the request is seen although nobody has been told of it yet") {
  for (const auto& deed : {+[](ProxyBench::Link& link) { link.arrive_end(); },
                           +[](ProxyBench::Link& link) { link.arrive("HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n"); }}) {
    ProxyBench bench;
    auto& client = bench.client();
    auto& upstream = kept(bench, client);
    upstream.take();
    deed(upstream);
    bench.send(client, asks("POST"));  // which would not be sent again
    CHECK(upstream.take().empty());
    CHECK(upstream.closed());
    REQUIRE(bench.outside.count == 2);
    bench.send(bench.accept(), small_answer);
    CHECK(received(client).ends_with("hello"));
  }
}

TEST_CASE("upstream pool: of several idle connections, one on which nothing has come is used") {
  ProxyBench bench;
  ProxyBench::Link* clients[3];
  ProxyBench::Link* upstreams[3];
  for (ProxyBench::Link*& client : clients) bench.send(*(client = &bench.client()), asks());
  for (ProxyBench::Link*& upstream : upstreams) upstream = &bench.accept();
  for (ProxyBench::Link* const upstream : upstreams) bench.send(*upstream, small_answer);
  upstreams[1]->arrive_end();
  upstreams[2]->arrive_end();
  upstreams[0]->take();
  bench.send(*clients[0], asks("POST"));
  CHECK(upstreams[0]->take() == asked("POST"));
  CHECK(upstreams[1]->closed());
  CHECK(upstreams[2]->closed());
  CHECK(bench.outside.count == 3);
}

TEST_CASE("upstream pool: a connection that the response ends is not kept") {
  for (const char* const answer :
       {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"}) {
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, asks());
    auto& upstream = bench.accept();
    bench.send(upstream, answer);
    CHECK(upstream.closed());
    CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  }
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
  CHECK_FALSE(upstream.closed());
}

TEST_CASE("upstream pool: a request on a kept connection just closed is sent again, once, on a new one (RFC 9110 section 9.2.2)") {
  for (const char* const method : {"GET", "PUT", "OPTIONS"}) {
    ProxyBench bench;
    auto& client = bench.client();
    auto& old = kept(bench, client);
    bench.send(client, asks(method, "A: b\r\n"));
    CHECK(old.take() == asked(method, "A: b\r\n"));
    bench.end(old);
    CHECK(client.take().empty());
    REQUIRE(bench.outside.attempts.size() == 1);
    auto& fresh = bench.accept();
    CHECK(fresh.take() == asked(method, "A: b\r\n"));
    bench.end(fresh);
    CHECK(received(client).starts_with("HTTP/1.1 502 "));
    CHECK(bench.outside.attempts.empty());
  }
}

TEST_CASE("upstream pool: a client got the 408 of a kept connection that had waited too long (RFC 9110 section 15.5.9)") {
  constexpr std::string_view farewell = "HTTP/1.1 408 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  ProxyBench bench;
  auto& client = bench.client();
  auto& old = kept(bench, client);
  bench.send(client, asks("PUT", "Content-Length: 3\r\n"));
  bench.send(old, farewell);
  CHECK(old.closed());
  CHECK(client.take().empty());
  REQUIRE(bench.outside.attempts.size() == 1);
  bench.send(client, "abc");
  auto& fresh = bench.accept();
  CHECK(fresh.take() == asked("PUT", "", "Content-Length: 3\r\n") + "abc");
  bench.send(fresh, farewell);  // this one is about the request
  CHECK(received(client) == "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
  CHECK(bench.outside.attempts.empty());
}

TEST_CASE("upstream pool: a 408 that is about the request goes to the client (RFC 9110 section 15.5.9)") {
  constexpr std::string_view stays = "HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n";
  constexpr std::string_view closes = "HTTP/1.1 408 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  struct Case {
    const char* what;
    std::string request;
    std::string_view answer;
  };
  for (const Case& each : {Case{"what must not be done twice", asks("POST"), closes},
                           Case{"a body of which a part is gone", asks("PUT", "Content-Length: 3\r\n", "a"), closes},
                           Case{"a server that goes on", asks(), stays},
                           Case{"another status", asks(), "HTTP/1.0 503 x\r\nContent-Length: 0\r\n\r\n"}}) {
    CAPTURE(each.what);
    ProxyBench bench;
    auto& client = bench.client();
    auto& upstream = kept(bench, client);
    bench.send(client, each.request);
    bench.send(upstream, each.answer);
    CHECK(received(client).starts_with(base::concat("HTTP/1.1 ", each.answer.substr(9, 4))));
    CHECK(bench.outside.attempts.empty());
  }
}

TEST_CASE("upstream pool: a connection that was made for a client that left, and closed later, counts as kept") {
  ProxyBench bench;
  auto& gone = bench.client();
  bench.send(gone, asks());
  bench.reset(gone);
  auto& idle = bench.accept();
  bench.advance(20'000);
  auto& client = bench.client();
  bench.send(client, asks());
  REQUIRE(idle.take() == asked());
  bench.end(idle);
  CHECK(client.take().empty());
  REQUIRE(bench.outside.attempts.size() == 1);
  bench.send(bench.accept(), small_answer);
  CHECK(received(client).ends_with("hello"));
}

TEST_CASE("upstream pool: sent again with a body of which nothing has been used") {
  ProxyBench bench;
  auto& client = bench.client();
  auto& old = kept(bench, client);
  bench.send(client, asks("PUT", "Content-Length: 3\r\nExpect: 100-continue\r\n"));
  bench.advance(1'000);
  CHECK(client.take() == "HTTP/1.1 100 Continue\r\n\r\n");
  bench.reset(old);
  bench.send(client, "abc");  // while there is no connection
  auto& fresh = bench.accept();
  CHECK(fresh.take() == asked("PUT", "", "Content-Length: 3\r\n") + "abc");
  bench.send(fresh, small_answer);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_CASE("upstream pool: not sent again (RFC 9110 section 9.2.2)") {
  struct Case {
    const char* what;
    std::string request;
    std::string_view answer;
  };
  for (const Case& each : {Case{"what must not be done twice", asks("POST"), ""},
                           Case{"a body of which a part is gone", asks("PUT", "Content-Length: 3\r\n", "a"), ""},
                           Case{"a request that has been heard", asks(), "H"},
                           Case{"a request that has been heard of", asks(), "HTTP/1.1 102 x\r\n\r\n"}}) {
    CAPTURE(each.what);
    ProxyBench bench;
    auto& client = bench.client();
    auto& upstream = kept(bench, client);
    bench.send(client, each.request);
    bench.send(upstream, each.answer);
    bench.end(upstream);
    CHECK(answered(client).starts_with("HTTP/1.1 502 "));
    CHECK(bench.outside.attempts.empty());
  }
  ProxyBench bench;  // a connection that is new
  auto& client = bench.client();
  bench.send(client, asks());
  bench.end(bench.accept());
  CHECK(received(client).starts_with("HTTP/1.1 502 "));
  CHECK(bench.outside.attempts.empty());
}

TEST_CASE("upstream pool: a request that is sent again and cannot be") {
  ProxyBench bench;
  auto& client = bench.client();
  auto& old = kept(bench, client);
  bench.send(client, asks());
  bench.end(old);
  bench.refuse();
  CHECK(received(client).starts_with("HTTP/1.1 502 "));
}

TEST_CASE("upstream pool: clients that come and go do not make connections pile up") {
  ProxyBench bench;
  for (int i = 0; i < 50; ++i) {
    auto& client = bench.client();
    bench.send(client, asks());
    bench.reset(client);
  }
  CHECK(bench.outside.count == 1);
  auto& one = bench.client();
  auto& two = bench.client();
  bench.send(one, asks());
  bench.send(two, asks("HEAD"));
  CHECK(bench.outside.count == 2);
  CHECK(bench.accept().take() == asked());  // the first to come is served first
  CHECK(bench.accept().take() == asked("HEAD"));
}

TEST_CASE("upstream pool: a request that took over another's attempt has all of the time") {
  ProxyBench bench;
  auto& first = bench.client();
  bench.send(first, asks());
  bench.advance(3'000);
  bench.reset(first);
  auto& second = bench.client();
  bench.send(second, asks());
  CHECK(bench.outside.count == 1);
  bench.now += base::Time{2'000};
  bench.refuse("timed out");
  CHECK(received(second).empty());
  REQUIRE(bench.outside.attempts.size() == 1);
  CHECK(bench.outside.attempts[0].limit == base::Time{3'000});
  bench.now += base::Time{3'000};
  bench.refuse("timed out");
  CHECK(received(second).starts_with("HTTP/1.1 504 "));
  CHECK(bench.outside.attempts.empty());
}

TEST_CASE("upstream pool: attempts that others have begun are enough while there is one for each waiter") {
  ProxyBench bench;
  auto& first = bench.client();
  auto& second = bench.client();
  bench.send(first, asks());
  bench.send(second, asks());
  bench.reset(first);
  bench.reset(second);
  bench.advance(1);
  auto& third = bench.client();
  bench.send(third, asks());
  bench.refuse();
  CHECK(bench.outside.count == 2);
  bench.send(bench.accept(), small_answer);
  CHECK(received(third).ends_with("hello"));
}

TEST_CASE("upstream pool: a refused attempt is the first waiter's, and the others go on") {
  ProxyBench bench;
  auto& first = bench.client();
  auto& second = bench.client();
  bench.send(first, asks());
  bench.send(second, asks());
  bench.refuse();
  CHECK(received(first).starts_with("HTTP/1.1 502 "));
  CHECK(received(second).empty());
  bench.send(bench.accept(), small_answer);
  CHECK(received(second).ends_with("hello"));
}

TEST_CASE(
    "upstream pool: a connection that is being made, and that nobody waits for any more, is given up if it would not be kept") {
  Proxy proxy = ProxyBench::to();
  proxy.idle_connections = 0;
  ProxyBench bench(proxy);
  auto& client = bench.client();
  auto& other = bench.client();
  bench.send(client, asks());
  bench.advance(1);
  bench.send(other, asks());
  CHECK(bench.outside.attempts.size() == 2);
  bench.reset(client);
  REQUIRE(bench.outside.attempts.size() == 1);
  CHECK(bench.outside.given_up == 1);
  bench.send(bench.accept(), small_answer);
  CHECK(received(other).ends_with("hello"));
  auto& third = bench.client();
  bench.send(third, asks());
  bench.reset(third);
  CHECK(bench.outside.attempts.empty());
  CHECK(bench.outside.given_up == 2);
}

TEST_CASE("upstream pool: clients that come and go leave no more connections being made than are kept for later") {
  Proxy proxy = ProxyBench::to();
  proxy.idle_connections = 3;
  proxy.most_connections = 8;
  ProxyBench bench(proxy);
  for (int round = 0; round < 3; ++round) {
    std::vector<ProxyBench::Link*> clients;
    for (int i = 0; i < 8; ++i) bench.send(*clients.emplace_back(&bench.client()), asks());
    CHECK(bench.outside.attempts.size() == 8);
    for (ProxyBench::Link* const each : clients) bench.reset(*each);
    CHECK(bench.outside.attempts.size() == 3);
  }
  bench.accept();
  auto& client = bench.client();
  bench.send(client, asks());
  CHECK(bench.outside.attempts.size() == 2);
  CHECK(bench.last().closed() == false);
  auto& another = bench.client();
  bench.send(another, asks());
  bench.reset(another);
  CHECK(bench.outside.attempts.size() == 2);
}

TEST_CASE("upstream pool: connections that became free left more being made than are kept for later") {
  Proxy proxy = ProxyBench::to();
  proxy.idle_connections = 1;
  ProxyBench bench(proxy);
  for (int i = 0; i < 3; ++i) bench.send(bench.client(), asks());
  auto& upstream = bench.accept();
  bench.send(upstream, small_answer);
  CHECK(bench.outside.attempts.size() == 2);
  bench.send(upstream, small_answer);  // the third has its connection now
  CHECK(bench.outside.attempts.size() == 1);
  bench.send(upstream, small_answer);
  CHECK(bench.outside.attempts.empty());
  CHECK_FALSE(upstream.closed());
}

TEST_CASE("upstream pool: one that is retired gives up the connections that are being made for nobody") {
  session::Users users;
  ProxyLimits limits;
  limits.users = &users;
  ProxyBench bench(ProxyBench::to(), limits);
  auto& first = bench.client();
  auto& second = bench.client();
  bench.send(first, asks());
  bench.send(second, asks());
  bench.reset(first);
  CHECK(bench.outside.attempts.size() == 2);
  bench.mount->retire();
  CHECK(bench.outside.attempts.size() == 1);
  bench.reset(second);
  CHECK(bench.outside.attempts.empty());
  CHECK(users.none());
}
