#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "wharf/testing.hpp"

extern "C" const wharf_plugin wharf_plugin_fraggle;

namespace {

using namespace std::chrono_literals;
using wharf::Kind;
using wharf::testing::Client;
using wharf::testing::Harness;

const wharf_row& row() { return *wharf_plugin_fraggle.rows[0]; }

std::uint32_t sum_of(const std::string& bytes) {
  std::uint32_t sum = 0;
  for (const char byte : bytes) sum += static_cast<std::uint8_t>(byte);
  return sum;
}

std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (const unsigned shift : {24u, 16u, 8u, 0u}) bytes += static_cast<char>(number >> shift & 0xFF);
  return bytes;
}

/// Checks the messages of a round. Returns the size of the first, or 0 if there is no round.
std::size_t take_round(Client& client) {
  const auto random = client.receive();
  if (!random) return 0;
  const auto sum = client.receive();
  REQUIRE(sum);
  CHECK(random->kind == Kind::binary);
  CHECK(sum->kind == Kind::binary);
  CHECK(random->data.size() >= 1);
  CHECK(random->data.size() <= 1024 * 512);
  CHECK((sum->data == big_endian(sum_of(random->data))));
  return random->data.size();
}

}  // namespace

TEST_CASE("fraggle: one row of that name") {
  CHECK(wharf_plugin_fraggle.abi == WHARF_ABI_NUMBER);
  CHECK(wharf_plugin_fraggle.row_count == 1);
  CHECK(row().name == std::string("fraggle-protocol"));
}

TEST_CASE("fraggle: a random message and its sum, again and again") {
  Harness harness(row());
  Client client = harness.connect();
  std::set<std::size_t> sizes;
  for (int round = 0; round < 50; ++round) {
    const std::size_t size = take_round(client);
    REQUIRE(size != 0);
    sizes.insert(size);
    CHECK_FALSE(client.receive());
    harness.advance(99ms);
    CHECK_FALSE(client.receive());
    harness.advance(1ms);
  }
  CHECK(sizes.size() > 40);
  CHECK(*sizes.rbegin() > 100'000);
  CHECK(harness.log().empty());
}

TEST_CASE("fraggle: what the client says is ignored") {
  Harness harness(row());
  Client client = harness.connect();
  client.send_text("hello");
  client.send_binary(std::string(1000, 'x'));
  CHECK(take_round(client) != 0);
  CHECK(take_round(client) == 0);
  harness.advance(100ms);
  CHECK(take_round(client) != 0);
  client.close();
  CHECK(client.closed() == wharf::testing::Close{1000, ""});
}

TEST_CASE("fraggle: option period") {
  Harness harness(row(), {{"period", "7"}});
  Client client = harness.connect();
  CHECK(take_round(client) != 0);
  harness.advance(21ms);
  for (int round = 0; round < 3; ++round) CHECK(take_round(client) != 0);
  CHECK(take_round(client) == 0);
  for (const std::string value : {"", "0", "-1", "x", "86400001", "1 "}) {
    CAPTURE(value);
    CHECK_THROWS_AS(Harness(row(), {{"period", value}}), std::runtime_error);
  }
}

TEST_CASE("fraggle: a client that does not read is waited for, and all sums are right when it does") {
  wharf::Limits limits;
  limits.output_high_water = 5000;
  limits.output_low_water = 1000;
  Harness harness(row(), {{"period", "1"}}, limits);
  Client client = harness.connect();
  client.read_at_most(0);
  harness.advance(10s);
  CHECK(client.queued() < 6000);
  client.read_at_most(2000);
  client.read_at_most(3000);
  harness.advance(1s);
  CHECK(client.queued() < 6000);
  client.read_everything();
  for (int round = 0; round < 20; ++round) {
    CHECK(take_round(client) != 0);
    harness.advance(2ms);
  }
  CHECK(harness.log().empty());
}
