#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "wharf/testing.hpp"

extern "C" const wharf_plugin wharf_plugin_dumb_increment;

namespace {

using namespace std::chrono_literals;
using wharf::Kind;
using wharf::testing::Client;
using wharf::testing::Close;
using wharf::testing::Harness;

const wharf_row& row() { return *wharf_plugin_dumb_increment.rows[0]; }

using Numbers = std::vector<std::string>;

Numbers received(Client& client) {
  Numbers numbers;
  while (const auto message = client.receive()) {
    CHECK(message->kind == Kind::text);
    numbers.push_back(message->data);
  }
  return numbers;
}

/// The error when the row is started with that period; empty if there is none.
std::string fault_of_period(const std::string& period) {
  try {
    const Harness harness(row(), {{"period", period}});
    return {};
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("dumb-increment: one row of that name") {
  CHECK(wharf_plugin_dumb_increment.abi == WHARF_ABI_NUMBER);
  CHECK(wharf_plugin_dumb_increment.row_count == 1);
  CHECK(row().name == std::string("dumb-increment-protocol"));
}

TEST_CASE("dumb-increment: counts from 0, every 50 ms") {
  Harness harness(row());
  Client client = harness.connect();
  CHECK(received(client) == Numbers{});
  harness.advance(49ms);
  CHECK(received(client) == Numbers{});
  harness.advance(1ms);
  CHECK(received(client) == Numbers{"0"});
  harness.advance(49ms);
  CHECK(received(client) == Numbers{});
  harness.advance(1ms);
  CHECK(received(client) == Numbers{"1"});
  harness.advance(500ms);
  CHECK(received(client) == Numbers{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11"});
  CHECK(harness.log().empty());
}

TEST_CASE("dumb-increment: each connection has its own counter and its own beat") {
  Harness harness(row());
  Client first = harness.connect();
  harness.advance(120ms);
  Client second = harness.connect();
  harness.advance(40ms);
  CHECK(received(first) == Numbers{"0", "1", "2"});
  CHECK(received(second) == Numbers{});
  harness.advance(10ms);
  CHECK(received(second) == Numbers{"0"});
  first.send_text("reset\n");
  harness.advance(100ms);
  CHECK(received(first) == Numbers{"0", "1"});
  CHECK(received(second) == Numbers{"1", "2"});
}

TEST_CASE("dumb-increment: reset") {
  Harness harness(row());
  Client client = harness.connect();
  harness.advance(150ms);
  CHECK(received(client) == Numbers{"0", "1", "2"});
  client.send_text("reset\n");
  harness.advance(100ms);
  CHECK(received(client) == Numbers{"0", "1"});
  client.send_binary("reset\n");
  harness.advance(50ms);
  CHECK(received(client) == Numbers{"0"});
  client.send_text("reset\nand more");
  harness.advance(50ms);
  CHECK(received(client) == Numbers{"0"});
}

TEST_CASE("dumb-increment: closeme") {
  for (const std::string_view text : {"closeme\n", "closeme\nplease"}) {
    Harness harness(row());
    Client client = harness.connect();
    Client other = harness.connect();
    harness.advance(50ms);
    client.send_text(text);
    CHECK(client.closed() == Close{1001, "seeya"});
    CHECK(received(client) == Numbers{"0"});
    harness.advance(100ms);
    CHECK(received(client) == Numbers{});
    CHECK(received(other) == Numbers{"0", "1", "2"});
    CHECK_FALSE(other.closed());
  }
}

TEST_CASE("dumb-increment: anything else is ignored") {
  Harness harness(row());
  Client client = harness.connect();
  harness.advance(100ms);
  for (const std::string_view text : {"", "reset", "r", "closeme", "close", "\n", "Reset\n", "RESET\n", " reset\n", "reset \n",
                                      "xcloseme\n", "reset\r\n", "closeme\r\n", "something else"})
    client.send_text(text);
  harness.advance(50ms);
  CHECK(received(client) == Numbers{"0", "1", "2"});
  CHECK_FALSE(client.closed());
}

TEST_CASE("dumb-increment: a message cut into fragments counts whole") {
  Harness harness(row());
  Client client = harness.connect();
  harness.advance(100ms);
  client.send_raw(std::string("\x01\x83\0\0\0\0res", 9));
  harness.advance(50ms);
  client.send_raw(std::string("\x80\x83\0\0\0\0et\n", 9));
  harness.advance(50ms);
  CHECK(received(client) == Numbers{"0", "1", "2", "0"});
}

TEST_CASE("dumb-increment: option period") {
  Harness harness(row(), {{"period", "7"}});
  Client client = harness.connect();
  harness.advance(6ms);
  CHECK(received(client) == Numbers{});
  harness.advance(15ms);
  CHECK(received(client) == Numbers{"0", "1", "2"});
  CHECK(fault_of_period("1").empty());
  CHECK(fault_of_period("86400000").empty());
}

TEST_CASE("dumb-increment: a period that is none keeps the row from starting, and the log says why") {
  for (const std::string period :
       {"", "0", "-1", "+5", " 5", "5 ", "5ms", "x", "0x10", "5.5", "86400001", "99999999999999999999"}) {
    CAPTURE(period);
    const std::string fault = fault_of_period(period);
    CHECK(fault.find("protocol 'dumb-increment-protocol' could not start") != std::string::npos);
    CHECK(fault.find("error: dumb-increment-protocol: an exception left the constructor of Shared: option period is '" + period +
                     "'; it takes milliseconds, 1 to 86400000") != std::string::npos);
  }
}

TEST_CASE("dumb-increment: a client that does not read is not sent more than it can take") {
  wharf::Limits limits;
  limits.output_high_water = 100;
  limits.output_low_water = 50;
  limits.output_hard_cap = 300;
  Harness harness(row(), {{"period", "1"}}, limits);
  Client client = harness.connect();
  client.read_at_most(0);
  harness.advance(1000ms);
  CHECK(client.queued() <= 300 + 10);  // plus the message that exceeded it
  CHECK(client.closed() == Close{1006, ""});
  REQUIRE(harness.log().size() == 1);
  CHECK(harness.log()[0].find("the peer does not read") != std::string::npos);
}
