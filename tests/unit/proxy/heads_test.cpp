// What a proxy mount tells each side about the other, and what can be switched off.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr std::string_view places =
    "HTTP/1.1 302 x\r\nLocation: /base/login?to=/base/x\r\nContent-Location: http://up.example:8080/base/y\r\n"
    "Set-Cookie: a=b; Path=/base/; Domain=up.example\r\nRefresh: 1; url=/base/\r\nContent-Length: 0\r\n\r\n";

/// What a client gets, and the server upstream, with these settings.
struct Relayed {
  Relayed(const Proxy& proxy, std::string_view fields, std::string_view said) {
    ProxyBench bench(proxy);
    auto& client = bench.client();
    bench.send(client, asks("GET", fields));
    auto& upstream = bench.accept();
    request = upstream.take();
    bench.send(upstream, said);
    answer = received(client);
  }

  std::string request;
  std::string answer;
};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

TEST_CASE("proxy heads: an application below a prefix was sent to places that are not there") {
  CHECK(Relayed(ProxyBench::to(), {}, places).answer ==
        "HTTP/1.1 302 Found\r\nLocation: /app/login?to=/base/x\r\nContent-Location: /app/y\r\nSet-Cookie: a=b; Path=/app\r\n"
        "Refresh: 1; url=/app/\r\nContent-Length: 0\r\n\r\n");
  Proxy proxy = ProxyBench::to();
  proxy.map_places = proxy.map_cookies = Switch::off;
  CHECK(Relayed(proxy, {}, places).answer ==
        "HTTP/1.1 302 Found\r\nLocation: /base/login?to=/base/x\r\nContent-Location: http://up.example:8080/base/y\r\n"
        "Set-Cookie: a=b; Path=/base/; Domain=up.example\r\nRefresh: 1; url=/base/\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("proxy heads: the server is told the prefix, and the client cannot tell another") {
  CHECK(Relayed(ProxyBench::to(), "X-Forwarded-Prefix: /evil\r\n", small_answer).request == asked());
  Proxy proxy = ProxyBench::to();
  proxy.send_prefix = Switch::off;
  CHECK_FALSE(has(Relayed(proxy, "X-Forwarded-Prefix: /evil\r\n", small_answer).request, "X-Forwarded-Prefix"));
}

TEST_CASE("proxy heads: Via can be switched off in both directions, because some servers do not compress if it is there") {
  const std::string_view answer = "HTTP/1.1 200 OK\r\nVia: 1.1 other\r\nContent-Length: 0\r\n\r\n";
  const Relayed on(ProxyBench::to(), "Via: 1.1 first\r\n", answer);
  CHECK(has(on.request, "Via: 1.1 first\r\n"));
  CHECK(has(on.request, "Via: 1.1 wharf\r\n"));
  CHECK(has(on.answer, "Via: 1.1 other\r\n"));
  Proxy proxy = ProxyBench::to();
  proxy.send_via = Switch::off;
  const Relayed off(proxy, "Via: 1.1 first\r\n", answer);
  CHECK_FALSE(has(off.request, "Via"));
  CHECK_FALSE(has(off.answer, "Via"));
  CHECK(has(off.answer, "Content-Length: 0\r\n"));
}

TEST_CASE("proxy heads: an HTTP/1.0 server, and one that closes, with a redirect below a prefix") {
  for (const char* const head : {"HTTP/1.0 301\r\n", "HTTP/1.1 301\r\nConnection: close\r\n"}) {
    ProxyBench bench;
    auto& client = bench.client();
    bench.send(client, asks());
    auto& upstream = bench.accept();
    bench.send(upstream, base::concat(head, "Location: http://site.example/base/z\r\n\r\n"));
    bench.end(upstream);
    CHECK(received(client) ==
          "HTTP/1.1 301 Moved Permanently\r\nLocation: http://site.example/app/z\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    CHECK_FALSE(client.closed());
    CHECK(upstream.closed());
  }
}

TEST_CASE("proxy heads: places on the host that a trusted front says the client named were not mapped") {
  ProxyBench bench;
  bench.context.fronts = codec::TrustedFronts({*base::PeerNetwork::parse("192.0.2.1")}, codec::ForwardingFields::either);
  auto& client = bench.client();
  auto& upstream = [&]() -> ProxyBench::Link& {
    bench.send(client, asks("GET", "X-Forwarded-Host: www.example\r\nX-Forwarded-Proto: https\r\n"));
    return bench.accept();
  }();
  bench.send(upstream,
             "HTTP/1.1 201 x\r\nLocation: https://www.example/base/x\r\nContent-Location: http://site.example/base/y\r\n"
             "Set-Cookie: a=b; Domain=up.example\r\nContent-Length: 0\r\n\r\n");
  CHECK(received(client) ==
        "HTTP/1.1 201 Created\r\nLocation: https://www.example/app/x\r\nContent-Location: http://site.example/app/y\r\n"
        "Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("proxy heads: Host is the client's, or that of the target") {
  const std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  CHECK(has(Relayed(ProxyBench::to(), {}, answer).request, "\r\nHost: site.example\r\n"));
  Proxy proxy = ProxyBench::to();
  proxy.send_host = Switch::off;
  const Relayed off(proxy, {}, answer);
  CHECK(has(off.request, "\r\nHost: up.example:8080\r\n"));
  CHECK(has(off.request, "\r\nX-Forwarded-Host: site.example\r\n"));
  CHECK_FALSE(has(off.request, "\r\nHost: site.example\r\n"));
}
