#include "proxy/forwarding.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "base/log.h"

namespace {

using namespace wharf;
using namespace wharf::server;

using Persistence = session::OutgoingRequest::Persistence;

std::string text_of(const UpstreamHead& head) { return session::request_head(head.request()); }

/// A parsed request with its bytes.
class Parsed {
 public:
  explicit Parsed(std::string_view fields, std::string_view line = "GET /app/x HTTP/1.1")
      : bytes_(base::concat(line, "\r\n", line.ends_with("1.1") ? "Host: site.example\r\n" : "", fields, "\r\n")) {
    REQUIRE(parser_.parse(bytes_) == codec::RequestParser::State::done);
  }
  [[nodiscard]] const codec::RequestHead& head() const { return parser_.head(); }
  /// From a front that is trusted, 192.0.2.7.
  [[nodiscard]] std::string trusted(codec::ForwardingFields fields = codec::ForwardingFields::either) const {
    const base::PeerAddress front = *base::PeerAddress::parse("192.0.2.7:4711");
    const codec::TrustedFronts fronts({*base::PeerNetwork::parse("192.0.2.0/24")}, fields);
    const codec::Forwarding forwarding = codec::read_forwarding(head(), front, fronts);
    return text_of(
        {head(), {.path = "/base/x?q", .peer = front, .authority = "up.example", .upgrade = {}, .forwarding = &forwarding}});
  }
  [[nodiscard]] std::string upstream(std::string_view upgrade = {}, Persistence persistence = Persistence::kept) const {
    return text_of({head(), {"/base/x?q", *base::PeerAddress::parse("192.0.2.7:4711"), "up.example", upgrade, persistence}});
  }

 private:
  std::string bytes_;
  codec::RequestParser parser_;
};

constexpr std::string_view added =
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site.example\r\nVia: 1.1 wharf\r\n";
constexpr std::string_view begin = "GET /base/x?q HTTP/1.1\r\nHost: site.example\r\n";

/// The same with these fields between what a proxy writes.
std::string with(std::string_view fields, std::string_view more = {}) { return base::concat(begin, fields, added, more, "\r\n"); }

codec::AnswerHead answer(std::string_view bytes) {
  codec::AnswerHead head;
  REQUIRE(codec::read_answer_head(bytes, {}, head).state == codec::AnswerState::done);
  return head;
}

std::string text_of(const session::Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) text += base::concat(name, ": ", value, "\n");
  return text;
}

}  // namespace

TEST_CASE("forwarding: end-to-end fields pass in their order and case, and repeated") {
  const std::string_view fields =
      "Cookie: a=b\r\nX-Odd:  spaced  \r\naccept: x\r\nAccept: y\r\nX-Empty:\r\nAuthorization: Basic eDp5\r\n";
  CHECK(Parsed(fields).upstream() ==
        with("Cookie: a=b\r\nX-Odd: spaced\r\naccept: x\r\nAccept: y\r\nX-Empty: \r\nAuthorization: Basic eDp5\r\n"));
}

TEST_CASE("forwarding: fields of the connection stay here, and those that Connection names (RFC 9110 7.6.1)") {
  CHECK(
      Parsed(
          "Connection: close, X-Own\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X-T\r\n"
          "Upgrade: websocket\r\nHTTP2-Settings: AA\r\nProxy-Authorization: Basic eDp5\r\nProxy-Authenticate: Basic\r\nx-own: 1\r\n"
          "Connection: X-Other\r\nX-Other: 2\r\nX-Kept: 3\r\n")
          .upstream() == with("X-Kept: 3\r\n"));
}

TEST_CASE("forwarding: this server handles Expect") {
  CHECK(Parsed("Expect: 100-continue\r\nContent-Length: 3\r\n").upstream() == with("", "Content-Length: 3\r\n"));
}

TEST_CASE("forwarding: a body keeps its length, or is in chunks again") {
  CHECK(Parsed("Content-Length: 007\r\n").upstream() == with("", "Content-Length: 7\r\n"));
  CHECK(Parsed("Content-Length: 0\r\n").upstream() == with("", "Content-Length: 0\r\n"));
  CHECK(Parsed("Transfer-Encoding: Chunked\r\n").upstream() == with("", "Transfer-Encoding: chunked\r\n"));
  CHECK(Parsed("Connection: Content-Length\r\nContent-Length: 3\r\n").upstream() == with("", "Content-Length: 3\r\n"));
  CHECK(Parsed("Connection: Host, Via\r\n").upstream() == with(""));
}

TEST_CASE("forwarding: a client's own claims about address, scheme and host are replaced") {
  const std::string_view forged =
      "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-For:\r\nx-forwarded-for: 3.3.3.3\r\nX-Forwarded-Proto: https\r\n"
      "X-Forwarded-Host: evil.example\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Ssl: on\r\nX-Forwarded-Prefix: /x\r\n"
      "X-Forwarded-Server: y\r\nX-Real-IP: 4.4.4.4\r\n";
  CHECK(Parsed(forged).upstream() == with(""));
  CHECK(Parsed("Connection: X-Forwarded-For, X-Forwarded-Proto\r\nX-Forwarded-For: 1.1.1.1\r\n").upstream() == with(""));
  CHECK(Parsed("Forwarded: for=1.1.1.1;proto=https;host=evil.example\r\nForwarded: for=2.2.2.2\r\n").upstream() ==
        base::concat(begin,
                     "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site.example\r\n"
                     "Forwarded: for=192.0.2.7;host=\"site.example\";proto=http\r\nVia: 1.1 wharf\r\n\r\n"));
  CHECK(forwarded_address(*base::PeerAddress::parse("127.0.0.1:80")) == "127.0.0.1");
  CHECK(forwarded_address(*base::PeerAddress::parse("[::1]:80")) == "::1");
  CHECK(forwarded_address(base::PeerAddress::unix_socket()) == "unknown");
  CHECK(forwarded_address(base::PeerAddress()) == "unknown");
}

TEST_CASE("forwarding: X_Forwarded_Proto, which a WSGI application takes for X-Forwarded-Proto, goes no further") {
  for (const char* const name :
       {"X_Forwarded_Proto", "x_forwarded-proto", "X-Forwarded_For", "X_FORWARDED_HOST", "X.Forwarded.Proto", "X_Real_IP",
        "X_Forwarded_Ssl", "Content_Length", "Transfer_Encoding", "X_Forwarded_Port"}) {
    CAPTURE(name);
    CHECK(Parsed(base::concat(name, ": 1\r\n")).upstream() == with(""));
    CHECK(Parsed(base::concat(name, ": 1\r\n")).trusted() == with(""));
  }
  CHECK(Parsed("X_Own: 1\r\nX-Own_2: 2\r\n").upstream() == with("X_Own: 1\r\nX-Own_2: 2\r\n"));
}

TEST_CASE("forwarding: what a trusted front says is extended") {
  CHECK(Parsed("X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n"
               "X-Forwarded-Host: www.example\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /x\r\nX-Real-IP: 203.0.113.7\r\n")
            .trusted() ==
        base::concat(begin,
                     "X-Real-IP: 203.0.113.7\r\n"
                     "X-Forwarded-For: 6.6.6.6, 203.0.113.7, 192.0.2.9, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
                     "X-Forwarded-Host: www.example\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /x\r\nVia: 1.1 wharf\r\n\r\n"));
  CHECK(Parsed("").trusted() == with(""));
}

TEST_CASE("forwarding: of the two kinds of fields, the one that a trusted front does not write is replaced by what is believed") {
  const std::string_view both = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\n";
  CHECK(Parsed(both).trusted() ==
        base::concat(begin,
                     "X-Forwarded-For: 203.0.113.7, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: site.example\r\n"
                     "Forwarded: for=203.0.113.7;host=\"site.example\";proto=https, "
                     "for=192.0.2.7;host=\"site.example\";proto=http\r\nVia: 1.1 wharf\r\n\r\n"));
  const std::string_view other = "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=\"[2001:db8::1]\";proto=https;host=www.example\r\n";
  CHECK(Parsed(other).trusted(codec::ForwardingFields::forwarded) ==
        base::concat(begin,
                     "X-Forwarded-For: 2001:db8::1, 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.example\r\n"
                     "Forwarded: for=\"[2001:db8::1]\";proto=https;host=www.example, "
                     "for=192.0.2.7;host=\"site.example\";proto=http\r\nVia: 1.1 wharf\r\n\r\n"));
  CHECK(Parsed("Forwarded: for=\", for=1.1.1.1\r\n").trusted() ==
        base::concat(begin,
                     "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site.example\r\n"
                     "Forwarded: for=192.0.2.7;host=\"site.example\";proto=http\r\nVia: 1.1 wharf\r\n\r\n"));
}

TEST_CASE("forwarding: a prefix that a front lets through cannot make links lead to another host") {
  const auto prefix = [](std::string_view fields, codec::ForwardingFields kind = codec::ForwardingFields::either) {
    const std::string text = Parsed(fields).trusted(kind);
    const std::size_t at = text.find("X-Forwarded-Prefix: ");
    return at == text.npos ? std::string() : text.substr(at + 20, text.find('\r', at) - (at + 20));
  };
  CHECK(prefix("X-Forwarded-Prefix: /x\r\n") == "/x");
  CHECK(prefix("X-Forwarded-Prefix: /x/y%20z/\r\n") == "/x/y%20z");
  CHECK(prefix("X-Forwarded-Prefix: /\r\n").empty());
  for (const char* const value :
       {"//evil.example", "///evil.example", "/%2Fevil.example", "/\\evil.example", "/%5cevil.example", "/x//y",
        "http://evil.example/", "evil", "/x?y", "/x#y", "/x/../y", "/%2e%2e/y", "/%zz", "/x, /y", "/\"><script>", "/\xC3\xA9"})
    CHECK_MESSAGE(prefix(base::concat("X-Forwarded-Prefix: ", std::string_view(value), "\r\n")).empty(), value);
  CHECK(prefix("X-Forwarded-Prefix: /evil\r\nX-Forwarded-Prefix: /x\r\n").empty());
}

TEST_CASE("forwarding: of a front that writes Forwarded, a client's X-Forwarded-Prefix and the like went on as the front's") {
  const std::string_view fields =
      "Forwarded: for=203.0.113.7\r\nX-Forwarded-Prefix: /evil\r\nX-Forwarded-Ssl: on\r\nX-Real-IP: 6.6.6.6\r\n";
  const std::string text = Parsed(fields).trusted(codec::ForwardingFields::forwarded);
  for (const char* const forged : {"/evil", "X-Forwarded-Ssl", "6.6.6.6"})
    CHECK_MESSAGE(text.find(forged) == std::string::npos, text);
}

TEST_CASE("forwarding: Via is appended with the version that the client speaks (RFC 9110 7.6.3)") {
  CHECK(Parsed("Via: 1.1 edge\r\n").upstream() == with("Via: 1.1 edge\r\n"));
  CHECK(Parsed("", "GET /app/x HTTP/1.0").upstream() ==
        "GET /base/x?q HTTP/1.1\r\nHost: up.example\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nVia: 1.0 "
        "wharf\r\n\r\n");
}

TEST_CASE("forwarding: the host of an absolute target wins (RFC 9112 3.2.2)") {
  const Parsed parsed("", "GET http://site.example/app/x HTTP/1.1");
  CHECK(parsed.upstream() == with(""));
}

TEST_CASE("forwarding: Connection upstream says what it is for") {
  CHECK(Parsed("Connection: close\r\n").upstream({}, Persistence::once) == with("", "Connection: close\r\n"));
  CHECK(Parsed("").upstream("websocket", Persistence::once) == with("", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
}

TEST_CASE("forwarding: Max-Forwards is counted down for OPTIONS and TRACE (RFC 9110 7.6.2)") {
  const auto line = [](const Parsed& parsed) {
    const std::string text = parsed.upstream();
    const std::size_t at = text.find("Max-Forwards");
    return at == text.npos ? std::string() : text.substr(at, text.find('\r', at) - at);
  };
  CHECK(line(Parsed("Max-Forwards: 7\r\n", "OPTIONS /app/x HTTP/1.1")) == "Max-Forwards: 6");
  CHECK(line(Parsed("Max-Forwards: 1\r\n", "TRACE /app/x HTTP/1.1")) == "Max-Forwards: 0");
  CHECK(line(Parsed("Max-Forwards: 7\r\n")) == "Max-Forwards: 7");
  CHECK(line(Parsed("Max-Forwards: many\r\n", "OPTIONS /app/x HTTP/1.1")) == "Max-Forwards: many");
  CHECK(check_forwarding(Parsed("Max-Forwards: 0\r\n", "OPTIONS /app/x HTTP/1.1").head()).status == 204);
  CHECK(check_forwarding(Parsed("Max-Forwards: 0\r\n", "TRACE /app/x HTTP/1.1").head()).status == 501);
  CHECK(check_forwarding(Parsed("Max-Forwards: 1\r\n", "TRACE /app/x HTTP/1.1").head()).status == 0);
  CHECK(check_forwarding(Parsed("Max-Forwards: 0\r\n").head()).status == 0);
}

TEST_CASE("forwarding: a request that comes back again and again is refused") {
  std::string via;
  for (std::size_t i = 0; i < most_hops; ++i) {
    CHECK(check_forwarding(Parsed(via).head()).status == 0);
    via += i % 2 == 0 ? "Via: 1.1 Wharf\r\n" : "Via: 1.0 other, 1.1  wharf\r\n";
  }
  CHECK(check_forwarding(Parsed(via).head()).status == 502);
  CHECK(check_forwarding(Parsed("Via: wharf, wharf, wharf, wharf, wharf, wharf, wharf, wharf, wharf\r\n").head()).status == 0);
}

TEST_CASE("forwarding: options in Connection have a limit") {
  std::string options = "Connection: a";
  for (std::size_t i = 1; i < most_connection_options; ++i) options += ", a";
  CHECK(check_forwarding(Parsed(options + "\r\n").head()).status == 0);
  CHECK(check_forwarding(Parsed(options + "\r\nConnection: b\r\n").head()).status == 400);
}

TEST_CASE("forwarding: protocols to upgrade to") {
  const auto offered = [](std::string_view fields, std::string_view line = "GET /app/x HTTP/1.1") {
    return offered_upgrades(Parsed(fields, line).head());
  };
  CHECK(offered("Connection: Upgrade\r\nUpgrade: websocket\r\n") == "websocket");
  CHECK(offered("Connection: keep-alive, upgrade\r\nUpgrade: a/1, b\r\nUpgrade: c\r\n") == "a/1, b, c");
  CHECK(offered("Upgrade: websocket\r\n") == "");
  CHECK(offered("Connection: Upgrade\r\n") == "");
  CHECK(offered("Connection: Upgrade\r\nUpgrade: websocket\r\n", "GET /app/x HTTP/1.0") == "");
  CHECK(offered("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n") == "");
  CHECK(offered("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n") == "websocket");
  CHECK(offered("Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n") == "");
}

TEST_CASE("forwarding: nobody upgrades to HTTP, behind which requests would pass unseen") {
  CHECK(offered_upgrades(
            Parsed("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, H2C, HTTP/2.0, TLS/1.0, h2, h3\r\nHTTP2-Settings: A\r\n")
                .head()) == "");
  const Parsed both("Connection: Upgrade\r\nUpgrade: h2c, websocket, a b, /x, x/\r\n");
  CHECK(offered_upgrades(both.head()) == "websocket");
  CHECK(offers_upgrade(both.head(), "websocket"));
  CHECK(offers_upgrade(both.head(), "WebSocket"));
  CHECK_FALSE(offers_upgrade(both.head(), "h2c"));
  CHECK_FALSE(offers_upgrade(both.head(), "websocket, h2c"));
  CHECK_FALSE(offers_upgrade(both.head(), "other"));
  CHECK_FALSE(offers_upgrade(both.head(), ""));
  CHECK_FALSE(offers_upgrade(Parsed("Upgrade: websocket\r\n").head(), "websocket"));
}

TEST_CASE("forwarding: the fields of a response") {
  const std::string bytes =
      "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nServer: up\r\nConnection: close, X-Own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\n"
      "Transfer-Encoding: chunked\r\nTrailer: X\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\nset-cookie: b=2\r\nContent-Length: "
      "9\r\n\r\n";
  CHECK(text_of(end_to_end_fields(answer(bytes))) == "Set-Cookie: a=1\nServer: up\nset-cookie: b=2\n");
  CHECK(text_of(end_to_end_fields(answer("HTTP/1.1 426 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))) ==
        "Upgrade: websocket\n");
}

TEST_CASE("forwarding: methods that may be sent again (RFC 9110 9.2.2)") {
  for (const char* const method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}) CHECK(is_idempotent(method));
  for (const char* const method : {"POST", "PATCH", "get", "CONNECT", "BREW"}) CHECK_FALSE(is_idempotent(method));
}
