#include <doctest/doctest.h>

#include <chrono>
#include <regex>
#include <string>
#include <vector>

#include "wharf/testing.hpp"

extern "C" const wharf_plugin wharf_plugin_chat;

namespace {

using namespace std::chrono_literals;
using wharf::testing::Client;
using wharf::testing::Close;
using wharf::testing::Harness;

using Texts = std::vector<std::string>;

const wharf_row& row() { return *wharf_plugin_chat.rows[0]; }

/// The messages that have come, with T for the time.
Texts received(Harness& harness, Client& client) {
  for (int i = 0; i < 20; ++i) harness.run();
  static const std::regex time("^(said|private) [0-9]{10,} ");
  Texts texts;
  while (const auto message = client.receive()) texts.push_back(std::regex_replace(message->data, time, "$1 T "));
  return texts;
}

Client joined(Harness& harness, const std::string& name) {
  Client client = harness.connect();
  client.send_text("join " + name);
  const Texts texts = received(harness, client);
  REQUIRE_FALSE(texts.empty());
  CHECK(texts.front() == "welcome " + name);
  CHECK(texts.back() == "joined " + name);
  return client;
}

Texts answer(Harness& harness, Client& client, std::string_view message) {
  client.send_text(message);
  return received(harness, client);
}

}  // namespace

TEST_CASE("chat: one row of that name") {
  CHECK(wharf_plugin_chat.abi == WHARF_ABI_NUMBER);
  CHECK(wharf_plugin_chat.row_count == 1);
  CHECK(row().name == std::string("chat-protocol"));
}

TEST_CASE("chat: joining, who is here, leaving") {
  Harness harness(row());
  Client zoe = harness.connect(), max = harness.connect();
  CHECK(received(harness, zoe) == Texts{});
  CHECK(answer(harness, zoe, "join Zoë") == Texts{"welcome Zoë", "here Zoë", "joined Zoë"});
  CHECK(answer(harness, max, "join max") == Texts{"welcome max", "here Zoë max", "joined max"});
  CHECK(received(harness, zoe) == Texts{"joined max"});
  CHECK(answer(harness, zoe, "who") == Texts{"here Zoë max"});
  max.close();
  CHECK(received(harness, zoe) == Texts{"left max"});
  CHECK(answer(harness, zoe, "who") == Texts{"here Zoë"});
  Client again = joined(harness, "max");
  CHECK(received(harness, zoe) == Texts{"joined max"});
  again.drop();
  CHECK(received(harness, zoe) == Texts{"left max"});
  CHECK(harness.log().empty());
}

TEST_CASE("chat: everybody gets what one member says, in one order") {
  Harness harness(row());
  Client one = joined(harness, "one"), two = joined(harness, "two");
  received(harness, one);
  one.send_text("say hello, all of you");
  two.send_text("say  two spaces first,\nand a second line");
  one.send_text("say say");
  const Texts all{"said T one hello, all of you", "said T two  two spaces first,\nand a second line", "said T one say"};
  CHECK(received(harness, one) == all);
  CHECK(received(harness, two) == all);
}

TEST_CASE("chat: private messages") {
  Harness harness(row());
  Client one = joined(harness, "one"), two = joined(harness, "two"), three = joined(harness, "three");
  for (Client* client : {&one, &two, &three}) received(harness, *client);
  CHECK(answer(harness, one, "to two just for you") == Texts{"private T one two just for you"});
  CHECK(received(harness, two) == Texts{"private T one two just for you"});
  CHECK(received(harness, three) == Texts{});
  CHECK(answer(harness, one, "to one note") == Texts{"private T one one note"});
  CHECK(answer(harness, one, "to four hello") == Texts{"error nobody of that name is here"});
  CHECK(answer(harness, one, "to two") == Texts{"error a text has 1 to 2000 bytes"});
  CHECK(answer(harness, one, "to") == Texts{"error nobody of that name is here"});
  Client late = joined(harness, "late");
  CHECK(answer(harness, late, "who") == Texts{"here late one three two"});
}

TEST_CASE("chat: another name") {
  Harness harness(row());
  Client one = joined(harness, "one"), two = joined(harness, "two");
  received(harness, one);
  CHECK(answer(harness, one, "rename uno") == Texts{"renamed one uno"});
  CHECK(received(harness, two) == Texts{"renamed one uno"});
  CHECK(answer(harness, two, "to uno x") == Texts{"private T two uno x"});
  CHECK(answer(harness, two, "to one x") == Texts{"error nobody of that name is here"});
  CHECK(answer(harness, two, "rename uno") == Texts{"error somebody else has that name"});
  CHECK(answer(harness, two, "rename") == Texts{"error a name has 1 to 32 bytes, without spaces and control characters"});
  received(harness, one);
  CHECK(answer(harness, one, "say x") == Texts{"said T uno x"});
  one.close();
  CHECK(received(harness, two) == Texts{"said T uno x", "left uno"});
}

TEST_CASE("chat: a newcomer gets the last things said") {
  Harness harness(row(), {{"history", "2"}});
  Client one = joined(harness, "one");
  for (const std::string text : {"a", "b", "c"}) answer(harness, one, "say " + text);
  answer(harness, one, "to one secret");
  Client two = harness.connect();
  CHECK(answer(harness, two, "join two") == Texts{"welcome two", "said T one b", "said T one c", "here one two", "joined two"});
  one.close();
  two.close();
  Client three = harness.connect();
  CHECK(answer(harness, three, "join three") ==
        Texts{"welcome three", "said T one b", "said T one c", "here three", "joined three"});
}

TEST_CASE("chat: the longest history fits, and none is possible") {
  Harness none(row(), {{"history", "0"}, {"group", "none"}});
  Client alone = joined(none, "alone");
  answer(none, alone, "say x");
  Client second = none.connect();
  CHECK(answer(none, second, "join second") == Texts{"welcome second", "here alone second", "joined second"});

  Harness harness(row(), {{"history", "1000"}});
  Client one = joined(harness, "one");
  for (int i = 0; i < 1100; ++i) answer(harness, one, "say " + std::string(2000, 'x'));
  Client two = harness.connect();
  CHECK(answer(harness, two, "join two").size() == 1003);
  CHECK_FALSE(two.held());
}

TEST_CASE("chat: a bad message is answered with an error, and changes nothing") {
  Harness harness(row());
  Client one = joined(harness, "one"), two = harness.connect();
  const std::string bad_name = "error a name has 1 to 32 bytes, without spaces and control characters";
  const std::string bad_text = "error a text has 1 to 2000 bytes";
  const std::string unknown = "error there are the commands join, say, to, rename and who";

  for (const std::string message : {"say hello", "who", "", "nonsense", "to one x", "rename two", " join two"})
    CHECK(answer(harness, two, message) == Texts{"error say who you are first: join NAME"});
  for (const std::string& name : {std::string(), std::string("a b"), std::string("a "), std::string(" a"), std::string("a\n"),
                                  std::string("\x7F"), std::string("a\0b", 3), std::string(33, 'x')})
    CHECK(answer(harness, two, "join " + name) == Texts{bad_name});
  CHECK(answer(harness, two, "join") == Texts{bad_name});
  CHECK(answer(harness, two, "join one") == Texts{"error somebody else has that name"});
  CHECK(answer(harness, one, "join two") == Texts{"error you are here already, as one"});
  for (const std::string message : {"", " ", "SAY x", "says x", "quit", "say\nx"})
    CHECK(answer(harness, one, message) == Texts{unknown});
  CHECK(answer(harness, one, "say") == Texts{bad_text});
  CHECK(answer(harness, one, "say ") == Texts{bad_text});
  CHECK(answer(harness, one, "say " + std::string(2001, 'x')) == Texts{bad_text});
  CHECK(answer(harness, one, "say " + std::string(2000, 'x')).size() == 1);
  one.send_binary("say x");
  CHECK(received(harness, one) == Texts{"error this protocol is text"});
  CHECK(answer(harness, two, "join " + std::string(32, 'x')).front() == "welcome " + std::string(32, 'x'));
  CHECK_FALSE(one.closed());
  CHECK_FALSE(two.closed());
  one.send_text("say " + std::string(64 * 1024, 'x'));
  REQUIRE(one.closed());
  CHECK(one.closed()->code == 1009);
  CHECK(harness.log().size() == 1);
}

TEST_CASE("chat: option most") {
  Harness harness(row(), {{"most", "2"}});
  Client one = joined(harness, "one"), two = joined(harness, "two"), three = harness.connect();
  CHECK(answer(harness, three, "join three") == Texts{"error the room is full"});
  two.drop();
  CHECK(answer(harness, three, "join three").front() == "welcome three");
  for (const auto& wrong : {std::pair{"most", "0"}, {"most", "x"}, {"history", "1001"}, {"history", "-1"}}) {
    CAPTURE(wrong.first);
    CHECK_THROWS_AS(Harness(row(), {{wrong.first, wrong.second}}), std::runtime_error);
  }
}

TEST_CASE("chat: a slow reader pauses the speakers, and is cut if it takes nothing for 3 s") {
  Harness harness(row());
  Client one = joined(harness, "one"), slow = joined(harness, "slow");
  slow.read_at_most(0);
  for (int i = 0; i < 200; ++i) answer(harness, one, "say " + std::string(2000, 'x'));
  CHECK(one.held());
  CHECK(slow.queued() < 200'000);
  Client late = harness.connect();
  CHECK(answer(harness, late, "join late").back() == "joined late");
  CHECK(late.held());
  harness.advance(3s);
  CHECK(slow.closed() == Close{1006, ""});
  received(harness, late);
  CHECK_FALSE(one.held());
  CHECK_FALSE(late.held());
  CHECK(answer(harness, late, "who") == Texts{"here late one"});
  CHECK(harness.log().size() == 1);
}
