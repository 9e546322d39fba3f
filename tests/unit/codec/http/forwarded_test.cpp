#include "codec/http/forwarded.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace {

using namespace wharf;
using namespace wharf::codec;
using base::PeerAddress;
using base::PeerNetwork;

PeerAddress address(std::string_view text) {
  CAPTURE(text);
  const auto parsed = PeerAddress::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

/// What 10.0.0.1 says with these fields, if 10.0.0.0/8, fd00::/8 and unix sockets are trusted: client, scheme and host.
std::string said(std::string_view fields, ForwardingFields kind = ForwardingFields::either) {
  RequestParser parser;
  const std::string bytes = base::concat("GET / HTTP/1.1\r\nHost: up.example\r\n", fields, "\r\n");
  REQUIRE(parser.parse(bytes) == RequestParser::State::done);
  const TrustedFronts fronts({*PeerNetwork::parse("10.0.0.0/8"), *PeerNetwork::parse("fd00::/8"), *PeerNetwork::parse("unix")},
                             kind);
  const Forwarding found = read_forwarding(parser.head(), address("10.0.0.1:4711"), fronts);
  return base::concat(found.client.text(), " ", scheme_of(&found, "http"), " ", host_of(&found, parser.head()));
}

std::string client(std::string_view fields) {
  const std::string all = said(fields);
  return all.substr(0, all.find(' '));
}

std::string chain(std::string_view value) { return client(base::concat("X-Forwarded-For: ", value, "\r\n")); }
std::string forwarded(std::string_view value) { return said(base::concat("Forwarded: ", value, "\r\n")); }

std::string elements(std::string_view value) {
  const std::vector<Field> fields{{"Forwarded", value}};
  std::string text;
  for (const ForwardedElement& each : parse_forwarded(fields))
    text += base::concat("[", each.node, "|", each.proto, "|", each.host, "]");
  return text;
}

}  // namespace

TEST_CASE("forwarded: a front that says nothing is the client itself") {
  CHECK(said("") == "10.0.0.1:4711 http up.example");
  CHECK(said("X-Forwarded-For:\r\nX-Forwarded-Proto:\r\nX-Forwarded-Host:\r\nForwarded:\r\n") == "10.0.0.1:4711 http up.example");
}

TEST_CASE("forwarded: X-Forwarded-For is walked from the right, over fronts that are trusted, to the first address that is not") {
  CHECK(chain("203.0.113.7") == "203.0.113.7");
  CHECK(chain("6.6.6.6, 203.0.113.7") == "203.0.113.7");
  CHECK(chain("6.6.6.6, 203.0.113.7, 10.1.2.3, fd00::1") == "203.0.113.7");
  CHECK(chain("10.0.0.9, 10.1.2.3") == "10.0.0.9");  // a client of our own network
  CHECK(client("X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 203.0.113.7\r\nX-FORWARDED-FOR: 10.1.2.3\r\n") == "203.0.113.7");
  CHECK(chain(" , 203.0.113.7 ,, ") == "203.0.113.7");
}

TEST_CASE("forwarded: addresses with ports, brackets and in their IPv6 guise") {
  CHECK(chain("203.0.113.7:51234") == "203.0.113.7:51234");
  CHECK(chain("2001:db8::1") == "2001:db8::1");
  CHECK(chain("[2001:db8::1]") == "2001:db8::1");
  CHECK(chain("[2001:db8::1]:80") == "[2001:db8::1]:80");
  CHECK(chain("6.6.6.6, ::ffff:203.0.113.7, ::ffff:10.0.0.2") == "203.0.113.7");
}

TEST_CASE("forwarded: a malformed item ends the walk at the last front that is known") {
  for (const char* const each :
       {"unknown", "_hidden", "_SEVKISEK", "localhost", "203.0.113", "203.0.113.7:", "203.0.113.7:99999", "\"203.0.113.7\"",
        "fe80::1%eth0", "fe80::1%1", "unix:", "unix", "<script>", "1.2.3.4 5.6.7.8", "127.0.0.1.example", "0177.0.0.1"}) {
    CAPTURE(each);
    CHECK(chain(base::concat("6.6.6.6, ", each)) == "10.0.0.1:4711");
    CHECK(chain(base::concat("6.6.6.6, ", each, ", 10.0.0.2")) == "10.0.0.2");
  }
}

TEST_CASE("forwarded: a chain as long as a head may be is walked so far and no further") {
  std::string all;
  for (int i = 0; i < 900; ++i) all += "10.0.0.2, ";
  CHECK(chain("6.6.6.6, " + all) == "10.0.0.2");
  std::string most;
  for (std::size_t i = 1; i < most_trusted_hops; ++i) most += ", 10.0.0.2";
  CHECK(chain("6.6.6.6, 203.0.113.7" + most) == "203.0.113.7");
  CHECK(chain("203.0.113.7, 10.0.0.3" + most) == "10.0.0.3");
  std::string pairs;
  for (int i = 0; i < 3000; ++i) pairs += "a=b,";
  CHECK(forwarded(pairs + "for=203.0.113.7") == "203.0.113.7 http up.example");
}

TEST_CASE("forwarded: the scheme and the host that the front was asked by") {
  CHECK(said("X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: site.example\r\n") ==
        "203.0.113.7 https site.example");
  CHECK(said("X-Forwarded-Proto: HTTPS\r\n") == "10.0.0.1:4711 https up.example");
  CHECK(said("X-Forwarded-Proto: wss\r\n") == "10.0.0.1:4711 https up.example");
  CHECK(said("X-Forwarded-Proto: ws\r\n") == "10.0.0.1:4711 http up.example");
  for (const char* const each : {"ftp", "javascript", "https:", "https http", "h"})
    CHECK(said(base::concat("X-Forwarded-Proto: ", each, "\r\n")) == "10.0.0.1:4711 http up.example");
  for (const char* const each : {"a b", "user@site.example", "site.example/x", "site.example:port", "[::1", ":80"}) {
    CAPTURE(each);
    CHECK(said(base::concat("X-Forwarded-Host: ", each, "\r\n")) == "10.0.0.1:4711 http up.example");
  }
}

TEST_CASE("forwarded: if each front adds a scheme and a host, those of the front that the client asked count") {
  CHECK(said("X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.2\r\nX-Forwarded-Proto: http, https, http\r\n"
             "X-Forwarded-Host: evil.example, site.example, inner.example\r\n") == "203.0.113.7 https site.example");
  CHECK(said("X-Forwarded-For: 203.0.113.7, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n") == "203.0.113.7 https up.example");
  CHECK(said("X-Forwarded-Proto: https, http\r\n") == "10.0.0.1:4711 http up.example");
}

TEST_CASE("forwarded: the port is added to the host if it is not the usual one, and was not there already") {
  CHECK(said("X-Forwarded-Host: site.example\r\nX-Forwarded-Port: 8443\r\n") == "10.0.0.1:4711 http site.example:8443");
  CHECK(said("X-Forwarded-Host: [2001:db8::1]\r\nX-Forwarded-Port: 8443\r\n") == "10.0.0.1:4711 http [2001:db8::1]:8443");
  CHECK(said("X-Forwarded-Host: site.example:\r\nX-Forwarded-Port: 8443\r\n") == "10.0.0.1:4711 http site.example:8443");
  CHECK(said("X-Forwarded-Port: 8443\r\n") == "10.0.0.1:4711 http up.example:8443");
  CHECK(said("X-Forwarded-Host: site.example:1\r\nX-Forwarded-Port: 8443\r\n") == "10.0.0.1:4711 http site.example:1");
  for (const char* const each : {"443", "80", "0", "65536", "-1", "x", "8443x"}) {
    CAPTURE(each);
    CHECK(said(base::concat("X-Forwarded-Host: site.example\r\nX-Forwarded-Port: ", each, "\r\n")) ==
          "10.0.0.1:4711 http site.example");
  }
}

TEST_CASE("forwarded: Forwarded with quoted strings, escapes and white space (RFC 7239 4)") {
  CHECK(elements("for=192.0.2.43") == "[192.0.2.43||]");
  CHECK(elements("For=\"[2001:db8:cafe::17]:4711\"") == "[[2001:db8:cafe::17]:4711||]");
  CHECK(elements("for=192.0.2.60;proto=http;by=203.0.113.43") == "[192.0.2.60|http|]");
  CHECK(elements("for=192.0.2.43, for=\"[2001:db8:cafe::17]\",for=unknown") == "[192.0.2.43||][[2001:db8:cafe::17]||][unknown||]");
  CHECK(elements("proto = https ; host=\"a,b;c=\\\"d\\\\\" ;for=_x") == "[_x|https|a,b;c=\"d\\]");
  CHECK(elements(";;for=a;, ,;") == "[a||]");
  CHECK(elements("by=x") == "[||]");
  CHECK(elements("for=1.2.3.4:80") == "[1.2.3.4:80||]");  // which RFC 7239 would have in quotes
  CHECK(elements("for=[::1]:80;proto=https") == "[[::1]:80|https|]");
}

TEST_CASE("forwarded: if one Forwarded field is malformed, none of them is believed") {
  for (const char* const each : {"for", "for=", "=x", "for=\"x", "for=\"x\\", "for=\"x\"y", "for=x y", "for=x\"y\"", "for=a;for=b",
                                 "for=a;;FOR=b", "\"for\"=x", "for=a, for=\"", "(for)=x", "for=a; proto", "for=\", for=203.0.113.7",
                                 "for=\", for=\"[2001:db8::1]\"", "for=a;proto=\"x, for=\"[2001:db8::1]\";proto=https"}) {
    CAPTURE(each);
    CHECK(elements(each).empty());
    CHECK(forwarded(each) == "10.0.0.1:4711 http up.example");
    CHECK(said(base::concat("Forwarded: ", each, "\r\nForwarded: for=203.0.113.7\r\n")) == "10.0.0.1:4711 http up.example");
  }
}

TEST_CASE("forwarded: Forwarded is walked like X-Forwarded-For") {
  CHECK(forwarded("for=6.6.6.6;proto=http, for=\"203.0.113.7:80\";proto=https;host=site.example, "
                  "for=10.0.0.2;proto=http;host=in.example") == "203.0.113.7:80 https site.example");
  CHECK(forwarded("for=203.0.113.7, for=10.0.0.2;proto=https") == "203.0.113.7 https up.example");
  CHECK(forwarded("for=\"[2001:db8::1]:_p\"") == "2001:db8::1 http up.example");
  CHECK(forwarded("for=203.0.113.7;proto=http, for=unknown;proto=https") == "10.0.0.1:4711 https up.example");
  CHECK(forwarded("for=203.0.113.7, proto=https") == "10.0.0.1:4711 https up.example");
  CHECK(forwarded("for=203.0.113.7;host=\"site.example\\r\\n: x\"") == "203.0.113.7 http up.example");
}

TEST_CASE("forwarded: of the two kinds, a client cannot add one to what a front writes of the other") {
  const std::string both = "Forwarded: for=1.1.1.1;proto=https\r\nX-Forwarded-For: 2.2.2.2\r\n";
  CHECK(said(both) == "2.2.2.2 http up.example");
  CHECK(said(both, ForwardingFields::x_forwarded) == "2.2.2.2 http up.example");
  CHECK(said(both, ForwardingFields::forwarded) == "1.1.1.1 https up.example");
  CHECK(said("Forwarded: for=1.1.1.1;proto=https\r\n", ForwardingFields::x_forwarded) == "10.0.0.1:4711 http up.example");
  CHECK(said("X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n", ForwardingFields::forwarded) ==
        "10.0.0.1:4711 http up.example");
  CHECK(said("X-Forwarded-Proto: http\r\nForwarded: for=1.1.1.1;proto=https\r\n") == "10.0.0.1:4711 http up.example");
}

TEST_CASE("forwarded: names that gateways to programs take for one of these fields") {
  for (const char* const each :
       {"Forwarded", "fORWARDED", "X-Forwarded-For", "x_forwarded_for", "X_Forwarded-Proto", "X-Forwarded_Host",
        "X.Forwarded.Proto", "X~Forwarded!Port", "X-Forwarded-Prefix", "X_FORWARDED_SSL", "X-Real-IP", "x_real_ip"}) {
    CAPTURE(each);
    CHECK(is_forwarding_field(each));
    CHECK(reads_alike(each, each));
  }
  for (const char* const each :
       {"", "X-Forwarded", "XForwardedFor", "Forwarded-For", "X-Forward-For", "X-Real-IP-", "_Forwarded", "For"}) {
    CAPTURE(each);
    CHECK_FALSE(is_forwarding_field(each));
  }
  CHECK(is_oddly_spelt("X_Forwarded-For"));
  CHECK_FALSE(is_oddly_spelt("X-Forwarded-For"));
}
