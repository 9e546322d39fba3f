#include "codec/host_pattern.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace wharf::codec;

std::string fault_of(std::string_view text) {
  const auto parsed = HostPattern::parse(text);
  return parsed ? std::string() : parsed.error();
}

bool matches(std::string_view pattern, std::string_view host) {
  const auto parsed = HostPattern::parse(pattern);
  REQUIRE_MESSAGE(parsed, std::string(pattern));
  HostTable<int> table;
  REQUIRE(table.add(*parsed, 1));
  CHECK((table.find(host) != nullptr) == parsed->matches(host));
  return parsed->matches(host);
}

}  // namespace

TEST_CASE("host pattern: a name matches whole, whatever its case and a dot at its end (RFC 6066 section 3)") {
  CHECK(matches("example.com", "example.com"));
  CHECK(matches("Example.COM.", "eXample.com"));
  CHECK(matches("example.com", "EXAMPLE.com."));
  CHECK(matches("localhost", "localhost"));
  CHECK(matches("my_host-1.example", "my_host-1.example"));
  CHECK(matches("192.0.2.1", "192.0.2.1"));
  CHECK(matches("[2001:DB8::1]", "[2001:db8::1]"));
  for (const char* const other : {"", ".", "example.co", "example.comm", "a.example.com", "xample.com", ".example.com",
                                  "example.com..", "example.com\n", "example"}) {
    CAPTURE(other);
    CHECK_FALSE(matches("example.com", other));
  }
  CHECK_FALSE(matches("example.com", std::string_view("example.com\0", 12)));
}

TEST_CASE("host pattern: a wildcard stands for exactly one label, which is not empty (RFC 9525 section 6.3)") {
  CHECK(matches("*.example.com", "a.example.com"));
  CHECK(matches("*.Example.com", "WWW.EXAMPLE.COM."));
  CHECK(matches("*.localhost", "a.localhost"));
  for (const char* const other : {"example.com", ".example.com", "a.b.example.com", "aexample.com", "a.example.org", "", ".", "a.",
                                  "a..example.com", "a.example.com.."}) {
    CAPTURE(other);
    CHECK_FALSE(matches("*.example.com", other));
  }
}

TEST_CASE("host pattern: what is wrong with one is said in one line") {
  CHECK(fault_of("") == "a host needs a name");
  CHECK(fault_of(".") == "the host '.' has an empty label");
  CHECK(fault_of("a..b") == "the host 'a..b' has an empty label");
  CHECK(fault_of(".a") == "the host '.a' has an empty label");
  CHECK(fault_of("*.") == "the host '*.' has a '*' that is not the whole first label, as in '*.example.com'");
  for (const char* const text : {"*", "a.*.b", "w*.example.com", "*.*.example.com", "*a.b"}) {
    CAPTURE(text);
    CHECK(fault_of(text).ends_with("has a '*' that is not the whole first label, as in '*.example.com'"));
  }
  CHECK(fault_of("example.com:80") == "the host 'example.com:80' has the character ':'; a host has no port, scheme or path");
  CHECK(fault_of("a/b").find("'/'") != std::string::npos);
  CHECK(fault_of("b\xC3\xBC.example") ==
        "the host 'b\xC3\xBC.example' is not ASCII; write it as its DNS entry is written, with xn--");
  CHECK(fault_of(std::string(64, 'a') + ".b").ends_with("has a label of more than 63 characters"));
  CHECK(fault_of(std::string(63, 'a') + ".b").empty());
  std::string most;
  for (int i = 0; i < 63; ++i) most += "abc.";
  CHECK(fault_of(most + "a").empty());
  CHECK(fault_of(most + "ab").ends_with("is longer than 253 characters"));
  CHECK_FALSE(fault_of("[::1").empty());
  CHECK_FALSE(fault_of("[x]").empty());
}

TEST_CASE("host pattern: a table prefers an exact name to a wildcard, and takes each pattern once") {
  HostTable<int> table;
  CHECK(table.empty());
  CHECK(table.add(*HostPattern::parse("*.example.com"), 1));
  CHECK(table.add(*HostPattern::parse("www.example.com"), 2));
  CHECK(table.add(*HostPattern::parse("example.com"), 3));
  CHECK_FALSE(table.add(*HostPattern::parse("WWW.example.com."), 4));
  CHECK_FALSE(table.add(*HostPattern::parse("*.EXAMPLE.com"), 5));
  CHECK(table.size() == 3);
  CHECK(*table.find("a.example.com") == 1);
  CHECK(*table.find("Www.example.com.") == 2);
  CHECK(*table.find("example.com") == 3);
  CHECK(table.find("a.b.example.com") == nullptr);
  CHECK(table.find("") == nullptr);
  CHECK(table.find("com") == nullptr);
}
