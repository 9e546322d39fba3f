#include "io/address.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using wharf::io::Address;
using wharf::io::listening_addresses;
using wharf::io::resolve_interface;
using wharf::io::unix_address;

TEST_CASE("address: IPv4 and IPv6 addresses, as text with their port") {
  const auto four = resolve_interface("127.0.0.1", 80);
  REQUIRE(four);
  CHECK(four->text() == "127.0.0.1:80");
  CHECK(four->port() == 80);
  const auto six = resolve_interface("::1", 65535);
  REQUIRE(six);
  CHECK(six->text() == "[::1]:65535");
  CHECK(six->port() == 65535);
}

TEST_CASE("address: the name of a network interface, IPv4 before IPv6") {
  const auto loopback = resolve_interface("lo", 0);
  REQUIRE(loopback);
  CHECK(loopback->text() == "127.0.0.1:0");
}

TEST_CASE("address: a host's name") {
  const auto local = resolve_interface("localhost", 1);
  REQUIRE(local);
  CHECK(local->port() == 1);
}

TEST_CASE("address: anything else is refused with the name and what to do") {
  const auto wrong = resolve_interface("no such place", 1);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().find("'no such place'") != std::string::npos);
  CHECK(wrong.error().find("try 127.0.0.1") != std::string::npos);
}

TEST_CASE("address: none at all has no text and no port") {
  Address none;
  none.set_port(7);
  CHECK(none.text().empty());
  CHECK(none.port() == 0);
}

TEST_CASE("address: unix sockets, by path, by abstract name and without either") {
  const auto path = unix_address("/run/wharf.socket");
  REQUIRE(path);
  CHECK(path->text() == "unix:/run/wharf.socket");
  CHECK(path->path() == "/run/wharf.socket");
  CHECK(path->port() == 0);
  const auto name = unix_address("@wharf");
  REQUIRE(name);
  CHECK(name->text() == "unix:@wharf");
  CHECK(name->path().empty());
  Address none = *path;
  none.size = sizeof(sa_family_t);
  CHECK(none.text() == "unix:");
  CHECK(none.path().empty());
  CHECK(resolve_interface("127.0.0.1", 80)->path().empty());
}

TEST_CASE("address: the longest path of a unix socket, and paths that are too long") {
  const std::string longest = "/" + std::string(106, 'x');  // unix(7): 108 bytes with the zero behind it
  REQUIRE(unix_address(longest));
  CHECK(unix_address(longest)->text() == "unix:" + longest);
  REQUIRE_FALSE(unix_address(longest + "x"));
  CHECK(unix_address(longest + "x").error() == "the path of a unix socket is too long: it has at most 107 bytes");
  CHECK_FALSE(unix_address(""));
  CHECK_FALSE(unix_address(std::string("a\0b", 3)));
}

TEST_CASE("address: a name stands for all addresses that it has here, IPv4 first") {
  const auto texts = [](const std::string& name) {
    std::vector<std::string> all;
    const auto addresses = listening_addresses(name, 80);
    REQUIRE(addresses);
    for (const auto& each : *addresses) all.push_back(each.text());
    return all;
  };
  CHECK(texts("127.0.0.1") == std::vector<std::string>{"127.0.0.1:80"});
  CHECK(texts("[::1]") == std::vector<std::string>{"[::1]:80"});
  CHECK(texts("203.0.113.7") == std::vector<std::string>{"203.0.113.7:80"});  // alone: that it is not here shows when it is bound
  CHECK(texts("lo").front() == "127.0.0.1:80");
  CHECK(texts("localhost").front() == "127.0.0.1:80");
  CHECK(texts("*").front() == "0.0.0.0:80");
  const bool has_ipv6 = texts("lo").size() > 1;
  CHECK(texts("lo") ==
        (has_ipv6 ? std::vector<std::string>{"127.0.0.1:80", "[::1]:80"} : std::vector<std::string>{"127.0.0.1:80"}));
  if (has_ipv6) CHECK(texts("*") == std::vector<std::string>{"0.0.0.0:80", "[::]:80"});
  CHECK_FALSE(listening_addresses("", 80));
  CHECK_FALSE(listening_addresses("[]", 80));
  CHECK_FALSE(listening_addresses("[localhost", 80));
}
