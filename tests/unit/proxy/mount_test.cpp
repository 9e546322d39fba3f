#include "proxy/mount.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

/// What a client gets for `request` if the server upstream sends `answer`, in two pieces cut at `at`.
std::string relayed(std::string_view request, std::string_view answer, std::size_t at) {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, request);
  auto& upstream = bench.accept();
  bench.send(upstream, answer.substr(0, at));
  bench.send(upstream, answer.substr(at));
  bench.end(upstream);
  return received(client) + (client.closed() ? "<closed>" : "");
}

void check_relayed(std::string_view request, std::string_view answer, std::string_view expected) {
  CAPTURE(request);
  CAPTURE(answer);
  for (std::size_t at = 0; at <= answer.size(); ++at) {
    const std::string found = relayed(request, answer, at);
    CHECK_MESSAGE(found == expected, "cut at " << at);
    if (found != expected) return;
  }
}

/// What comes upstream for a request that is cut at every place.
void check_passed_on(std::string_view request, std::string_view expected) {
  for (std::size_t at = 0; at <= request.size(); ++at) {
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, request.substr(0, at));
    if (!bench.outside.attempts.empty()) bench.accept();
    bench.send(client, request.substr(at));
    // There is exactly one connection upstream, which comes now if it did not come before.
    auto& upstream = bench.outside.attempts.empty() ? bench.last() : bench.accept();
    REQUIRE(bench.outside.count == 1);
    const std::string found = upstream.take();
    CHECK_MESSAGE(found == expected, "cut at " << at);
    if (found != expected) return;
  }
}

}  // namespace

TEST_CASE("proxy: a request is sent upstream, its response comes back, and the connection serves the next") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  REQUIRE(bench.outside.attempts.size() == 1);
  CHECK(bench.outside.attempts[0].to.host == "up.example");
  CHECK(bench.outside.attempts[0].to.port == "8080");
  CHECK(bench.outside.attempts[0].limit == base::Time{5'000});
  auto& upstream = bench.accept();
  CHECK(upstream.take() == asked());
  bench.send(upstream, "HTTP/1.1 200 Very Well\r\nX-Up: 1\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nX-Up: 1\r\nContent-Length: 5\r\n\r\nhello");
  bench.send(client, asks("DELETE", "X-Mine: 2\r\n"));
  CHECK(upstream.take() == asked("DELETE", "X-Mine: 2\r\n"));
  bench.send(upstream, "HTTP/1.1 204 Gone\r\n\r\n");
  CHECK(received(client) == "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(bench.outside.count == 1);
  CHECK(bench.log_lines.empty());
}

TEST_CASE("proxy: the path upstream") {
  for (const auto& each :
       {std::pair{"/app/", "GET /base/ HTTP/1.1"}, std::pair{"/app", "GET /base/ HTTP/1.1"},
        std::pair{"/app?q", "GET /base/?q HTTP/1.1"}, std::pair{"/app/a/b?x=1&y", "GET /base/a/b?x=1&y HTTP/1.1"},
        std::pair{"/app/%41%2Fb?%41", "GET /base/%41%2Fb?%41 HTTP/1.1"}, std::pair{"/app//a", "GET /base//a HTTP/1.1"},
        std::pair{"/%61pp/a?", "GET /base/a? HTTP/1.1"}, std::pair{"http://site.example/app/a?b", "GET /base/a?b HTTP/1.1"}}) {
    const std::string target = each.first;
    CAPTURE(target);
    ProxyBench bench;
    bench.send(bench.client(), base::concat("GET ", target, " HTTP/1.1\r\nHost: site.example\r\n\r\n"));
    const std::string head = bench.accept().take();
    CHECK(head.substr(0, head.find('\r')) == each.second);
  }
  for (const char* const target : {"/app/../x", "/app/%2e%2e/x", "/app/..%5Cx", "/app/a/..;/x", "/app/%zz", "/other"}) {
    CAPTURE(target);
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, base::concat("GET ", target, " HTTP/1.1\r\nHost: site.example\r\n\r\n"));
    CHECK(bench.outside.count == 0);
    CHECK(received(client).starts_with("HTTP/1.1 404 "));
  }
}

TEST_CASE("proxy: a unix socket, and no connections that are kept") {
  Proxy proxy = ProxyBench::to("unix:/run/app.socket:/base/");
  proxy.idle_connections = 0;
  proxy.connect_time = std::chrono::milliseconds(70);
  ProxyBench bench(proxy);
  auto& client = bench.client();
  bench.send(client, "GET /app/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  REQUIRE(bench.outside.attempts.size() == 1);
  CHECK(bench.outside.attempts[0].to.path == "/run/app.socket");
  CHECK(bench.outside.attempts[0].limit == base::Time{70});
  auto& upstream = bench.accept();
  CHECK(upstream.take() ==
        "GET /base/x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Prefix: "
        "/app\r\nVia: 1.0 "
        "wharf\r\nConnection: "
        "close\r\n\r\n");
  bench.send(upstream, small_answer);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello");
  CHECK(upstream.closed());
  CHECK_FALSE(client.closed());
}

TEST_CASE("proxy: settings that cannot be") {
  CHECK(ProxyMount::check(ProxyBench::to()).empty());
  CHECK(ProxyMount::check(ProxyBench::to("ftp://x/")).starts_with("proxy target 'ftp://x/': "));
  Proxy proxy = ProxyBench::to();
  proxy.answer_time = std::chrono::milliseconds(0);
  CHECK_FALSE(ProxyMount::check(proxy).empty());
  proxy.answer_time = std::chrono::milliseconds::max();
  proxy.connect_time = std::chrono::milliseconds(-1);
  CHECK_FALSE(ProxyMount::check(proxy).empty());
  const auto opened = ProxyMount::open(proxy, "/app/", nullptr);
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == ProxyMount::check(proxy));
  proxy.connect_time = std::chrono::milliseconds::max();
  ProxyBench bench(proxy);  // no overflow
  auto& client = bench.client();
  bench.send(client, asks());
  bench.send(bench.accept(), small_answer);
  CHECK(received(client).starts_with("HTTP/1.1 200 "));
}

TEST_CASE("proxy: how a server over TLS is trusted") {
  Proxy proxy = ProxyBench::to("https://up.example:8443/base/");
  CHECK(ProxyMount::check(proxy).empty());
  CHECK((ProxyMount::tls_of(proxy) == TlsClient{"up.example"}));
  CHECK_FALSE(ProxyMount::tls_of(ProxyBench::to()));
  proxy.tls_server_name = "Other.example.";
  proxy.tls_verify = Switch::off;
  proxy.tls_certificate = "own.pem";
  proxy.tls_key = "own.key";
  proxy.tls_passphrase = "secret";
  CHECK(ProxyMount::check(proxy).empty());
  const TlsClient all{"Other.example", {}, "own.pem", "own.key", "secret", TlsClient::Verification::off};
  CHECK((ProxyMount::tls_of(proxy) == all));
  CHECK((ProxyMount::tls_of(ProxyBench::to("https://[::1]/")) == TlsClient{"::1"}));
}

TEST_CASE("proxy: options for TLS that could have no effect, and names that no certificate has") {
  const auto fault = [](std::string to, void (*change)(Proxy&)) {
    Proxy proxy = ProxyBench::to(std::move(to));
    change(proxy);
    return ProxyMount::check(proxy);
  };
  const std::string https = "https://up.example/";
  for (const auto change :
       {+[](Proxy& proxy) { proxy.tls_verify = Switch::off; }, +[](Proxy& proxy) { proxy.tls_authorities = "x"; },
        +[](Proxy& proxy) { proxy.tls_server_name = "x"; }, +[](Proxy& proxy) { proxy.tls_certificate = "x"; },
        +[](Proxy& proxy) { proxy.tls_key = "x"; }, +[](Proxy& proxy) { proxy.tls_passphrase = "x"; }})
    for (const std::string to : {"http://up.example/", "unix:/up"})
      CHECK(fault(to, change) == "proxy target '" + to + "': options for TLS have no effect, as it does not begin with https://");
  CHECK(fault(https, [](Proxy& proxy) { proxy.tls_key = "x"; }).ends_with(": tls_key has no effect without a tls_certificate"));
  CHECK(fault(https, [](Proxy& proxy) {
          proxy.tls_passphrase = "x";
        }).ends_with(": tls_passphrase has no effect without a tls_certificate"));
  CHECK(fault(https, [](Proxy& proxy) {
          proxy.tls_verify = Switch::off;
          proxy.tls_authorities = "x";
        }).ends_with(": tls_authorities has no effect, as tls_verify is off"));
  for (const std::string name : {"a b", "*.example", "up.example:443", "[::1]", "http://up.example"}) {
    CAPTURE(name);
    Proxy proxy = ProxyBench::to(https);
    proxy.tls_server_name = name;
    CHECK(ProxyMount::check(proxy).ends_with(": tls_server_name is neither a name of a host nor an address"));
  }
  const std::string odd = "https://up%20there/";
  CHECK(fault(odd, [](Proxy&) {}).ends_with(": no certificate can have the name of its host; see tls_server_name"));
  CHECK(fault(odd, [](Proxy& proxy) { proxy.tls_server_name = "127.0.0.1"; }).empty());
}

TEST_CASE("proxy: without TLS in the world outside a mount that needs it is an error") {
  TestOutside outside;
  const auto mount = ProxyMount::open(ProxyBench::to("https://up.example/"), "/app/", &outside);
  REQUIRE_FALSE(mount);
  CHECK(mount.error() == "proxy target 'https://up.example/': there is no TLS here");
}

TEST_CASE("proxy: without a loop all is 502") {
  ProxyBench bench;
  auto mount = ProxyMount::open(ProxyBench::to(), "/app/", nullptr);
  REQUIRE(mount);
  bench.mount = std::move(*mount);
  auto& client = bench.client();
  bench.send(client, asks());
  CHECK(received(client).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
}

TEST_CASE("proxy: this server responds to requests that must not be passed on") {
  for (const auto& [request, status] :
       {std::pair{"OPTIONS /app/x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", "HTTP/1.1 204 "},
        std::pair{"TRACE /app/x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", "HTTP/1.1 501 "},
        std::pair{
            "GET /app/x HTTP/1.1\r\nHost: a\r\nVia: 1 wharf, 1 wharf, 1 wharf, 1 wharf, 1 wharf, 1 wharf, 1 wharf, 1 wharf\r\n\r\n",
            "HTTP/1.1 502 "}}) {
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, request);
    CHECK(received(client).starts_with(status));
    CHECK(bench.outside.count == 0);
  }
}

TEST_CASE("proxy: every framing of a response, cut at every place (RFC 9112 section 6.3)") {
  const std::string_view chunked = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
  check_relayed(asks(), "HTTP/1.1 200 x\r\nContent-Length: 5\r\nA: b\r\n\r\nhello",
                "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello");
  check_relayed(asks(), "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  check_relayed(asks(), base::concat(chunked, "0\r\n\r\n"), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  check_relayed(asks(), "HTTP/1.1 204 x\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n");
  check_relayed(asks(), "HTTP/1.1 304 x\r\nETag: \"a\"\r\nContent-Length: 9\r\n\r\n",
                "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
  check_relayed(asks("HEAD"), "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  check_relayed(asks("HEAD"), "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  check_relayed(asks("HEAD"), "HTTP/1.1 200 x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  check_relayed(asks(), "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 y\r\nLink: z\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\n!",
                "HTTP/1.1 103 Early Hints\r\nLink: z\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!");
  check_relayed(asks(), "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n!", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!");
  check_relayed(asks(), "HTTP/1.1 999 No\r\nContent-Length: 1\r\n\r\n!", "HTTP/1.1 999 Unknown\r\nContent-Length: 1\r\n\r\n!");
  check_relayed(asks(), "HTTP/1.1 600\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 600 Unknown\r\nContent-Length: 0\r\n\r\n");
  check_relayed(asks(), "HTTP/1.1 200 x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n");
  check_relayed(asks(), "HTTP/1.1 426 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: Upgrade\r\n\r\n");
}

TEST_CASE("proxy: the body of a 205 is taken and dropped, and the connection goes on (RFC 9110 section 15.3.6)") {
  for (const std::string_view framed : {"Content-Length: 2\r\n\r\nno", "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"}) {
    const std::string answer = base::concat("HTTP/1.1 205 x\r\n", framed);
    check_relayed(asks(), answer, "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n");
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, asks());
    auto& upstream = bench.accept();
    bench.send(upstream, answer);
    CHECK_FALSE(upstream.closed());
  }
}

TEST_CASE("proxy: bodies in chunks, or until the end, come in pieces as they arrive") {
  const std::string old_request = "GET /app/x HTTP/1.0\r\nHost: site.example\r\n\r\n";
  const std::string_view chunked =
      "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5;e=1\r\ndefgh\r\n0\r\nX-T: 1\r\n\r\n";
  const std::string_view until_end = "HTTP/1.0 200 x\r\n\r\nabcdefgh";
  for (const std::string_view answer : {chunked, until_end}) {
    check_relayed(old_request, answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcdefgh<closed>");
    for (std::size_t at = 0; at <= answer.size(); ++at) {
      std::string found = relayed(asks(), answer, at);
      const std::string_view head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
      REQUIRE(found.starts_with(head));
      std::string_view rest = std::string_view(found).substr(head.size());
      codec::ChunkedDecoder decoder;
      std::string body;
      codec::ChunkedDecoder::State state = decoder.next(rest);
      for (; state == codec::ChunkedDecoder::State::data; state = decoder.next(rest)) body += decoder.piece();
      CHECK(state == codec::ChunkedDecoder::State::done);
      CHECK(rest.empty());
      CHECK(body == "abcdefgh");
    }
  }
}

TEST_CASE("proxy: trailers of a response are dropped, even those that a request must not have") {
  const std::string_view answer =
      "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nExpires: x\r\nSet-Cookie: a=b\r\n\r\n";
  check_relayed("GET /app/x HTTP/1.0\r\nHost: site.example\r\n\r\n", answer,
                "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc<closed>");
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, answer);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  CHECK_FALSE(upstream.closed());
}

TEST_CASE("proxy: a body is sent upstream with its length, or in chunks, cut at every place") {
  check_passed_on(asks("POST", "Content-Length: 5\r\n", "hello"), asked("POST", "", "Content-Length: 5\r\n") + "hello");
  check_passed_on(asks("POST", "Content-Length: 0\r\n"), asked("POST", "", "Content-Length: 0\r\n"));
  check_passed_on(asks("POST", "Transfer-Encoding: chunked\r\n", "0\r\nX-T: 1\r\n\r\n"),
                  asked("POST", "", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n");
  check_passed_on(asks("POST"), asked("POST"));
}

TEST_CASE("proxy: chunks of a request are written anew") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("POST", "Transfer-Encoding: chunked\r\n", "003;x=y\r\nabc\r\n2\r"));
  auto& upstream = bench.accept();
  CHECK(upstream.take() == asked("POST", "", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n");
  bench.send(client, "\nd");
  CHECK(upstream.take() == "1\r\nd\r\n");
  bench.send(client, "e\r\n0\r\nX-Trailer: 1\r\n\r\n");
  CHECK(upstream.take() == "1\r\ne\r\n0\r\n\r\n");
  bench.send(upstream, small_answer);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  CHECK_FALSE(upstream.closed());
}

TEST_CASE("proxy: requests of one client follow each other") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks() + asks("POST", "Content-Length: 2\r\n", "ab") + asks("HEAD"));
  auto& upstream = bench.accept();
  CHECK(upstream.take() == asked());
  bench.send(upstream, small_answer);
  CHECK(upstream.take() == asked("POST", "", "Content-Length: 2\r\n") + "ab");
  bench.send(upstream, small_answer);
  CHECK(upstream.take() == asked("HEAD"));
  bench.send(upstream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  CHECK(bench.outside.count == 1);
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  CHECK(received(client) == whole + "hello" + whole + "hello" + whole);
}

TEST_CASE("proxy: a slow client slows the server down, and little is queued for it") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  client.set_window(0);
  constexpr std::size_t size = 1'000'000;
  bench.send(upstream, base::concat("HTTP/1.1 200 OK\r\nContent-Length: ", size, "\r\n\r\n"));
  std::size_t sent = 0;
  for (; sent < size && upstream.reading(); sent += 10'000) bench.send(upstream, std::string(10'000, 'a'));
  CHECK(sent < 200'000);
  CHECK(client.out().size() <= bench.limits.high_water + 10'000 + 1'000);
  bench.send(upstream, std::string(size - sent, 'a'));  // as a carrier that had read on would hand it over
  CHECK(client.out().size() <= bench.limits.high_water + 33'000);
  std::size_t got = 0;
  while (client.out().size() > 0) {
    bench.take_in(client, 30'000);
    CHECK(client.out().size() <= bench.limits.high_water + 33'000);
    got += client.take().size();
  }
  CHECK(got > size);
  CHECK_FALSE(upstream.closed());
  client.set_window(ProxyBench::Link::unlimited);
  bench.send(client, asks());
  CHECK(upstream.take().ends_with(asked()));
  CHECK(upstream.reading());
}

TEST_CASE("proxy: a response that ends just when the client can take no more") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  client.set_window(0);
  bench.send(upstream, base::concat("HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n"));
  for (int i = 0; i < 2; ++i) bench.send(upstream, std::string(32'768, 'a'));
  CHECK(client.out().size() > bench.limits.high_water);
  bench.end(upstream);
  CHECK(upstream.closed());  // it was not forgotten that it reads
}

TEST_CASE("proxy: a response until the end, and a new connection for the next") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  bench.send(upstream, "HTTP/1.1 200 OK\r\n\r\nhello");
  bench.end(upstream);
  CHECK(upstream.closed());
  CHECK(received(client).ends_with("0\r\n\r\n"));
  bench.send(client, asks());
  CHECK(bench.outside.count == 2);
}

TEST_CASE("kept input: a response that its client does not take") {
  ProxyBench bench;
  bench.limits.high_water = 1'000;
  auto& client = bench.client();
  bench.send(client, asks());
  auto& upstream = bench.accept();
  client.set_window(0);
  constexpr std::size_t size = 1'000'000;
  const std::string answer = base::concat("HTTP/1.1 200 OK\r\nContent-Length: ", size, "\r\n\r\n", std::string(size, 'a'));
  bench.send(upstream, answer);
  CHECK_FALSE(upstream.reading());
  CHECK(answer.size() - upstream.unread() <= std::size_t{64} * 1024);
}

TEST_CASE("proxy: a slow server slows the client down") {
  ProxyBench bench;
  auto& client = bench.client();
  constexpr std::size_t size = 1'000'000;
  bench.send(client, asks("POST", base::concat("Content-Length: ", size, "\r\n")));
  CHECK_FALSE(client.reading());  // nobody to have it yet
  auto& upstream = bench.accept();
  upstream.set_window(0);
  std::size_t sent = 0;
  for (; sent < size && client.reading(); sent += 10'000) bench.send(client, std::string(10'000, 'a'));
  CHECK(sent < 200'000);
  CHECK(upstream.out().size() <= bench.limits.high_water + 11'000);
  bench.advance(1'000'000);  // it is not the client that is slow
  CHECK_FALSE(client.closed());
  std::size_t got = 0;
  for (; sent < size; sent += 10'000) {
    bench.take_in(upstream, 10'000);
    if (!client.reading()) sent -= 10'000;
    else bench.send(client, std::string(10'000, 'a'));
    got += upstream.take().size();
  }
  bench.take_in(upstream, ProxyBench::Link::unlimited);
  got += upstream.take().size();
  CHECK(got == size + asked("POST", "", base::concat("Content-Length: ", size, "\r\n")).size());
  bench.send(upstream, small_answer);
  CHECK(received(client) == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_CASE("proxy: large pieces of a body pass whole") {
  ProxyBench bench;
  auto& client = bench.client();
  bench.send(client, asks("POST", "Transfer-Encoding: chunked\r\n"));
  auto& upstream = bench.accept();
  upstream.take();
  const std::string part(40'000, 'b');
  bench.send(client, base::concat("9c40\r\n", part, "\r\n0\r\n\r\n"));
  CHECK(upstream.take() == base::concat("9c40\r\n", part, "\r\n0\r\n\r\n"));
}
