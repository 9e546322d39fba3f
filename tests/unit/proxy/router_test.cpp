// What the router decides before a request is passed to a proxy mount. There is no server behind it here: a request that is passed
// on is 502.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "base/log.h"
#include "unit/server/served.h"

namespace {

using namespace wharf;
using namespace wharf::server;

Served proxied(std::vector<std::string> origins = {}, Switch add_slash = Switch::on) {
  VirtualHost host;
  Proxy proxy{"http://127.0.0.1:9/base/"};
  proxy.add_slash = add_slash;
  host.mounts = {{"/a b/", proxy}};
  host.origins = std::move(origins);
  return Served({host});
}

std::string upgrading(std::string_view origin, std::string_view upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n",
                      std::string_view line = "GET /a%20b/x HTTP/1.1") {
  return base::concat(line, "\r\nHost: localhost\r\nOrigin: ", origin, "\r\n", upgrade, "\r\n");
}

}  // namespace

TEST_CASE("proxy router: a page of any origin could open a WebSocket behind the proxy") {
  Served served = proxied({"https://good.example", "same-origin"});
  CHECK(served.ask(upgrading("https://evil.example")).status == 403);
  CHECK(served.ask(upgrading("null")).status == 403);
  CHECK(served.ask(upgrading("https://good.example\r\nOrigin: https://evil.example")).status == 403);
  CHECK(served.ask(upgrading("https://good.example")).status == 502);
  CHECK(served.ask(upgrading("http://localhost")).status == 502);
  CHECK(served.ask("GET /a%20b/x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n").status == 502);
  CHECK(proxied().ask(upgrading("https://evil.example")).status == 502);  // if all may
}

TEST_CASE("proxy router: no spelling of an upgrade to WebSocket gets around the origins") {
  Served served = proxied({"https://good.example"});
  for (const std::string_view upgrade :
       {"Upgrade: WebSocket\r\nConnection: upgrade\r\n", "Upgrade: websocket/13\r\nConnection: Upgrade\r\n",
        "Upgrade: toy, websocket\r\nConnection: keep-alive, Upgrade\r\n",
        "Upgrade: toy\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        "Connection: Upgrade\r\nUpgrade: ,websocket\r\nContent-Length: 0\r\n"})
    CHECK_MESSAGE(served.ask(upgrading("https://evil.example", upgrade)).status == 403, upgrade);
  CHECK(served.ask(upgrading("https://evil.example", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "POST /a%20b/x HTTP/1.1"))
            .status == 403);
  CHECK(served.ask(upgrading("https://evil.example", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "GET /a%20b HTTP/1.1"))
            .status == 403);
}

TEST_CASE("proxy router: origins are for WebSockets alone") {
  Served served = proxied({"https://good.example"});
  for (const std::string_view upgrade : {"", "Upgrade: toy\r\nConnection: Upgrade\r\n", "Upgrade: websocket\r\n"})
    CHECK_MESSAGE(served.ask(upgrading("https://evil.example", upgrade)).status == 502, upgrade);
}

TEST_CASE("proxy router: the prefix without its slash is redirected, or the page's relative links lead elsewhere") {
  Served served = proxied();
  const Answer get = served.get("/a%20b?x=/y&z");
  CHECK(get.status == 301);
  CHECK(get.field("Location") == "/a%20b/?x=/y&z");
  CHECK(served.ask(Served::head("HEAD", "/%61%20b")).field("Location") == "/a%20b/");
  CHECK(served.get("/a%20b/").status == 502);
  CHECK(served.get("/a%20b%2F").status == 502);
  CHECK(served.ask(upgrading("x", "Upgrade: h2c\r\nConnection: Upgrade\r\n", "GET /a%20b HTTP/1.1")).status == 301);
}

TEST_CASE("proxy router: requests that must not be redirected are passed on without the slash") {
  Served served = proxied();
  for (const char* const method : {"POST", "OPTIONS", "PUT", "PROPFIND"})
    CHECK_MESSAGE(served.ask(Served::head(method, "/a%20b")).status == 502, method);
  CHECK(served.ask(upgrading("x", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "GET /a%20b HTTP/1.1")).status == 502);
  CHECK(proxied({}, Switch::off).get("/a%20b").status == 502);
}
