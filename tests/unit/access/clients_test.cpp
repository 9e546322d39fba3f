#include "access/clients.h"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "access/address_counts.h"
#include "link/memory_link.h"

// What is limited by address, without sockets.

namespace {

using namespace wharf;
using namespace wharf::server;

using base::Time;
using session::MemoryLink;

base::PeerAddress address(const std::string& text) { return *base::PeerAddress::parse(text); }

struct Site {
  explicit Site(const Limits& limits, const std::vector<std::string>& fronts = {}) {
    std::vector<base::PeerNetwork> networks;
    for (const std::string& front : fronts) networks.push_back(*base::PeerNetwork::parse(front));
    trusted = codec::TrustedFronts(std::move(networks), codec::ForwardingFields::either);
    clients = std::make_unique<Clients>(limits, trusted, log);
  }

  /// A connection from there, or nullptr if it was cut.
  std::unique_ptr<MemoryLink> connect(const std::string& from) {
    auto link = std::make_unique<MemoryLink>(pool, output, now);
    link->set_peer(address(from));
    return clients->admit(*link) ? std::move(link) : nullptr;
  }

  std::vector<std::string> lines;
  base::Log log{base::LogLevel::info, [this](base::LogLevel /*level*/, std::string_view text) { lines.emplace_back(text); }};
  codec::TrustedFronts trusted;
  base::ChunkPool pool;
  session::OutputLimits output;
  Time now{0};
  std::unique_ptr<Clients> clients;
};

}  // namespace

TEST_CASE("address counts: up to the limit for each client, and no memory for those without a connection") {
  AddressCounts counts(2);
  const base::PeerAddress one = address("192.0.2.1:1");
  auto first = counts.take(one);
  auto second = counts.take(address("192.0.2.1:2"));
  REQUIRE(first);
  REQUIRE(second);
  CHECK_FALSE(counts.take(one));
  const auto other = counts.take(address("[2001:db8::1]:1"));
  const auto neighbour = counts.take(address("[2001:db8::2]:1"));
  CHECK(other);
  CHECK(neighbour);
  CHECK_FALSE(counts.take(address("[2001:db8::3]:1")));
  CHECK(counts.clients() == 2);
  first.reset();
  const auto third = counts.take(one);
  CHECK(third);
  second.reset();
  CHECK(counts.clients() == 2);
}

TEST_CASE("clients: nothing is limited by default") {
  Site door{Limits{}};
  std::vector<std::unique_ptr<MemoryLink>> links;
  for (int i = 0; i < 1'000; ++i) links.push_back(door.connect("192.0.2.1:1"));
  for (const auto& link : links) CHECK(link);
  CHECK(door.clients->requests() == nullptr);
  CHECK(door.clients->requests_of("a mount", {}) == nullptr);
  CHECK(door.clients->load_of("a host", 0) == nullptr);
}

TEST_CASE("clients: address_connections counts a connection until its link has gone") {
  Limits limits;
  limits.address_connections = 2;
  Site door(limits);
  auto first = door.connect("192.0.2.1:1");
  const auto second = door.connect("192.0.2.1:2");
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(door.connect("192.0.2.1:3"));
  CHECK(door.connect("192.0.2.2:3"));
  REQUIRE(door.lines.size() == 1);
  CHECK(door.lines.front() == "the client at 192.0.2.1 has as many connections as address_connections allows: one more was cut");
  first.reset();
  CHECK(door.connect("192.0.2.1:4"));
}

TEST_CASE("clients: address_connection_rate, with its burst") {
  Limits limits;
  limits.address_connection_rate = 2;
  limits.address_connection_burst = 3;
  Site door(limits);
  for (int i = 0; i < 3; ++i) CHECK(door.connect("192.0.2.1:1"));
  CHECK_FALSE(door.connect("192.0.2.1:1"));
  CHECK(door.connect("192.0.2.2:1"));
  CHECK(door.lines.size() == 1);
  door.now += Time{499};
  CHECK_FALSE(door.connect("192.0.2.1:1"));
  door.now += Time{1};
  CHECK(door.connect("192.0.2.1:1"));
  CHECK_FALSE(door.connect("192.0.2.1:1"));
}

TEST_CASE("clients: unix sockets and trusted fronts stand for many, and are not counted") {
  Limits limits;
  limits.address_connections = 1;
  limits.address_connection_rate = 1;
  Site door(limits, {"198.51.100.0/24"});
  std::vector<std::unique_ptr<MemoryLink>> links;
  for (int i = 0; i < 10; ++i) {
    links.push_back(door.connect("unix:"));
    links.push_back(door.connect("198.51.100.7:1"));
  }
  for (const auto& link : links) CHECK(link);
}

TEST_CASE("clients: those who ask for one place and one limit share it, as long as somebody has it") {
  Site door{Limits{}};
  Clients& clients = *door.clients;
  const auto one = clients.requests_of("the mount '/a/'", {1, 2});
  CHECK(one == clients.requests_of("the mount '/a/'", {1, 2}));
  CHECK(one != clients.requests_of("the mount '/a/'", {1, 3}));
  CHECK(one != clients.requests_of("the mount '/b/'", {1, 2}));
  const auto load = clients.load_of("a", 7);
  CHECK(load == clients.load_of("a", 7));
  CHECK(load != clients.load_of("a", 8));
}

TEST_CASE("clients: a burst without a rate is a mistake, and so are rates that are none") {
  Limits limits;
  CHECK(Clients::check(limits).empty());
  limits.address_connection_burst = 1;
  CHECK(Clients::check(limits) == "the limit address_connection_burst needs address_connection_rate, too");
  limits.address_connection_rate = 1;
  limits.address_request_burst = 1;
  CHECK(Clients::check(limits) == "the limit address_request_burst needs address_request_rate, too");
  limits.address_request_rate = 1;
  CHECK(Clients::check(limits).empty());
  CHECK(RequestLimit::check({0, 0}).empty());
  CHECK(RequestLimit::check({1e6, 9}).empty());
  for (const double rate : {-1.0, 1e6 + 1, std::numeric_limits<double>::quiet_NaN()})
    CHECK_FALSE(RequestLimit::check({rate, 0}).empty());
  CHECK(RequestLimit::check({0, 1}) == "a burst of requests needs a rate, too");
}
