#include "plugins/room.h"

#include <doctest/doctest.h>

#include <string>

#include "wharf/testing.hpp"

namespace {

using wharf::testing::Client;
using wharf::testing::Close;
using wharf::testing::Harness;

/// A room in which nobody can be paused, and in which little may wait.
struct Crier : plugins::Member<Crier> {
  struct Shared {
    std::shared_ptr<plugins::Room> room = std::make_shared<plugins::Room>(10'000);
  };
  Crier(wharf::Peer its_peer, Shared& its_shared) : Member(its_peer), shared(its_shared) {}
  void opened(const wharf::Request&) { enter(shared.room); }
  void message(wharf::Kind, std::string_view data) { room().say(std::make_shared<const std::string>(data)); }
  Shared& shared;
};

void settle(Harness& harness) {
  for (int i = 0; i < 4; ++i) harness.run();
}

}  // namespace

TEST_CASE("room: one for whom too much waits is cut") {
  Harness harness(wharf::protocol<Crier>("crier"));
  Client crier = harness.connect(), slow = harness.connect();
  slow.read_at_most(0);
  for (int i = 0; i < 70; ++i) {
    crier.send_text(std::string(1000, 'x'));
    settle(harness);
  }
  CHECK_FALSE(slow.closed());  // it has them in its queue, and some at its seat
  for (int i = 0; i < 10; ++i) {
    crier.send_text(std::string(1000, 'x'));
    settle(harness);
  }
  CHECK(slow.closed() == Close{1006, ""});
  CHECK_FALSE(crier.closed());
  CHECK_FALSE(crier.held());
  REQUIRE(harness.log().size() == 1);
  CHECK(harness.log()[0].find("info: crier: cut, a member for whom too much waits") == 0);
}

TEST_CASE("room: empty messages count too") {
  Harness harness(wharf::protocol<Crier>("crier"));
  Client crier = harness.connect(), slow = harness.connect();
  slow.read_at_most(0);
  for (int i = 0; i < 70; ++i) {
    crier.send_text(std::string(1000, 'x'));
    settle(harness);
  }
  CHECK_FALSE(slow.closed());
  for (int i = 0; i < 200; ++i) {
    crier.send_text("");
    settle(harness);
  }
  CHECK(slow.closed() == Close{1006, ""});
}
