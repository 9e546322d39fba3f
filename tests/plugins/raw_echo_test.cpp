#include <doctest/doctest.h>

#include <string>

#include "wharf/testing.hpp"

extern "C" const wharf_plugin wharf_plugin_raw_echo;

namespace {

using wharf::testing::Harness;
using wharf::testing::RawClient;

const wharf_row& row() { return *wharf_plugin_raw_echo.rows[0]; }

}  // namespace

TEST_CASE("raw-echo: one row of that name, which WebSocket clients cannot choose") {
  CHECK(wharf_plugin_raw_echo.row_count == 1);
  CHECK(row().name == std::string("raw-echo"));
  CHECK((row().raw != nullptr));
  Harness harness(row());
  CHECK(harness.connect().status() == 400);
}

TEST_CASE("raw-echo: what comes goes back as it is, even what looks like HTTP") {
  Harness harness(row());
  RawClient client = harness.connect_raw();
  for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\0\xff\n", 3), std::string(100'000, 'x')}) {
    client.send(bytes);
    CHECK(client.receive() == bytes);
  }
  CHECK_FALSE(client.closed());
}

TEST_CASE("raw-echo: a client that ends its output gets all, and then the end") {
  Harness harness(row());
  RawClient client = harness.connect_raw();
  client.send("last words");
  client.end();
  CHECK(client.receive() == "last words");
  CHECK(client.closed());
}

TEST_CASE("raw-echo: a client that does not read is not read from, and loses nothing") {
  Harness harness(row());
  RawClient client = harness.connect_raw();
  client.read_at_most(0);
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(1'000, static_cast<char>('a' + i % 26));
    client.send(piece);
    sent += piece;
  }
  CHECK(client.held());
  client.read_everything();
  CHECK(client.receive() == sent);
  CHECK_FALSE(client.held());
}
