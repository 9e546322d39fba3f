#include "base/peer_address.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "base/log.h"

namespace base = wharf::base;
using wharf::base::PeerAddress;
using wharf::base::PeerNetwork;

namespace {

PeerAddress address(std::string_view text) {
  const auto parsed = PeerAddress::parse(text);
  CAPTURE(text);
  REQUIRE(parsed);
  return *parsed;
}

PeerNetwork network(std::string_view text) {
  const auto parsed = PeerNetwork::parse(text);
  CAPTURE(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string fault(std::string_view text) {
  const auto parsed = PeerNetwork::parse(text);
  return parsed ? std::string() : parsed.error();
}

}  // namespace

TEST_CASE("peer address: with and without its port, with brackets if it needs them") {
  struct Case {
    std::string_view given, text, host;
    std::uint16_t port;
  };
  for (const Case& each :
       {Case{"127.0.0.1:4711", "127.0.0.1:4711", "127.0.0.1", 4711}, Case{"[::1]:80", "[::1]:80", "::1", 80},
        Case{"2001:DB8::1", "2001:db8::1", "2001:db8::1", 0}, Case{"[2001:db8::1]", "2001:db8::1", "2001:db8::1", 0},
        Case{"0.0.0.0", "0.0.0.0", "0.0.0.0", 0}, Case{"1.2.3.4:0", "1.2.3.4", "1.2.3.4", 0},
        Case{"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255", 65535}, Case{"unix:", "unix:", "unix:", 0}}) {
    CAPTURE(each.given);
    CHECK(address(each.given).text() == each.text);
    CHECK(address(each.given).host() == each.host);
    CHECK(address(each.given).port() == each.port);
    CHECK(address(address(each.given).text()) == address(each.given));
  }
  CHECK(PeerAddress().text().empty());
  CHECK(PeerAddress().host().empty());
  CHECK_FALSE(PeerAddress().known());
  CHECK(address("unix:").known());
}

TEST_CASE("peer address: an IPv4 client of an IPv6 socket is written as IPv4") {
  CHECK(address("[::ffff:192.0.2.1]:80").text() == "192.0.2.1:80");
  CHECK(address("::ffff:c000:201") == address("192.0.2.1"));
  CHECK(address("::ffff:192.0.2.1").family() == PeerAddress::Family::ipv4);
  CHECK(address("::192.0.2.1").family() == PeerAddress::Family::ipv6);  // of another kind, and long out of use
}

TEST_CASE("peer address: the interface of a link-local address, by name or number") {
  CHECK(address("fe80::1%lo").text() == "fe80::1%lo");
  CHECK(address("[fe80::1%1]:80").text() == "[fe80::1%lo]:80");
  CHECK(address("fe80::1%4000000000").host() == "fe80::1%4000000000");
  CHECK(address("fe80::1%1") != address("fe80::1"));
  CHECK(address("fe80::1%1").scope() == 1);
}

TEST_CASE("peer address: texts that are none") {
  using namespace std::string_view_literals;
  for (const std::string_view each : {""sv,
                                      "1"sv,
                                      "1.2.3"sv,
                                      "1.2.3.4."sv,
                                      "1.2.3.256"sv,
                                      "01.2.3.4"sv,
                                      "0x1.2.3.4"sv,
                                      "1.2.3.4:"sv,
                                      "1.2.3.4:65536"sv,
                                      "1.2.3.4:+1"sv,
                                      "1.2.3.4: 1"sv,
                                      "1.2.3.4 "sv,
                                      ":80"sv,
                                      "[::1"sv,
                                      "[::1]80"sv,
                                      "[::1]:"sv,
                                      "[::1]:x"sv,
                                      "[]"sv,
                                      "[1.2.3.4]"sv,
                                      "::1]"sv,
                                      ":::"sv,
                                      "1:2:3:4:5:6:7:8:9"sv,
                                      "::1%"sv,
                                      "::1%no-such-interface"sv,
                                      "localhost"sv,
                                      "unknown"sv,
                                      "_hidden"sv,
                                      "unix"sv,
                                      "unix:/run/socket"sv,
                                      "1.2.3.4\0"sv,
                                      "::1\0"sv,
                                      "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"sv}) {
    CAPTURE(each);
    CHECK_FALSE(PeerAddress::parse(each));
  }
}

TEST_CASE("peer address: compared with the port and without it") {
  CHECK(address("1.2.3.4:1") != address("1.2.3.4:2"));
  CHECK(address("1.2.3.4:1").without_port() == address("1.2.3.4:2").without_port());
  CHECK(address("1.2.3.4") != address("::102:304"));
  CHECK(address("1.2.3.4") < address("1.2.3.5"));
}

TEST_CASE("peer address: the network of one client is an IPv4 address, or 64 bits of an IPv6 address") {
  CHECK(address("1.2.3.4:1").client_network() == address("1.2.3.4"));
  CHECK(address("[2001:db8:1:2:3:4:5:6]:1").client_network() == address("2001:db8:1:2::"));
  CHECK(address("[2001:db8:1:2:ffff::]:7").client_network() == address("2001:db8:1:2:3:4:5:6").client_network());
  CHECK(address("2001:db8:1:3::").client_network() != address("2001:db8:1:2::").client_network());
  CHECK(address("unix:").client_network() == PeerAddress::unix_socket());
  CHECK(PeerAddress().client_network() == PeerAddress());
}

TEST_CASE("peer address: on one link all have the same 64 bits, so a link-local address is a client (RFC 4291 section 2.5.6)") {
  CHECK(address("[fe80::1%1]:7").client_network() == address("fe80::1%1"));
  CHECK(address("fe80::2%1").client_network() != address("fe80::1%1").client_network());
  CHECK(address("fe80::1%2").client_network() != address("fe80::1%1").client_network());
  CHECK(address("febf::1%1").client_network() == address("febf::1%1"));
  CHECK(address("fec0::1").client_network() == address("fec0::"));
}

TEST_CASE("peer address: clients behind a translator are those of IPv4 (RFC 6052 section 2.1)") {
  CHECK(address("[64:ff9b::192.0.2.7]:1").client_network() == address("192.0.2.7"));
  CHECK(address("64:ff9b::192.0.2.7").client_network() != address("64:ff9b::192.0.2.8").client_network());
  CHECK(address("64:ff9b:0:0:0:1:1:1").client_network() == address("64:ff9b::"));
  CHECK(address("64:ff9c::192.0.2.7").client_network() == address("64:ff9c::"));
  CHECK(address("[64:ff9b:1::192.0.2.7]:1").client_network() == address("64:ff9b:1::192.0.2.7"));
  CHECK(address("64:ff9b:2::192.0.2.7").client_network() == address("64:ff9b:2::"));
}

TEST_CASE("peer network: the addresses in it") {
  CHECK(network("192.0.2.0/24").contains(address("192.0.2.255:80")));
  CHECK_FALSE(network("192.0.2.0/24").contains(address("192.0.3.0")));
  CHECK(network("192.0.2.128/25").contains(address("192.0.2.129")));
  CHECK_FALSE(network("192.0.2.128/25").contains(address("192.0.2.127")));
  CHECK(network("192.0.2.1").contains(address("192.0.2.1:1")));
  CHECK_FALSE(network("192.0.2.1").contains(address("192.0.2.2")));
  CHECK(network("0.0.0.0/0").contains(address("255.1.2.3")));
  CHECK_FALSE(network("0.0.0.0/0").contains(address("::1")));
  CHECK(network("2001:db8::/33").contains(address("2001:db8:7fff::1")));
  CHECK_FALSE(network("2001:db8::/33").contains(address("2001:db8:8000::1")));
  CHECK(network("::1/128").contains(address("::1")));
  CHECK(network("::/0").contains(address("2001::1")));
  CHECK_FALSE(network("::/0").contains(address("1.2.3.4")));
  CHECK(network("::ffff:10.0.0.0/104").contains(address("10.255.0.1")));
  CHECK(network("fe80::/10").contains(address("fe80::1%1")));
  CHECK(network("unix").contains(PeerAddress::unix_socket()));
  CHECK_FALSE(network("unix").contains(address("127.0.0.1")));
  for (const char* const each : {"unix", "0.0.0.0/0", "::/0"}) CHECK_FALSE(network(each).contains(PeerAddress()));
}

TEST_CASE("peer network: a bad one is refused in one line that says how to mend it") {
  CHECK(fault("10.0.0.1/8") ==
        "network '10.0.0.1/8' is not taken: it has bits beyond those that count; write 10.0.0.0/8 or 10.0.0.1");
  CHECK(fault("2001:db8::1/64").find("write 2001:db8::/64 or 2001:db8::1") != std::string::npos);
  CHECK(fault("10.0.0.0/33").find("0 to 32") != std::string::npos);
  CHECK(fault("::/129").find("0 to 128") != std::string::npos);
  CHECK(fault("::ffff:0.0.0.0/95").find("write two networks") != std::string::npos);
  for (const char* const each : {"10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/ 8", "10.0.0.0/8/8"})
    CHECK(fault(each).find("0 to 32") != std::string::npos);
  for (const char* const each :
       {"", "/", "/8", "10.0.0", "10", "localhost", "example.com/24", "[::1]", "1.2.3.4:80", "unix:/run/x", "*", "\n"}) {
    CAPTURE(each);
    CHECK(fault(each).find("as in 192.0.2.0/24") != std::string::npos);
    CHECK(fault(each).find('\n') == std::string::npos);
  }
}

TEST_CASE("a host is cut from its port, in brackets or without") {
  const auto cut = [](std::string_view text) {
    const auto parts = base::split_host_and_port(text);
    if (!parts) return std::string("none");
    return base::concat(parts->host, "|", parts->bare_host(), "|", parts->port.value_or("none"));
  };
  CHECK(cut("example.com") == "example.com|example.com|none");
  CHECK(cut("example.com:80") == "example.com|example.com|80");
  CHECK(cut("example.com:") == "example.com|example.com|");
  CHECK(cut(":80") == "||80");
  CHECK(cut("") == "||none");
  CHECK(cut("a:b:c") == "a|a|b:c");
  CHECK(cut("[::1]") == "[::1]|::1|none");
  CHECK(cut("[::1]:80") == "[::1]|::1|80");
  CHECK(cut("[]:80") == "[]||80");
  CHECK(cut("[::1") == "none");
  CHECK(cut("[::1]80") == "none");
}
