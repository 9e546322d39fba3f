#include "server/hosts/names.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace wharf;
using namespace wharf::server;

std::string text_of(std::string_view name) {
  const auto pattern = pattern_of_host(name);
  if (!pattern) return "error: " + pattern.error();
  return *pattern ? (*pattern)->text() : "for all others";
}

}  // namespace

TEST_CASE("names of hosts: one form for each, addresses of IPv6 as RFC 5952 writes them") {
  CHECK(text_of("") == "for all others");
  CHECK(text_of("Example.COM.") == "example.com");
  CHECK(text_of("*.Example.com") == "*.example.com");
  for (const char* address : {"::1", "[::1]", "0:0:0:0:0:0:0:1", "[0:0::0001]"}) CHECK(text_of(address) == "[::1]");
  CHECK(text_of("2001:DB8:0:0:0:0:0:7") == "[2001:db8::7]");
  CHECK(text_of("::ffff:192.0.2.1") == "[::ffff:192.0.2.1]");
  for (const char* bad : {"[::1]:80", "a:80", "*.*.a", "::g", "fe80::1%lo", "[::1", "a/b"})
    CHECK_MESSAGE(text_of(bad).starts_with("error: "), bad);
}

TEST_CASE("names of hosts: the name and the aliases, in their order") {
  VirtualHost host;
  host.name = "A.example";
  host.aliases = {"b.example.", "::1"};
  CHECK(names_of(host) == std::vector<std::string>{"a.example", "b.example", "[::1]"});
  CHECK(names_of(VirtualHost{}) == std::vector<std::string>{""});
}

TEST_CASE("names of hosts: whatever a client asks for is found or not, whole") {
  HostNames<int> names;
  CHECK(names.add("a.example", 1));
  CHECK_FALSE(names.add("a.example", 2));
  CHECK(names.add("*.example", 3));
  CHECK(names.add("[::1]", 4));
  CHECK_FALSE(names.add("", 5));
  const auto found = [&names](std::string_view name) {
    const int* const value = names.find(name);
    return value != nullptr ? *value : 0;
  };
  CHECK(found("A.EXAMPLE.") == 1);
  CHECK(found("b.example") == 3);
  CHECK(found("[0::1]") == 4);
  for (const char* other : {"", ".", "example", "::1", "[::2]", "[", "[]", "[::1", "a.b.example"}) CHECK(found(other) == 0);
  CHECK(found(std::string(10'000, '[')) == 0);
}
