#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "unit/link/scripted.h"

// Work that a session wants to do on a fresh stack: want_turn() and turn().

namespace {

using namespace wharf;
using test::LinkBench;
using Events = std::vector<std::string>;

struct TurnBench : LinkBench {
  TurnBench() {
    open();
    link->run();
    story.take();
  }
};

}  // namespace

TEST_CASE("link turn: it comes once for each wish, however often it is wished, and not by itself") {
  TurnBench bench;
  for (int i = 0; i < 2; ++i) {
    bench.link->want_turn();
    bench.link->want_turn();
    CHECK(bench.story.events.empty());  // on a fresh stack, not from within the call
    CHECK(bench.link->scheduled());
    CHECK_FALSE(bench.link->run_one_turn());
    CHECK(bench.story.take() == Events{"first turn"});
  }
  bench.link->receive("x");
  bench.link->touch();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first input x"});
}

TEST_CASE("link turn: asked for within each call, it comes behind that call, before the loop blocks") {
  for (const std::string call : {"input", "end of input", "room", "deadline", "shut down"}) {
    CAPTURE(call);
    TurnBench bench;
    bench.story.deeds["first " + call] = [](session::Link& link) { link.want_turn(); };
    if (call == "input") bench.link->receive("x");
    if (call == "end of input") bench.link->receive_end();
    if (call == "shut down") bench.link->server_stops();
    if (call == "room") bench.link->want_room();
    if (call == "deadline") bench.link->set_deadline(bench.now);
    bench.link->touch();
    bench.link->run();
    CHECK_FALSE(bench.link->scheduled());
    CHECK(bench.story.take() == Events{"first " + call + (call == "input" ? " x" : ""), "first turn"});
  }
}

TEST_CASE("link turn: asked for within start(), it comes before the loop blocks") {
  LinkBench bench;
  bench.story.deeds["first start"] = [](session::Link& link) { link.want_turn(); };
  bench.open();
  CHECK(bench.link->scheduled());
  CHECK(bench.story.take() == Events{"first start"});
  bench.link->run_one_turn();
  CHECK(bench.story.take() == Events{"first turn"});
}

TEST_CASE("link turn: it comes although the output is full, unlike room()") {
  TurnBench bench;
  bench.link->set_window(0);
  bench.link->out().append(std::string(bench.limits.hard_cap + 1, 'x'));
  bench.link->want_room();
  bench.link->want_turn();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first turn"});
  CHECK_FALSE(bench.link->scheduled());
}

TEST_CASE("link turn: it comes before input that waits, even while that is held") {
  TurnBench bench;
  bench.link->hold_input();
  bench.link->arrive("x");
  bench.link->want_turn();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first turn"});
  bench.link->resume_input();
  bench.link->want_turn();
  bench.link->run();
  CHECK(bench.story.take() == Events{"first turn", "first input x"});
}

TEST_CASE("link turn: asked for again from within, it comes in a later turn, when other links had theirs") {
  TurnBench bench;
  int left = 3;
  bench.story.deeds["first turn"] = [&left](session::Link& link) {
    if (--left > 0) link.want_turn();
  };
  bench.link->want_turn();
  for (const bool more : {true, true, false}) {
    CHECK(bench.link->run_one_turn() == more);
    CHECK(bench.story.take() == Events{"first turn"});
  }
  bench.link->run();
  CHECK(bench.story.take().empty());
}

TEST_CASE("link turn: its output leaves in that turn, in one write") {
  TurnBench bench;
  bench.story.deeds["first turn"] = [](session::Link& link) {
    link.out().append("ab");
    link.out().append("cd");
  };
  bench.link->want_turn();
  bench.link->run_one_turn();
  CHECK(bench.link->take() == "abcd");
  CHECK(bench.link->write_calls() == 1);
}

TEST_CASE("link turn: a session that another has taken over from gets none, and its wish is not the other's") {
  TurnBench bench;
  bench.link->want_turn();
  bench.link->become(bench.session("second"));
  bench.link->run();
  CHECK(bench.story.take() == Events{"second start", "first destroyed"});
  bench.link->want_turn();
  bench.link->run();
  CHECK(bench.story.take() == Events{"second turn"});
}

TEST_CASE("link turn: none comes to a session whose link is ending") {
  for (const bool cut : {false, true}) {
    CAPTURE(cut);
    TurnBench bench;
    bench.link->want_turn();
    if (cut) bench.link->abort();
    else bench.link->finish();
    bench.link->run();
    CHECK(bench.story.take() == Events{"first ended", "first destroyed"});
    bench.link->want_turn();
    bench.link->run();
    CHECK(bench.story.take().empty());
    CHECK_FALSE(bench.link->scheduled());
  }
}
