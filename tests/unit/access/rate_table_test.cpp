#include "access/rate_table.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using wharf::base::PeerAddress;
using wharf::base::Time;
using wharf::server::RateTable;
using wharf::server::TokenBucket;

namespace {

PeerAddress address(const std::string& text) { return *PeerAddress::parse(text); }

/// One of many networks of IPv6.
PeerAddress network(std::uint32_t number) {
  PeerAddress::Bytes bytes{0x20, 0x01, 0x0D, 0xB8};
  for (std::size_t i = 0; i < 4; ++i) bytes[4 + i] = static_cast<std::uint8_t>(number >> (8 * i));
  return PeerAddress::ipv6(bytes);
}

constexpr Time none{0};

}  // namespace

TEST_CASE("token bucket: a burst at once, and then one by one as they come back") {
  const TokenBucket bucket(2, 3);
  std::int64_t full_at = 0;
  const Time start{1'000'000};
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(full_at, start) == none);
  CHECK(bucket.take(full_at, start) == Time{500});
  CHECK(bucket.take(full_at, start + Time{499}) == Time{1});
  CHECK(bucket.take(full_at, start + Time{500}) == none);
  CHECK(bucket.take(full_at, start + Time{500}) == Time{500});
}

TEST_CASE("token bucket: refusals cost nothing, and after a rest the whole burst is back and no more") {
  const TokenBucket bucket(10, 2);
  std::int64_t full_at = 0;
  for (int i = 0; i < 2; ++i) CHECK(bucket.take(full_at, none) == none);
  for (int i = 0; i < 1'000; ++i) CHECK(bucket.take(full_at, none) == Time{100});
  const Time later{3'600'000};
  for (int i = 0; i < 2; ++i) CHECK(bucket.take(full_at, later) == none);
  CHECK(bucket.take(full_at, later) == Time{100});
}

TEST_CASE("token bucket: without a burst it is as many as come in a second, and at least one") {
  const auto at_once = [](double per_second) {
    const TokenBucket bucket(per_second, 0);
    std::int64_t full_at = 0;
    int count = 0;
    while (count < 100 && bucket.take(full_at, none) == none) ++count;
    return count;
  };
  CHECK(at_once(7) == 7);
  CHECK(at_once(1) == 1);
  CHECK(at_once(0.1) == 1);
}

TEST_CASE("token bucket: rates that are slow, and numbers that are huge") {
  const TokenBucket slow(0.1, 1);
  std::int64_t full_at = 0;
  CHECK(slow.take(full_at, none) == none);
  CHECK(slow.take(full_at, none) == Time{10'000});
  const TokenBucket huge(1e6, ~std::size_t{0});
  full_at = 0;
  CHECK(huge.take(full_at, none) == none);
  const TokenBucket never(1e-30, 1);
  full_at = 0;
  CHECK(never.take(full_at, none) == none);
  CHECK(never.take(full_at, none) > Time{1'000'000});
}

TEST_CASE("rate table: each client has a bucket: an IPv4 address, however it is written, or 64 bits of IPv6") {
  RateTable table(1, 1, 0);
  CHECK(table.take(address("192.0.2.1:1"), none) == none);
  CHECK(table.take(address("192.0.2.1:2"), none) == Time{1'000});
  CHECK(table.take(address("[::ffff:192.0.2.1]:3"), none) == Time{1'000});
  CHECK(table.take(address("192.0.2.2:1"), none) == none);
  CHECK(table.take(address("[2001:db8::1]:1"), none) == none);
  CHECK(table.take(address("[2001:db8::ffff:1]:1"), none) == Time{1'000});
  CHECK(table.take(address("[2001:db8:0:1::1]:1"), none) == none);
}

TEST_CASE("rate table: a client that is being refused is not forgotten because many others come") {
  RateTable table(0.001, 10, RateTable::least_records);
  const PeerAddress flooder = address("192.0.2.1:1");
  for (int i = 0; i < 10; ++i) CHECK(table.take(flooder, none) == none);
  CHECK(table.take(flooder, none) > none);
  for (std::uint32_t i = 0; i < 200'000; ++i) CHECK(table.take(network(i), none) == none);  // its own other networks
  CHECK(table.take(flooder, none) > none);
}

TEST_CASE("rate table: whoever has nothing to be remembered makes room first") {
  RateTable table(1'000, 1, RateTable::least_records);
  const PeerAddress client = address("192.0.2.1:1");
  const Time now{60'000};
  for (std::uint32_t i = 0; i < 10'000; ++i) CHECK(table.take(network(i), none) == none);  // all of these are full again by now
  CHECK(table.take(client, now) == none);
  CHECK(table.take(client, now) == Time{1});
  CHECK(table.take(client, now + Time{1}) == none);
}
