#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "wharf/testing.hpp"

extern "C" const wharf_plugin wharf_plugin_mirror;

namespace {

using namespace std::chrono_literals;
using wharf::Kind;
using wharf::testing::Client;
using wharf::testing::Close;
using wharf::testing::Harness;

using Texts = std::vector<std::string>;

const wharf_row& row() { return *wharf_plugin_mirror.rows[0]; }

/// What a member says is posted to all; consequences, such as going on, are posted too.
void settle(Harness& harness) {
  for (int i = 0; i < 20; ++i) harness.run();
}

void say(Harness& harness, Client& client, std::string_view text) {
  client.send_text(text);
  settle(harness);
}

Texts received(Client& client) {
  Texts texts;
  while (const auto message = client.receive()) {
    CHECK(message->kind == Kind::text);
    texts.push_back(message->data);
  }
  return texts;
}

std::size_t count(const Texts& texts, char first) {
  return static_cast<std::size_t>(
      std::count_if(texts.begin(), texts.end(), [first](const std::string& text) { return text.starts_with(first); }));
}

int status_of(Harness& harness, const std::string& target) { return harness.connect({target, {}}).status(); }

/// Three members in a room. The last does not read, and so much was said that the room waits for it.
struct Halted {
  Harness harness{row()};
  Client speaker = harness.connect(), other = harness.connect(), slow = harness.connect();
  std::size_t said = 0;

  Halted() {
    slow.read_at_most(0);
    while (!speaker.held() && said < 100) {
      say(harness, speaker, std::string(1, 's') + std::string(9999, '.'));
      ++said;
    }
  }
};

}  // namespace

TEST_CASE("mirror: one row of that name") {
  CHECK(wharf_plugin_mirror.abi == WHARF_ABI_NUMBER);
  CHECK(wharf_plugin_mirror.row_count == 1);
  CHECK(row().name == std::string("lws-mirror-protocol"));
}

TEST_CASE("mirror: everybody, the sender too, gets what one says, in one order for all") {
  Harness harness(row());
  Client one = harness.connect(), two = harness.connect();
  one.send_text("c #ff0000 1 2 3;");
  two.send_text("d #00ff00 1 2 3 4;");
  one.send_text("");
  settle(harness);
  const Texts all{"c #ff0000 1 2 3;", "d #00ff00 1 2 3 4;", ""};
  CHECK(received(one) == all);
  CHECK(received(two) == all);
  Client three = harness.connect();
  settle(harness);
  CHECK(received(three) == Texts{});
  say(harness, three, "grüße");
  for (Client* client : {&one, &two, &three}) CHECK(received(*client) == Texts{"grüße"});
  CHECK(harness.log().empty());
}

TEST_CASE("mirror: rooms") {
  Harness harness(row());
  const auto hears = [&harness](const std::string& target, const std::string& other) {
    Client one = harness.connect({target, {}}), two = harness.connect({other, {}});
    REQUIRE(one.status() == 101);
    REQUIRE(two.status() == 101);
    say(harness, one, "x");
    CHECK(received(one) == Texts{"x"});
    const bool heard = received(two) == Texts{"x"};
    one.drop();
    two.drop();
    return heard;
  };
  CHECK(hears("/?mirror=a", "/?mirror=a"));
  CHECK(hears("/?mirror=a", "/elsewhere?mirror=a"));
  CHECK_FALSE(hears("/?mirror=a", "/?mirror=b"));
  CHECK_FALSE(hears("/?mirror=a", "/?mirror=A"));
  CHECK_FALSE(hears("/?mirror=a", "/"));
  CHECK(hears("/", "/?mirror="));
  CHECK(hears("/", "/?mirror"));
  CHECK(hears("/", "/?Mirror=a&xmirror=b&&"));
  CHECK(hears("/?x=1&mirror=a", "/?mirror=a&y=%zz&mirror=b"));
  CHECK(hears("/?mirror=%61%C3%b6", "/?mirror=a%c3%B6"));
  CHECK(hears("/?mirror=two+words", "/?mirror=two%20words"));
  CHECK_FALSE(hears("/?mirror=1%2B1", "/?mirror=1+1"));
  CHECK_FALSE(hears("/?mirror=a", "/?mirror=a%00"));
}

TEST_CASE("mirror: names that are none are refused") {
  Harness harness(row());
  for (const std::string name : {"%", "a%", "%4", "a%4", "%zz", "%4z", "%z4", "%-1", "%%41"}) {
    CAPTURE(name);
    CHECK(status_of(harness, "/?mirror=" + name) == 400);
    CHECK(status_of(harness, "/?a=b&mirror=" + name + "&c=d") == 400);
  }
  CHECK(status_of(harness, "/?mirror=" + std::string(64, 'x')) == 101);
  CHECK(status_of(harness, "/?mirror=" + std::string(65, 'x')) == 400);
  std::string encoded;
  for (int i = 0; i < 64; ++i) encoded += "%41";
  CHECK(status_of(harness, "/?mirror=" + encoded) == 101);
  CHECK(status_of(harness, "/?mirror=" + encoded + "A") == 400);
}

TEST_CASE("mirror: option rooms") {
  Harness harness(row(), {{"rooms", "2"}});
  Client one = harness.connect({"/?mirror=one", {}}), two = harness.connect({"/?mirror=two", {}});
  CHECK(two.status() == 101);
  CHECK(status_of(harness, "/?mirror=three") == 503);
  CHECK(status_of(harness, "/") == 503);
  Client again = harness.connect({"/?mirror=two", {}});
  CHECK(again.status() == 101);
  two.close();
  CHECK(status_of(harness, "/?mirror=three") == 503);
  again.drop();
  CHECK(status_of(harness, "/?mirror=three") == 101);
  for (const std::string value : {"", "0", "-1", "x", "100001", "1 "}) {
    CAPTURE(value);
    CHECK_THROWS_AS(Harness(row(), {{"rooms", value}}), std::runtime_error);
  }
}

TEST_CASE("mirror: servers share their rooms if they have the same group") {
  Harness here(row()), there(row()), apart(row(), {{"group", "apart"}});
  Client one = here.connect(), two = there.connect(), three = apart.connect();
  one.send_text("x");
  settle(here);
  settle(there);
  settle(apart);
  CHECK(received(one) == Texts{"x"});
  CHECK(received(two) == Texts{"x"});
  CHECK(received(three) == Texts{});
}

TEST_CASE("mirror: a binary message is closed with 1003, and nobody gets it") {
  Harness harness(row());
  Client one = harness.connect(), two = harness.connect();
  one.send_binary("c #ff0000 1 2 3;");
  settle(harness);
  CHECK(one.closed() == Close{1003, "lws-mirror-protocol takes text"});
  CHECK(received(two) == Texts{});
  say(harness, two, "still here");
  CHECK(received(two) == Texts{"still here"});
}

TEST_CASE("mirror: a slow reader pauses the speakers until it has read") {
  Halted room;
  CHECK(room.speaker.held());
  CHECK(room.said < 20);
  CHECK_FALSE(room.other.held());  // until it says something
  say(room.harness, room.other, "o");
  CHECK(room.other.held());
  for (int i = 0; i < 100; ++i) say(room.harness, room.speaker, std::string(1000, 't'));
  say(room.harness, room.other, "p");
  CHECK(room.slow.queued() < 200'000);
  const Texts heard = received(room.other);  // what was said before the pause, and no more
  CHECK(count(heard, 's') == room.said);
  CHECK(count(heard, 't') == 0);

  room.slow.read_everything();
  settle(room.harness);
  CHECK_FALSE(room.speaker.held());
  CHECK_FALSE(room.other.held());
  const Texts slowly = received(room.slow);
  CHECK(slowly.size() == room.said + 102);
  CHECK(count(slowly, 't') == 100);
  CHECK((received(room.speaker) == slowly));
  Texts rest = heard;
  for (const std::string& text : received(room.other)) rest.push_back(text);
  CHECK((rest == slowly));
  room.harness.advance(10s);
  CHECK_FALSE(room.slow.closed());
  CHECK(room.harness.log().empty());
}

TEST_CASE("mirror: other rooms are not paused") {
  Halted room;
  Client elsewhere = room.harness.connect({"/?mirror=elsewhere", {}});
  for (int i = 0; i < 100; ++i) say(room.harness, elsewhere, "x");
  CHECK_FALSE(elsewhere.held());
  CHECK(received(elsewhere).size() == 100);
}

TEST_CASE("mirror: one that takes nothing for 3 s is cut, and the others go on") {
  Halted room;
  say(room.harness, room.speaker, "after");
  room.harness.advance(2999ms);
  CHECK_FALSE(room.slow.closed());
  CHECK(room.speaker.held());
  room.harness.advance(1ms);
  settle(room.harness);
  CHECK(room.slow.closed() == Close{1006, ""});
  CHECK_FALSE(room.speaker.held());
  CHECK((received(room.other).back() == "after"));
  CHECK((received(room.speaker).back() == "after"));
  REQUIRE(room.harness.log().size() == 1);
  CHECK(room.harness.log()[0].find("info: lws-mirror-protocol: cut, a member that took nothing for 3 s") == 0);
}

TEST_CASE("mirror: one that takes a little every now and then is not cut, and is waited for 10 s, not for ever") {
  Halted room;
  for (int i = 0; i < 10; ++i) {
    CHECK(room.speaker.held() == (i < 4));
    room.harness.advance(2500ms);
    settle(room.harness);
    CHECK_FALSE(room.slow.closed());
    room.slow.read_at_most(10);
  }
  say(room.harness, room.speaker, "go");
  CHECK_FALSE(room.speaker.held());
  room.slow.read_everything();
  settle(room.harness);
  CHECK(received(room.slow).size() == room.said + 1);
}

TEST_CASE("mirror: one that drains now and then without ever catching up is waited for 10 s all the same") {
  Halted room;
  std::vector<Client> talkers;
  for (int i = 0; i < 15; ++i) {
    talkers.push_back(room.harness.connect());
    say(room.harness, talkers.back(), std::string(100'000, 't'));
  }
  for (int i = 0; i < 6; ++i) {
    CHECK(room.speaker.held() == (i < 5));
    room.slow.read_at_most(100'000);  // drained, and at once more is sent than it takes
    settle(room.harness);
    room.harness.advance(2s);
    settle(room.harness);
  }
  CHECK_FALSE(room.slow.closed());
  CHECK_FALSE(room.speaker.held());
}

TEST_CASE("mirror: one that does not catch up is cut when too much waits for it, and one that did is waited for again") {
  Halted room;
  for (int i = 0; i < 5; ++i) {
    room.harness.advance(2500ms);
    room.slow.read_at_most(10);
  }
  settle(room.harness);
  REQUIRE_FALSE(room.speaker.held());
  SUBCASE("it does not") {
    for (int i = 0; i < 500 && !room.slow.closed(); ++i) say(room.harness, room.speaker, std::string(10'000, 'm'));
    CHECK(room.slow.closed() == Close{1006, ""});
    CHECK_FALSE(room.speaker.held());
  }
  SUBCASE("it does") {
    room.slow.read_everything();
    settle(room.harness);
    room.slow.read_at_most(0);
    for (int i = 0; i < 20; ++i) say(room.harness, room.speaker, std::string(10'000, 'm'));
    CHECK(room.speaker.held());
  }
}

TEST_CASE("mirror: several slow readers at once") {
  Halted room;
  Client second = room.harness.connect();
  CHECK_FALSE(second.held());
  room.slow.read_everything();
  settle(room.harness);
  CHECK_FALSE(room.speaker.held());

  room.slow.read_at_most(0);
  second.read_at_most(0);
  for (int i = 0; i < 10; ++i) say(room.harness, room.speaker, std::string(10'000, 'u'));
  CHECK(room.speaker.held());
  room.slow.read_everything();
  settle(room.harness);
  CHECK(room.speaker.held());  // for the second
  say(room.harness, room.slow, "me too");
  CHECK(room.slow.held());
  SUBCASE("the second reads") { second.read_everything(); }
  SUBCASE("the second leaves") { second.drop(); }
  SUBCASE("the second is cut") {
    room.harness.advance(3s);
    CHECK(second.closed() == Close{1006, ""});
  }
  settle(room.harness);
  CHECK_FALSE(room.speaker.held());
  CHECK_FALSE(room.slow.held());
  const Texts heard = received(room.slow);
  CHECK(count(heard, 'u') == 10);
  CHECK(count(heard, 'm') == 1);
  CHECK((received(room.speaker) == heard));
}

TEST_CASE("mirror: leaving in the middle of anything") {
  Halted room;
  SUBCASE("the slow one breaks off") {
    room.slow.drop();
    settle(room.harness);
    CHECK_FALSE(room.speaker.held());
  }
  SUBCASE("a paused one breaks off") {
    room.speaker.drop();
    settle(room.harness);
    room.slow.read_everything();
    settle(room.harness);
    CHECK(received(room.slow).size() == room.said);
  }
  SUBCASE("a paused one closes; that is seen when it may go on") {
    room.speaker.close();
    CHECK_FALSE(room.speaker.closed());
    room.slow.read_everything();
    settle(room.harness);
    CHECK(room.speaker.closed() == Close{1000, ""});
  }
  SUBCASE("one leaves before what it said has reached anybody") {
    room.slow.read_everything();
    settle(room.harness);
    received(room.other);
    room.speaker.send_text("last");
    room.speaker.drop();
    settle(room.harness);
    CHECK(received(room.other) == Texts{"last"});
  }
  SUBCASE("one leaves before what another said has reached it") {
    room.slow.read_everything();
    settle(room.harness);
    room.speaker.send_text("last");
    room.other.drop();
    room.slow.close();
    settle(room.harness);
    CHECK((received(room.speaker).back() == "last"));
  }
  SUBCASE("all at once") {
    for (Client client : {room.speaker, room.other, room.slow}) client.drop();
    settle(room.harness);
  }
  say(room.harness, room.other, "still here");
  if (!room.other.closed()) CHECK((received(room.other).back() == "still here"));
  CHECK_FALSE(room.other.held());
  room.harness.advance(10s);
}

TEST_CASE("mirror: one message longer than the hard cap cuts nobody, unless a member takes nothing of it") {
  wharf::Limits limits;
  limits.output_hard_cap = 100'000;
  Harness harness(row(), {}, limits);
  Client one = harness.connect(), full = harness.connect(), two = harness.connect();
  full.read_at_most(0);
  say(harness, one, std::string(200'000, 'x'));
  CHECK_FALSE(full.closed());
  CHECK(one.held());
  harness.advance(4s);
  settle(harness);
  CHECK(full.closed() == Close{1006, ""});
  CHECK_FALSE(one.held());
  say(harness, two, "y");
  CHECK((received(one).back() == "y"));
  CHECK((received(two).back() == "y"));
}

TEST_CASE("mirror: a member that speaks fast and reads nothing waits for itself") {
  Harness harness(row());
  Client alone = harness.connect();
  alone.read_at_most(0);
  for (int i = 0; i < 1000; ++i) say(harness, alone, std::string(10'000, 'x'));
  CHECK(alone.held());
  CHECK(alone.queued() < 200'000);
  SUBCASE("reads in the end") {
    alone.read_everything();
    settle(harness);
    for (int i = 0; i < 1000 && alone.held(); ++i) settle(harness);
    CHECK(received(alone).size() == 1000);
  }
  SUBCASE("does not") {
    harness.advance(3s);
    CHECK(alone.closed() == Close{1006, ""});
  }
}
