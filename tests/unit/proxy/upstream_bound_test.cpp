// No more connections upstream than a proxy may have, and requests that wait for one.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

Proxy bounded(std::size_t connections, std::size_t waiting = 1'024) {
  Proxy proxy = ProxyBench::to();
  proxy.most_connections = connections;
  proxy.most_waiting = waiting;
  return proxy;
}

/// A client that has asked.
ProxyBench::Link& asking(ProxyBench& bench, std::string_view method = "GET") {
  auto& client = bench.client();
  bench.send(client, asks(method));
  return client;
}

constexpr std::string_view upgrade = "Connection: Upgrade\r\nUpgrade: toy\r\n";
constexpr std::string_view refused = "HTTP/1.1 503 Service Unavailable\r\n";

}  // namespace

TEST_CASE("upstream bound: requests wait in order, and the next has the connection of the last") {
  ProxyBench bench(bounded(1));
  auto& first = asking(bench);
  auto& second = asking(bench, "HEAD");
  auto& third = asking(bench, "DELETE");
  CHECK(bench.outside.count == 1);
  auto& upstream = bench.accept();
  CHECK(upstream.take() == asked());
  bench.send(upstream, small_answer);
  CHECK(received(first).ends_with("hello"));
  CHECK(upstream.take() == asked("HEAD"));
  bench.send(first, asks("OPTIONS"));  // is behind the third now
  bench.send(upstream, "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n");
  CHECK_FALSE(received(second).empty());
  CHECK(upstream.take() == asked("DELETE"));
  bench.send(upstream, small_answer);
  CHECK(received(third).ends_with("hello"));
  CHECK(upstream.take() == asked("OPTIONS"));
  CHECK(bench.outside.count == 1);
}

TEST_CASE("upstream bound: a request that comes in the turn in which a connection becomes free is behind those that wait") {
  ProxyBench bench(bounded(1));
  auto& newcomer = bench.client();
  auto& first = asking(bench);
  auto& second = asking(bench, "HEAD");
  auto& upstream = bench.accept();
  CHECK(upstream.take() == asked());
  upstream.receive(small_answer);
  newcomer.receive(asks("DELETE"));
  bench.run();
  CHECK(received(first).ends_with("hello"));
  CHECK(upstream.take() == asked("HEAD"));
  bench.send(upstream, "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n");
  CHECK_FALSE(received(second).empty());
  CHECK(upstream.take() == asked("DELETE"));
}

TEST_CASE("upstream bound: a connection that ends makes room for another") {
  ProxyBench bench(bounded(2));
  std::vector<ProxyBench::Link*> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(&asking(bench));
  CHECK(bench.outside.count == 2);
  auto& one = bench.accept();
  auto& two = bench.accept();
  bench.send(one, "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(bench.outside.count == 3);
  bench.reset(two);
  CHECK(bench.outside.count == 4);
  CHECK(received(*clients[1]).starts_with("HTTP/1.1 502 "));
  bench.accept();
  bench.send(bench.accept(), small_answer);
  CHECK(received(*clients[3]).ends_with("hello"));
}

TEST_CASE("upstream bound: bytes behind a response are not the response to the next request") {
  ProxyBench bench(bounded(1));
  auto& first = asking(bench);
  auto& second = asking(bench);
  auto& upstream = bench.accept();
  bench.send(upstream, base::concat(small_answer, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
  CHECK(received(first).ends_with("hello"));
  CHECK(received(second).empty());
  CHECK(upstream.closed());
  CHECK(bench.outside.count == 2);
  bench.send(bench.accept(), small_answer);
  CHECK(received(second).ends_with("hello"));
}

TEST_CASE("upstream bound: a client that leaves no longer waits") {
  ProxyBench bench(bounded(1));
  auto& first = asking(bench);
  auto& second = asking(bench);
  auto& third = asking(bench, "HEAD");
  auto& upstream = bench.accept();
  upstream.take();
  bench.reset(second);
  bench.send(upstream, small_answer);
  CHECK(received(first).ends_with("hello"));
  CHECK(upstream.take() == asked("HEAD"));
  bench.reset(third);
  CHECK(upstream.closed());
  CHECK(bench.outside.attempts.empty());
}

TEST_CASE("upstream bound: more do not wait than may, and the log says so once") {
  ProxyBench bench(bounded(1, 2));
  auto& first = asking(bench);
  auto& second = asking(bench);
  auto& third = asking(bench);
  for (int i = 0; i < 3; ++i) {
    const std::string answer = received(asking(bench));
    CHECK(answer.starts_with(refused));
    CHECK(answer.find("Retry-After: 1\r\n") != std::string::npos);
  }
  REQUIRE(bench.log_lines.size() == 1);
  CHECK(bench.log_lines[0] ==
        "warn: proxy: http://up.example:8080/base/ has the 1 connections that it may have, and requests are refused with 503");
  auto& upstream = bench.accept();
  for (int i = 0; i < 3; ++i) bench.send(upstream, small_answer);
  for (ProxyBench::Link* const client : {&first, &second, &third}) CHECK(received(*client).ends_with("hello"));
  ProxyBench strict(bounded(1, 0));  // nobody may wait
  auto& served = asking(strict);
  CHECK(received(asking(strict)).starts_with(refused));
  strict.send(strict.accept(), small_answer);
  CHECK(received(served).ends_with("hello"));
  CHECK(received(asking(strict)).empty());
}

TEST_CASE("upstream bound: nobody waits longer than waiting_time") {
  Proxy proxy = bounded(1);
  proxy.waiting_time = std::chrono::milliseconds(2'000);
  ProxyBench bench(proxy);
  auto& first = asking(bench);
  auto& upstream = bench.accept();
  bench.advance(500);
  auto& second = asking(bench);
  bench.advance(1'999);
  CHECK(received(second).empty());
  bench.advance(1);
  CHECK(received(second).starts_with(refused));
  CHECK_FALSE(second.closed());
  CHECK(bench.log_lines.size() == 1);
  bench.send(upstream, small_answer);
  CHECK(received(first).ends_with("hello"));
  bench.send(second, asks());
  bench.send(upstream, small_answer);
  CHECK(received(second).ends_with("hello"));
  bench.advance(10'000);
  CHECK(received(second).empty());
}

TEST_CASE("upstream bound: the time that a connection takes to be made is not that of waiting") {
  Proxy proxy = bounded(1);
  proxy.waiting_time = std::chrono::milliseconds(2'000);
  ProxyBench bench(proxy);
  auto& first = asking(bench);
  auto& second = asking(bench);
  bench.advance(1'500);
  bench.refuse();
  CHECK(received(first).starts_with("HTTP/1.1 502 "));
  CHECK(bench.outside.count == 2);
  CHECK(bench.outside.attempts[0].limit == base::Time{5'000});
  bench.advance(4'999);
  CHECK(received(second).empty());
  bench.send(bench.accept(), small_answer);
  CHECK(received(second).ends_with("hello"));
}

TEST_CASE("upstream bound: a connection that left HTTP counts until it ends") {
  ProxyBench bench(bounded(1));
  auto& first = bench.client();
  bench.send(first, asks("GET", upgrade));
  auto& upstream = bench.accept();
  bench.send(upstream, "HTTP/1.1 101 x\r\nUpgrade: toy\r\nConnection: Upgrade\r\n\r\n");
  REQUIRE(first.take().starts_with("HTTP/1.1 101 "));
  auto& second = asking(bench);
  CHECK(bench.outside.count == 1);
  bench.send(first, "toy");
  CHECK(upstream.take().ends_with("toy"));
  bench.reset(first);
  CHECK(bench.outside.count == 2);
  bench.send(bench.accept(), small_answer);
  CHECK(received(second).ends_with("hello"));
}

TEST_CASE("upstream bound: idle connections are used, and give way when they turn out to be of no use") {
  ProxyBench bench(bounded(1));
  auto& first = asking(bench);
  auto& upstream = bench.accept();
  bench.send(upstream, small_answer);
  upstream.arrive_end();
  bench.send(first, asks("POST"));
  CHECK(upstream.closed());
  CHECK(bench.outside.count == 2);
  bench.send(bench.accept(), small_answer);
  CHECK(received(first).ends_with("hello"));
}

TEST_CASE("upstream bound: without kept connections, each request has its own in turn") {
  Proxy proxy = bounded(1);
  proxy.idle_connections = 0;
  ProxyBench bench(proxy);
  std::vector<ProxyBench::Link*> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(&asking(bench));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(bench.outside.count == i + 1);
    bench.send(bench.accept(), small_answer);
    CHECK(received(*clients[i]).ends_with("hello"));
  }
}

TEST_CASE("upstream bound: without a bound too, a request that waits for a slow connection gets one that is free") {
  ProxyBench bench;
  auto& first = asking(bench);
  auto& second = asking(bench);
  auto& upstream = bench.accept();
  upstream.take();
  bench.send(upstream, small_answer);
  CHECK(received(first).ends_with("hello"));
  CHECK(upstream.take() == asked());
  bench.send(upstream, small_answer);
  CHECK(received(second).ends_with("hello"));
  CHECK_FALSE(bench.accept().closed());  // it is kept for later requests
}

TEST_CASE("upstream bound: the log says again that requests are refused, when nobody had waited meanwhile") {
  Proxy proxy = bounded(1, 1);
  proxy.idle_connections = 0;
  ProxyBench bench(proxy);
  for (std::size_t round = 1; round <= 2; ++round) {
    auto& first = asking(bench);
    auto& second = asking(bench);
    CHECK(received(asking(bench)).starts_with(refused));
    CHECK(received(asking(bench)).starts_with(refused));
    CHECK(bench.log_lines.size() == round);
    for (ProxyBench::Link* const client : {&first, &second}) {
      bench.send(bench.accept(), small_answer);
      CHECK(received(*client).ends_with("hello"));
    }
  }
}
