// Places on a server behind a prefix that its responses name.
#include "proxy/places.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr ProxyPlaces usual{"/app/", "/base/", "up.example:8080", "site.example"};
constexpr ProxyPlaces whole{"/app/", "/", "up.example", "site.example:81"};  // all of a server below a prefix
constexpr ProxyPlaces at_root{"/", "/", "up.example", "site.example"};
constexpr ProxyPlaces below_root{"/", "/base/", "up.example", "site.example"};
constexpr ProxyPlaces alike{"/app/", "/app/", "up.example", "site.example"};
constexpr ProxyPlaces over_tls{"/app/", "/base/", "up.example", "site.example", {}, "https"};
constexpr ProxyPlaces deeper{"/app/", "/app/v2/", "up.example", "site.example"};

struct Case {
  ProxyPlaces places;
  std::string_view from;
  std::string_view to;
};

}  // namespace

TEST_CASE("proxy places: references into the target are mapped to the prefix (RFC 9110 sections 8.7 and 10.2.2)") {
  for (const Case& each : {
           Case{usual, "/base/x", "/app/x"},
           Case{usual, "/base/", "/app/"},
           Case{usual, "/base", "/app"},
           Case{usual, "/base?a=/base/#/base/", "/app?a=/base/#/base/"},
           Case{usual, "/base/%2Fa%20b/?q#f", "/app/%2Fa%20b/?q#f"},
           Case{usual, "/%62ase/x", "/app/x"},
           Case{usual, "/base/\xC3\xA9", "/app/\xC3\xA9"},
           Case{usual, "http://up.example:8080/base/x?y", "/app/x?y"},
           Case{usual, "HTTP://UP.example:8080/base/x", "/app/x"},
           Case{usual, "//up.example:8080/base/x", "/app/x"},
           Case{over_tls, "https://up.example/base/x", "/app/x"},
           Case{over_tls, "HTTPS://up.example:443/base/x", "/app/x"},
           Case{over_tls, "//up.example/base/x", "/app/x"},
           Case{usual, "http://site.example/base/x", "http://site.example/app/x"},
           Case{usual, "http://site.example:80/base/x", "http://site.example:80/app/x"},
           Case{usual, "https://site.example/base/x", "https://site.example/app/x"},  // behind a front with TLS
           Case{usual, "https://site.example:443/base", "https://site.example:443/app"},
           Case{usual, "//site.example/base/x", "//site.example/app/x"},
           Case{whole, "/", "/app/"},
           Case{whole, "/x", "/app/x"},
           Case{whole, "http://up.example", "/app/"},
           Case{whole, "http://up.example?q", "/app/?q"},
           Case{whole, "http://up.example:80/x", "/app/x"},
           Case{whole, "http://site.example:81/x", "http://site.example:81/app/x"},
           Case{below_root, "/base/x", "/x"},
           Case{below_root, "/base", "/"},
           Case{below_root, "/base/", "/"},
           Case{at_root, "http://up.example/x", "/x"},
           Case{deeper, "/app/v2/x", "/app/x"},
           Case{{"/a b/", "/base/", "up.example", ""}, "/base/x", "/a%20b/x"},
       }) {
    CAPTURE(each.from);
    CHECK(map_reference(each.from, each.places) == each.to);
  }
}

TEST_CASE("proxy places: references to other places are left as they are") {
  for (const Case& each : {
           Case{usual, "/other/x", {}},
           Case{usual, "/baseball", {}},
           Case{usual, "/Base/x", {}},
           Case{usual, "/", {}},
           Case{usual, "x", {}},
           Case{usual, "../x", {}},
           Case{usual, "?q", {}},
           Case{usual, "#f", {}},
           Case{usual, "", {}},
           Case{usual, "base/x", {}},
           Case{usual, "http://other.example/base/x", {}},
           Case{usual, "http://up.example/base/x", {}},        // another port
           Case{usual, "https://up.example:8080/base/x", {}},  // not the target
           Case{over_tls, "http://up.example/base/x", {}},
           Case{over_tls, "http://up.example:443/base/x", {}},
           Case{over_tls, "https://up.example:80/base/x", {}},
           Case{whole, "https://up.example/x", {}},  // a server that wants TLS: mapped, it would go round in circles
           Case{usual, "http://site.example:8443/base/x", {}},
           Case{usual, "http://a@up.example:8080/base/x", {}},
           Case{usual, "http:///base/x", {}},
           Case{usual, "http:/base/x", {}},
           Case{usual, "///base/x", {}},
           Case{usual, "http://up.example:8080/other", {}},
           Case{usual, "mailto:a@b", {}},
           Case{usual, "javascript:x()", {}},
           Case{alike, "/app/x", {}},
           Case{at_root, "/x", {}},
           Case{at_root, "/\\x", {}},
           Case{at_root, "http://site.example/x", {}},
       }) {
    CAPTURE(each.from);
    CHECK(map_reference(each.from, each.places) == each.from);
  }
}

TEST_CASE("proxy places: a server that heeds X-Forwarded-Prefix is not mapped twice") {
  CHECK(map_reference("/app/x", whole) == "/app/x");
  CHECK(map_reference("/app", whole) == "/app");
  CHECK(map_reference("http://site.example:81/app/x", whole) == "http://site.example:81/app/x");
  CHECK(map_reference("http://up.example/app/x", whole) == "/app/x");  // though not for the host
  CHECK(map_cookie("a=b; Path=/app", whole) == "a=b; Path=/app");
  CHECK(map_cookie("a=b; Path=/app/", whole) == "a=b; Path=/app/");
  CHECK(map_cookie("a=b; Path=/app/x", whole) == "a=b; Path=/app/x");
}

TEST_CASE("proxy places: a path is never made the name of a host (RFC 9110 section 10.2.2)") {
  CHECK(map_reference("http://up.example//evil.example/x", at_root) == "/.//evil.example/x");
  CHECK(map_reference("http://up.example/\\evil.example/x", at_root) == "/./\\evil.example/x");
  CHECK(map_reference("http://up.example/\t/evil.example/x", at_root) == "/./\t/evil.example/x");
  CHECK(map_reference("/base//evil.example", below_root) == "/.//evil.example");
  CHECK(map_reference("/base//evil.example", usual) == "/app//evil.example");
  CHECK(map_reference("http://site.example/base//evil.example", below_root) == "http://site.example//evil.example");
}

TEST_CASE("proxy places: IPv6, and a client that names no host") {
  const ProxyPlaces places{"/app/", "/", "[::1]:8080", ""};
  CHECK(map_reference("http://[::1]:8080/x", places) == "/app/x");
  CHECK(map_reference("http://[::2]:8080/x", places) == "http://[::2]:8080/x");
}

TEST_CASE("proxy places: Refresh") {
  for (const Case& each : {
           Case{usual, "5; url=/base/x", "5; url=/app/x"},
           Case{usual, "0;URL='http://up.example:8080/base/x'", "0;URL='/app/x'"},
           Case{usual, "0; url = \"/base/x\" rest", "0; url = \"/app/x\" rest"},
           Case{usual, "0;url='/base/x", "0;url='/app/x"},
           Case{usual, "1.5, url=/base/", "1.5, url=/app/"},
           Case{usual, "5 /base/x", "5 /app/x"},
           Case{usual, "5;/base/x", "5;/app/x"},
           Case{usual, "5", "5"},
           Case{usual, "", ""},
           Case{usual, "5;", "5;"},
           Case{usual, "5; url", "5; url"},
           Case{usual, "5; url=", "5; url="},
           Case{usual, "5; url='", "5; url='"},
           Case{usual, "5; url=/other", "5; url=/other"},
           Case{usual, "5; urls", "5; urls"},
       }) {
    CAPTURE(each.from);
    CHECK(map_refresh(each.from, each.places) == each.to);
  }
}

TEST_CASE("proxy places: paths of cookies (RFC 6265 section 4.1.2)") {
  for (const Case& each : {
           Case{usual, "a=b; Path=/base/", "a=b; Path=/app"},
           Case{usual, "a=b; Path=/base", "a=b; Path=/app"},
           Case{usual, "a=b; HttpOnly; path = /base/x ;Secure", "a=b; HttpOnly; path =/app/x;Secure"},
           Case{usual, "a=b;PATH=/base;path=/base/y", "a=b;PATH=/app;path=/app/y"},
           Case{usual, "a=b; Path=/", "a=b; Path=/"},  // covers both
           Case{usual, "a=b; Path=/other", "a=b; Path=/other"},
           Case{usual, "a=b; Path=base", "a=b; Path=base"},
           Case{usual, "a=b; Path", "a=b; Path"},
           Case{usual, "a=b; Path=", "a=b; Path="},
           Case{usual, "a=/base/; Expires=Wed, 30 Aug 2022 00:00:00 GMT", "a=/base/; Expires=Wed, 30 Aug 2022 00:00:00 GMT"},
           Case{usual, "Path=/base/", "Path=/base/"},  // its name
           Case{usual, "", ""},
           Case{usual, ";;", ";;"},
           Case{whole, "a=b; Path=/", "a=b; Path=/app"},
           Case{whole, "a=b; Path=/x", "a=b; Path=/app/x"},
           Case{below_root, "a=b; Path=/base", "a=b; Path=/"},
           Case{alike, "a=b; Path=/app/", "a=b; Path=/app/"},
           Case{deeper, "a=b; Path=/app/v2", "a=b; Path=/app"},
           Case{{"/x/", "/a/b/", "up.example", ""}, "a=b; Path=/a", "a=b; Path=/x"},  // above the base
           Case{{"/x/", "/a/b/", "up.example", ""}, "a=b; Path=/a/", "a=b; Path=/x"},
           Case{{"/x/", "/ab/", "up.example", ""}, "a=b; Path=/a", "a=b; Path=/a"},
           Case{whole, "__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/; Secure"},  // browsers want that path
           Case{whole, "__Secure-a=b; Path=/; Secure", "__Secure-a=b; Path=/app; Secure"},
       }) {
    CAPTURE(each.from);
    CHECK(map_cookie(each.from, each.places) == each.to);
  }
}

TEST_CASE("proxy places: a cookie's domain is removed if it is the target's and not the client's (RFC 6265 section 4.1.2)") {
  CHECK(map_cookie("a=b; Domain=up.example; Path=/base/", usual) == "a=b; Path=/app");
  CHECK(map_cookie("a=b; domain = .UP.example", usual) == "a=b");
  CHECK(map_cookie("a=b; Domain=site.example", usual) == "a=b; Domain=site.example");
  CHECK(map_cookie("a=b; Domain=other.example", usual) == "a=b; Domain=other.example");
  CHECK(map_cookie("a=b; Domain=example", usual) == "a=b; Domain=example");
  CHECK(map_cookie("a=b; Domain=", usual) == "a=b; Domain=");
  const ProxyPlaces same{"/app/", "/", "example.com:8080", "www.example.com"};
  CHECK(map_cookie("a=b; Domain=example.com", same) == "a=b; Domain=example.com");
}

TEST_CASE("proxy places: fields of a response, each with its switch") {
  const session::Fields original{{"location", "/base/a"},      {"Content-Location", "/base/b"},
                                 {"Refresh", "1;url=/base/c"}, {"Set-Cookie", "a=b;Path=/base/d"},
                                 {"Set-Cookie", "c=d"},        {"Link", "</base/e>"}};
  session::Fields fields = original;
  map_fields(fields, usual, {});
  CHECK(fields == session::Fields{{"location", "/app/a"},
                                  {"Content-Location", "/app/b"},
                                  {"Refresh", "1;url=/app/c"},
                                  {"Set-Cookie", "a=b;Path=/app/d"},
                                  {"Set-Cookie", "c=d"},
                                  {"Link", "</base/e>"}});
  Proxy proxy;
  proxy.map_places = proxy.map_cookies = Switch::off;
  fields = original;
  map_fields(fields, usual, proxy);
  CHECK(fields == original);
  proxy.map_cookies = Switch::on;
  map_fields(fields, usual, proxy);
  CHECK(fields[0].second == "/base/a");
  CHECK(fields[3].second == "a=b;Path=/app/d");
}
