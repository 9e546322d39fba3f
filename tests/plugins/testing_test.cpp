#include "wharf/testing.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace {

using namespace wharf;
using namespace std::chrono_literals;
using wharf::testing::Client;
using wharf::testing::Close;
using wharf::testing::Harness;
using wharf::testing::Message;

struct Echo {
  Peer peer;
  void message(Kind kind, std::string_view data) { peer.send(kind, data); }
};

/// Tells all members of the room what happens to one of them.
struct Room {
  struct Shared {
    std::vector<Room*> members;
    void say(std::string_view text) {
      for (Room* member : members) member->peer.send_text(text);
    }
  };
  Peer peer;
  Shared& shared;

  void opened(const Request&) {
    shared.members.push_back(this);
    peer.every(10ms);
  }
  void message(Kind, std::string_view text) {
    if (text == "drop all")
      for (Room* member : shared.members) member->peer.abort();
    else shared.say(text);
  }
  void tick() {
    if (shared.members.front() != this) shared.say("tick");
  }
  void pong(std::string_view data) { shared.say("pong " + std::string(data)); }
  void closing(std::uint16_t code, std::string_view) {
    std::erase(shared.members, this);
    shared.say("left " + std::to_string(code));
  }
};

std::vector<std::string> received(Client& client) {
  std::vector<std::string> texts;
  while (const auto message = client.receive()) texts.push_back(message->data);
  return texts;
}
using Texts = std::vector<std::string>;

/// Keeps the handles that another thread would keep.
struct Posted {
  static inline std::optional<Handle<Posted>> last;
  static inline std::thread::id ran_on;
  Peer peer;
  void opened(const Request&) { last = peer.handle<Posted>(); }
  void message(Kind, std::string_view) {}
  void greet() {
    ran_on = std::this_thread::get_id();
    peer.send_text("posted");
  }
};

}  // namespace

TEST_CASE("harness: a conversation") {
  Harness harness(protocol<Echo>("echo"));
  Client client = harness.connect();
  CHECK(client.status() == 101);
  CHECK(client.refusal().empty());
  CHECK_FALSE(client.receive());
  client.send_text("text");
  client.send_binary("binary");
  CHECK(client.receive() == Message{Kind::text, "text"});
  CHECK(client.receive() == Message{Kind::binary, "binary"});
  CHECK_FALSE(client.receive());
  CHECK_FALSE(client.closed());
  CHECK_FALSE(client.held());
  CHECK(client.queued() == 0);
  CHECK(harness.log().empty());
}

TEST_CASE("harness: rows that cannot be added are refused with the reason") {
  const auto fault = [](const wharf_row& row) {
    try {
      const Harness harness(row);
      return std::string();
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  CHECK(fault(protocol<Echo>("echo")).empty());
  CHECK(fault(protocol<Echo>("")).empty());
  CHECK(fault(protocol<Echo>("http")) == "protocol name 'http' is reserved: HTTP is protocol zero");
  CHECK(fault(protocol<Echo>("two words")).find("not a token") != std::string::npos);
  CHECK(fault(wharf_row{}).find("sizeof(wharf_row)") != std::string::npos);
}

TEST_CASE("harness: a row with the empty name is for clients that offer none") {
  Harness harness(protocol<Echo>(""));
  Client client = harness.connect();
  CHECK(client.status() == 101);
  client.send_text("x");
  CHECK(client.receive() == Message{Kind::text, "x"});
}

TEST_CASE("harness: a handshake that is refused") {
  Harness harness(protocol<Echo>("echo"));
  Client twice = harness.connect({"/", {{"Sec-WebSocket-Version", "13"}}});
  CHECK(twice.status() == 400);
  CHECK(twice.refusal() == "A WebSocket handshake must not repeat Sec-WebSocket-Version.\n");
  CHECK_FALSE(twice.receive());
  Client broken = harness.connect({"no path", {}});
  CHECK(broken.status() == 400);
  CHECK(broken.closed() == Close{1006, ""});
  twice.send_text("nobody hears");
  twice.close();
  broken.send_text("nobody hears");
}

TEST_CASE("harness: close codes, from either end") {
  Harness harness(protocol<Echo>("echo"));
  for (const int number : {1000, 1001, 1003, 1008, 1014, 3000, 4999}) {
    const auto code = static_cast<std::uint16_t>(number);
    Client client = harness.connect();
    client.close(code, "reason");
    CHECK(client.closed() == Close{code, ""});
  }
  Client without = harness.connect();
  without.close(1005);
  CHECK(without.closed() == Close{1005, ""});
  Client forbidden = harness.connect();
  forbidden.close(1006);
  REQUIRE(forbidden.closed());
  CHECK(forbidden.closed()->code == 1002);
  Client closed = harness.connect();
  closed.close();
  closed.send_text("too late");
  closed.close();
  closed.ping();
  closed.drop();
  CHECK(closed.closed() == Close{1000, ""});
  CHECK_FALSE(closed.receive());
}

TEST_CASE("harness: bytes that no client should send") {
  Harness harness(protocol<Echo>("echo"));
  Client unmasked = harness.connect();
  unmasked.send_raw(std::string("\x81\x02hi"));
  REQUIRE(unmasked.closed());
  CHECK(unmasked.closed()->code == 1002);
  Client invalid = harness.connect();
  invalid.send_text("\xFF\xFE");
  REQUIRE(invalid.closed());
  CHECK(invalid.closed()->code == 1007);
  CHECK(harness.log().size() == 2);
}

TEST_CASE("harness: a connection that breaks") {
  Harness harness(protocol<Room>("room"));
  Client stays = harness.connect();
  Client breaks = harness.connect();
  breaks.drop();
  CHECK(breaks.closed() == Close{1006, ""});
  CHECK(received(stays) == Texts{"left 1006"});
}

TEST_CASE("harness: what one client does reaches the others within the call, in any order") {
  Harness harness(protocol<Room>("room"));
  Client first = harness.connect(), second = harness.connect(), third = harness.connect();
  for (Client client : {first, second, third}) {
    client.send_text("hello");
    CHECK(received(first) == Texts{"hello"});
    CHECK(received(second) == Texts{"hello"});
    CHECK(received(third) == Texts{"hello"});
  }
  harness.advance(10ms);
  CHECK(received(first) == Texts{"tick", "tick"});
  CHECK(received(second) == Texts{"tick", "tick"});
  CHECK(received(third) == Texts{"tick", "tick"});
  third.send_raw(std::string("\x8A\x80\0\0\0\0", 6));  // a pong
  CHECK(received(first) == Texts{"pong "});
  third.close(1001);
  CHECK(received(first) == Texts{"left 1001"});
  CHECK(received(second) == Texts{"pong ", "left 1001"});
}

TEST_CASE("harness: the server's side drops a client, or all") {
  Harness harness(protocol<Room>("room"));
  Client first = harness.connect(), second = harness.connect();
  second.send_text("drop all");
  CHECK(first.closed() == Close{1006, ""});
  CHECK(second.closed() == Close{1006, ""});
}

TEST_CASE("harness: a slow reader is held until it has read") {
  Limits limits;
  limits.output_high_water = 1000;
  limits.output_low_water = 100;
  Harness harness(protocol<Echo>("echo"), {}, limits);
  Client client = harness.connect();
  client.read_at_most(0);
  client.send_text(std::string(900, 'a'));
  CHECK(client.queued() > 900);
  CHECK_FALSE(client.held());
  client.send_text(std::string(900, 'b'));
  CHECK(client.held());
  const std::size_t queued = client.queued();
  client.send_text(std::string(900, 'c'));
  CHECK(client.queued() == queued);  // not even read
  CHECK_FALSE(client.receive());

  client.read_at_most(1000);
  CHECK(client.receive() == Message{Kind::text, std::string(900, 'a')});
  CHECK_FALSE(client.receive());
  CHECK(client.held());
  client.read_everything();
  CHECK_FALSE(client.held());
  CHECK(client.receive() == Message{Kind::text, std::string(900, 'b')});
  CHECK(client.receive() == Message{Kind::text, std::string(900, 'c')});
  CHECK(client.queued() == 0);
}

TEST_CASE("harness: ping and pong") {
  Harness harness(protocol<Echo>("echo"));
  Client client = harness.connect();
  CHECK_FALSE(client.receive_pong());
  client.ping("are you there");
  client.ping();
  client.ping(std::string(200, 'x'));
  CHECK(client.receive_pong() == "are you there");
  CHECK(client.receive_pong() == "");
  CHECK(client.receive_pong() == std::string(125, 'x'));
  CHECK_FALSE(client.receive_pong());
  CHECK_FALSE(client.receive());
}

TEST_CASE("harness: limits that are given hold") {
  Limits limits;
  limits.message = 10;
  limits.close_handshake = 100ms;
  Harness harness(protocol<Echo>("echo"), {}, limits);
  Client client = harness.connect();
  client.send_text("0123456789");
  CHECK(client.receive() == Message{Kind::text, "0123456789"});
  client.send_text("0123456789a");
  REQUIRE(client.closed());
  CHECK(client.closed()->code == 1009);
}

TEST_CASE("harness: a client that never answers the close is cut in time") {
  struct Closer {
    Peer peer;
    void message(Kind, std::string_view) { peer.close(4001, "go away"); }
  };
  Limits limits;
  limits.close_handshake = 100ms;
  Harness harness(protocol<Closer>("closer"), {}, limits);
  Client client = harness.connect();
  client.read_at_most(0);
  client.send_text("x");
  CHECK_FALSE(client.closed());
  harness.advance(99ms);
  CHECK_FALSE(client.closed());
  client.read_everything();
  CHECK(client.closed() == Close{4001, "go away"});
}

TEST_CASE("harness: what another thread posts runs with run(), on the test's thread") {
  Harness harness(protocol<Posted>("posted"));
  Client client = harness.connect();
  bool taken = false;
  std::thread([&taken] { taken = Posted::last->post([](Posted& posted) { posted.greet(); }); }).join();
  CHECK(taken);
  CHECK_FALSE(client.receive());
  harness.run();
  CHECK(client.receive() == Message{Kind::text, "posted"});
  CHECK(Posted::ran_on == std::this_thread::get_id());
}

TEST_CASE("harness: posting to a peer that is gone, and to a harness that is gone") {
  const auto unused = std::make_shared<int>(0);
  {
    Harness harness(protocol<Posted>("posted"));
    Client client = harness.connect();
    client.close();
    CHECK(Posted::last->post([unused](Posted&) { FAIL("the peer is gone"); }));
    harness.run();
    CHECK(unused.use_count() == 1);
    CHECK(Posted::last->post([unused](Posted&) { FAIL("the peer is gone"); }));
  }
  CHECK(unused.use_count() == 1);
  CHECK_FALSE(Posted::last->post([unused](Posted&) { FAIL("the harness is gone"); }));
  CHECK(unused.use_count() == 1);
}

TEST_CASE("harness: a handle does not reach the next peer in the same place") {
  Harness harness(protocol<Posted>("posted"));
  Client first = harness.connect();
  const auto handle = *Posted::last;
  first.close();
  Client second = harness.connect();
  CHECK(handle.post([](Posted& posted) { posted.greet(); }));
  harness.run();
  CHECK_FALSE(second.receive());
  CHECK(Posted::last->post([](Posted& posted) { posted.greet(); }));
  harness.run();
  CHECK(second.receive());
}

TEST_CASE("harness: a client outlives it") {
  std::optional<Client> client, refused;
  {
    Harness harness(protocol<Echo>("echo"));
    client = harness.connect();
    refused = harness.connect({"/", {{"Upgrade", "h2c"}, {"Sec-WebSocket-Key", "x"}}});
    client->send_text("last");
  }
  CHECK(client->closed() == Close{1006, ""});
  CHECK(client->receive() == Message{Kind::text, "last"});
  CHECK(client->status() == 101);
  CHECK(refused->status() == 400);
  client->send_text("nobody hears");
  client->send_binary("nobody hears");
  client->send_raw("x");
  client->ping();
  client->close();
  client->drop();
  client->read_at_most(0);
  client->read_everything();
  CHECK(client->queued() == 0);
  CHECK_FALSE(client->held());
  CHECK_FALSE(client->receive());
  CHECK_FALSE(client->receive_pong());
}

TEST_CASE("harness: copies are the same client") {
  Harness harness(protocol<Echo>("echo"));
  Client client = harness.connect();
  Client copy = client;
  copy.send_text("x");
  CHECK(client.receive());
  CHECK_FALSE(copy.receive());
}

TEST_CASE("harness: the clock moves as far as it is told, with nobody there and with many") {
  struct Clock {
    Peer peer;
    void message(Kind, std::string_view) { peer.send_text(std::to_string(peer.scope().now().count())); }
  };
  Harness harness(protocol<Clock>("clock"));
  harness.advance(1h);
  Client client = harness.connect();
  client.send_text("?");
  harness.advance(250ms);
  client.send_text("?");
  const auto first = client.receive(), second = client.receive();
  REQUIRE(first);
  REQUIRE(second);
  CHECK(std::stol(second->data) - std::stol(first->data) == 250);
}
