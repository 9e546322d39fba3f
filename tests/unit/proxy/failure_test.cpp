// What goes wrong between a client and a server upstream.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr std::string_view with_length = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
constexpr std::string_view in_chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The status that a client gets if the server upstream sends this, in two pieces, and ends; 0: the client is cut without a
/// response.
int status_for(std::string_view answer, std::size_t at) {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, answer.substr(0, at));
  bench.send(upstream, answer.substr(at));
  bench.end(upstream);
  CHECK(upstream.closed());
  const std::string bytes = answered(client);
  CHECK(client.closed() == (bytes.empty()));
  return bytes.empty() ? 0 : std::stoi(bytes.substr(9, 3));
}

}  // namespace

TEST_CASE("proxy: nobody there is 502, and the log says so once") {
  ProxyBench bench;
  auto& client = bench.client();
  for (int i = 0; i < 3; ++i) {
    bench.send(client, asks("POST", "Content-Length: 2\r\n", "ab"));
    bench.refuse();
    CHECK(received(client).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
  }
  CHECK_FALSE(client.closed());
  bench.send(client, asks());
  bench.send(bench.accept(), small_answer);
  CHECK(received(client).starts_with("HTTP/1.1 200 "));
  REQUIRE(bench.log_lines.size() == 4);
  CHECK(bench.log_lines[0] == "warn: proxy: http://up.example:8080/base/ is not reached: connection refused");
  CHECK(bench.log_lines[1].starts_with("info: "));
  CHECK(bench.log_lines[2].starts_with("info: "));
  CHECK(bench.log_lines[3] == "warn: proxy: http://up.example:8080/base/ is reached again");
}

TEST_CASE("proxy: no connection in time is 504") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  bench.advance(4'999);
  CHECK(received(client).empty());
  bench.now += base::Time{1};
  bench.refuse("timed out");
  CHECK(received(client).starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
}

TEST_CASE("proxy: no response in time is 504, counted from the end of the request (RFC 9110 section 15.6.5)") {
  session::HttpLimits patient;
  patient.body_idle = patient.body_grace = base::Time{1'000'000};
  ProxyBench bench(ProxyBench::to(), {}, patient);
  auto& client = bench.client();
  bench.send(client, asks("POST", "Content-Length: 2\r\n", "a"));
  auto& upstream = bench.accept();
  bench.advance(15'000);
  bench.send(client, "b");
  bench.advance(59'999);
  CHECK(received(client).empty());
  bench.send(upstream, "HTTP/1.1 102 Processing\r\n\r\n");  // is no final response
  bench.advance(1);
  CHECK(answered(client).starts_with("HTTP/1.1 504 Gateway Timeout\r\n"));
  CHECK(upstream.closed());
  CHECK_FALSE(client.closed());
}

TEST_CASE("proxy: the time for a response is the mount's, and that of other requests does not count") {
  Proxy proxy = ProxyBench::to();
  proxy.answer_time = std::chrono::milliseconds(70'000);
  session::HttpLimits patient;
  patient.body_idle = patient.body_grace = base::Time{1'000'000};
  ProxyBench bench(proxy, {}, patient);
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, small_answer);
  bench.send(client, asks("POST", "Content-Length: 2\r\n", "a"));
  bench.advance(100'000);
  bench.send(client, "b");
  bench.advance(69'999);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  CHECK_FALSE(upstream.closed());
  bench.advance(1);
  CHECK(received(client).starts_with("HTTP/1.1 504 "));
}

TEST_CASE("proxy: what is no response is 502, cut at every place (RFC 9110 section 15.6.3)") {
  std::string many_fields = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 201; ++i) many_fields += "A: b\r\n";
  std::string many_interim;
  for (int i = 0; i < 17; ++i) many_interim += "HTTP/1.1 102 x\r\n\r\n";
  for (const std::string& answer : {
           std::string("HTTP/2 200\r\n\r\n"),
           std::string("SSH-2.0-OpenSSH\r\n"),
           std::string("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
           std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na"),
           std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
           std::string("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nA: b\r\n"),  // and then the end
           std::string("HTTP/1.1 100 x\r\n\r\n"),
           std::string(),
           many_fields,
           many_interim,
       }) {
    CAPTURE(answer.substr(0, 60));
    const std::size_t step = answer.size() > 200 ? 37 : 1;
    for (std::size_t at = 0; at <= answer.size(); at += step) CHECK(status_for(answer, at) == 502);
  }
}

TEST_CASE("proxy: a response that breaks off cuts the client, so that it notices (RFC 9112 section 8)") {
  for (const std::string& answer :
       {std::string(with_length) + "abc", std::string(in_chunks) + "5\r\nabc", std::string(in_chunks) + "3\r\nabc\r\n",
        std::string(in_chunks) + "3\r\nabcde", std::string(in_chunks) + "x"}) {
    CAPTURE(answer);
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, asks());
    auto& upstream = bench.accept();
    bench.send(upstream, answer);
    bench.end(upstream);
    CHECK(client.was_aborted());
    CHECK(upstream.closed());
    CHECK(client.take().find("\r\n0\r\n\r\n") == std::string::npos);
  }
}

TEST_CASE("proxy: a server that falls silent within a response") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, std::string(with_length) + "abc");
  bench.advance(200'000);
  bench.send(upstream, "d");
  bench.advance(299'999);
  CHECK_FALSE(client.closed());
  bench.advance(1);
  CHECK(client.was_aborted());
  CHECK(upstream.closed());
}

TEST_CASE("proxy: a server that waits for the client is not silent") {
  ProxyBench bench;
  auto& client = bench.client();
  client.set_window(0);
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, base::concat("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n", std::string(100'000, 'a')));
  CHECK_FALSE(upstream.reading());
  bench.advance(1'000'000);
  CHECK_FALSE(upstream.closed());
  bench.take_in(client, ProxyBench::Link::unlimited);
  CHECK(upstream.reading());
  bench.advance(299'999);
  CHECK_FALSE(upstream.closed());
  bench.advance(1);
  CHECK(upstream.closed());
}

TEST_CASE("proxy: bytes behind a response are not passed on, and end the connection") {
  struct Case {
    std::string_view method;
    std::string_view answer;
  };
  for (const Case& one :
       {Case{"GET", small_answer}, Case{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Case{"GET", "HTTP/1.1 204 x\r\n\r\n"}, Case{"GET", "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Case{"HEAD", "HTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\nH"}}) {
    CAPTURE(one.answer);
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, asks(one.method));
    auto& upstream = bench.accept();
    bench.send(upstream, base::concat(one.answer, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
    CHECK(upstream.closed());
    CHECK(client.take().find("evil") == std::string::npos);
    CHECK_FALSE(client.closed());
    bench.send(client, asks());
    CHECK(bench.outside.count == 2);
  }
}

TEST_CASE("proxy: a client that leaves while the connection is made") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  bench.reset(client);
  auto& upstream = bench.accept();
  CHECK(upstream.take().empty());
  CHECK_FALSE(upstream.closed());  // it is there for the next one
  auto& next = bench.client();
  bench.send(next, asks());
  CHECK(bench.outside.count == 1);
  CHECK(upstream.take() == asked());
}

TEST_CASE("proxy: a client that leaves ends the connection upstream") {
  for (const std::string_view answer : {std::string_view(), std::string_view("HTTP/1."), with_length}) {
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, asks());
    auto& upstream = bench.accept();
    bench.send(upstream, answer);
    bench.reset(client);
    CHECK(upstream.closed());
  }
  ProxyBench bench;  // and within its own body
  auto& client = bench.client();
  bench.send(client, asks("POST", "Content-Length: 9\r\n", "abc"));
  auto& upstream = bench.accept();
  bench.end(client);
  CHECK(upstream.closed());
  CHECK(received(client).starts_with("HTTP/1.1 400 "));
}

TEST_CASE("proxy: a client that leaves while the response is written") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, with_length);
  client.abort();  // nobody has been told yet
  upstream.receive("abc");
  bench.run();
  CHECK(upstream.closed());
}

TEST_CASE("proxy: a body that is none is refused, and the server upstream hears no more") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("POST", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"));
  auto& upstream = bench.accept();
  bench.send(client, "x\r\n");
  CHECK(received(client).starts_with("HTTP/1.1 400 "));
  CHECK(upstream.closed());
}

TEST_CASE("proxy: after a response before the end of the request, the connection is not used again") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("POST", "Content-Length: 10\r\n", "abc"));
  auto& upstream = bench.accept();
  bench.send(upstream, small_answer);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(upstream.closed());
  bench.send(client, "defghij" + asks());
  bench.accept();
  CHECK(bench.last().take() == asked());
  CHECK(bench.outside.count == 2);
}

TEST_CASE("proxy: both bodies under way at once") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("POST", "Content-Length: 4\r\n", "ab"));
  auto& upstream = bench.accept();
  upstream.take();
  bench.send(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nAB");
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nAB");
  bench.send(client, "cd");
  CHECK(upstream.take() == "cd");
  bench.send(upstream, "CD");
  CHECK(client.take() == "CD");
  CHECK_FALSE(upstream.closed());
}

TEST_CASE("proxy: the server stops while a response is under way") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  client.server_stops();
  upstream.server_stops();
  bench.run();
  CHECK_FALSE(upstream.closed());
  bench.send(upstream, small_answer);
  CHECK(received(client).ends_with("hello"));
  CHECK(client.closed());
  CHECK(upstream.closed());
}
