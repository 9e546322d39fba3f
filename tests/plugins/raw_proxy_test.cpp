#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "wharf/testing.hpp"

extern "C" const wharf_plugin wharf_plugin_raw_proxy;

// That bytes go on and come back is seen with sockets, in tests/session/raw_test.cpp and tests/integration/raw_test.py.

namespace {

using wharf::testing::Harness;

const wharf_row& row() { return *wharf_plugin_raw_proxy.rows[0]; }

std::string last_line(Harness& harness) { return harness.log().empty() ? std::string() : harness.log().back(); }

}  // namespace

TEST_CASE("raw-proxy: one row of that name, which WebSocket clients cannot choose") {
  CHECK(wharf_plugin_raw_proxy.row_count == 1);
  CHECK(row().name == std::string("raw-proxy"));
  Harness harness(row());
  CHECK(harness.connect().status() == 400);
}

TEST_CASE("raw-proxy: without the option a connection is closed, and the log says why") {
  Harness harness(row());
  CHECK(harness.connect_raw().closed());
  CHECK(last_line(harness) == "error: raw-proxy: the option onward is missing, so nobody can be served");
}

TEST_CASE("raw-proxy: an option that is no address closes connections, and the log has it") {
  for (const std::string onward : {"localhost", "host:", ":80", "unix:relative", "[::1", "ipv4:host"}) {
    CAPTURE(onward);
    Harness harness(row(), {{"onward", onward}});
    CHECK(harness.connect_raw().closed());
    CHECK(last_line(harness).find("the option onward is '") != std::string::npos);
  }
}

TEST_CASE("raw-proxy: the time to reach it is checked at the start") {
  CHECK_THROWS_AS(Harness(row(), {{"onward", "localhost:1"}, {"within", "0"}}), std::runtime_error);
  CHECK_THROWS_AS(Harness(row(), {{"onward", "localhost:1"}, {"within", "60001"}}), std::runtime_error);
  CHECK_NOTHROW(Harness(row(), {{"onward", "localhost:1"}, {"within", "60000"}}));
}
