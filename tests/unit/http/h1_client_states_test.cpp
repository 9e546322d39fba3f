#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "unit/http/h1_client_bench.h"

// Each event in each stage of the client's side of HTTP/1.

namespace {

using namespace wharf;
using namespace wharf::test;
using session::Flow;

struct State {
  std::string_view name;
  std::function<void(ClientBench&)> bring;
};

constexpr std::string_view with_length = "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n";

ClientBench::Request long_post() { return ClientBench::post(codec::BodyFraming::length, 5); }

std::function<void(ClientBench&)> said(std::string_view bytes, Flow flow = Flow::go) {
  return [bytes, flow](ClientBench& bench) {
    bench.ask();
    bench.flow = flow;
    bench.say(bytes);
  };
}

const std::vector<State> states{
    {"idle", [](ClientBench&) {}},
    {"asked", [](ClientBench& bench) { bench.ask(); }},
    {"asked, sending", [](ClientBench& bench) { bench.ask(long_post()); }},
    {"part of a head", said("HTTP/1.1 20")},
    {"interim", said("HTTP/1.1 102 x\r\n\r\n")},
    {"interim, held", said("HTTP/1.1 102 x\r\n\r\n", Flow::hold)},
    {"length", said("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nabc")},
    {"length, sending",
     [](ClientBench& bench) {
       bench.ask(long_post());
       bench.say(with_length);
       bench.say("abc");
     }},
    {"length, held", said("HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\nabc", Flow::hold)},
    {"length, last", said("HTTP/1.1 200 x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabc")},
    {"chunks", said("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")},
    {"until close", said("HTTP/1.1 200 x\r\n\r\nabc")},
};

const std::vector<State> events{
    {"head", [](ClientBench& bench) { bench.say("HTTP/1.1 204 x\r\n\r\n"); }},
    {"interim", [](ClientBench& bench) { bench.say("HTTP/1.1 103 x\r\n\r\n"); }},
    {"101", [](ClientBench& bench) { bench.say("HTTP/1.1 101 x\r\n\r\n"); }},
    {"101, taken",
     [](ClientBench& bench) {
       bench.upgrade = session::ResponseReceiver::Upgrade::taken;
       bench.say("HTTP/1.1 101 x\r\n\r\n");
     }},
    {"two bytes", [](ClientBench& bench) { bench.say("de"); }},
    {"unwanted bytes",
     [](ClientBench& bench) {
       bench.flow = Flow::closed;
       bench.say("de");
     }},
    {"a byte, held",
     [](ClientBench& bench) {
       bench.flow = Flow::hold;
       bench.say("d");
     }},
    {"room",
     [](ClientBench& bench) {
       bench.link.want_room();
       bench.link.touch();
       bench.link.run();
     }},
    {"end", [](ClientBench& bench) { bench.link.receive_end(); }},
    {"cut",
     [](ClientBench& bench) {
       bench.link.abort();
       bench.link.run();
     }},
    {"cancel",
     [](ClientBench& bench) {
       bench.client->cancel();
       bench.link.run();
     }},
    {"resume",
     [](ClientBench& bench) {
       bench.flow = Flow::go;
       bench.client->resume_response();
       bench.link.run();
     }},
    {"request's end",
     [](ClientBench& bench) {
       bench.client->end_request();
       bench.link.run();
     }},
    {"deadline",
     [](ClientBench& bench) {
       if (bench.link.due() != base::never) bench.now = bench.link.due();
       bench.link.run();
     }},
    {"shut down",
     [](ClientBench& bench) {
       bench.link.server_stops();
       bench.link.run();
     }},
};

struct Row {
  std::string_view state;
  std::string_view event;
  std::string_view stage;
  std::string_view told;
};

// clang-format off
constexpr auto rows = std::to_array<Row>({
    {"idle",            "head",            "gone",   "idle_ended"},
    {"idle",            "interim",         "gone",   "idle_ended"},
    {"idle",            "101",             "gone",   "idle_ended"},
    {"idle",            "101, taken",      "gone",   "idle_ended"},
    {"idle",            "two bytes",       "gone",   "idle_ended"},
    {"idle",            "unwanted bytes",  "gone",   "idle_ended"},
    {"idle",            "a byte, held",    "gone",   "idle_ended"},
    {"idle",            "room",            "idle",   ""},
    {"idle",            "end",             "gone",   "idle_ended"},
    {"idle",            "cut",             "gone",   "idle_ended"},
    {"idle",            "cancel",          "gone",   ""},
    {"idle",            "resume",          "idle",   ""},
    {"idle",            "request's end",   "idle",   ""},
    {"idle",            "deadline",        "gone",   "idle_ended"},
    {"idle",            "shut down",       "gone",   "idle_ended"},

    {"asked",           "head",            "idle",   "begins 204, ends, idle"},
    {"asked",           "interim",         "head",   "interim 103"},
    {"asked",           "101",             "gone",   "switches, fails malformed"},
    {"asked",           "101, taken",      "gone",   "switches"},
    {"asked",           "two bytes",       "gone",   "fails malformed"},
    {"asked",           "unwanted bytes",  "gone",   "fails malformed"},
    {"asked",           "a byte, held",    "gone",   "fails malformed"},
    {"asked",           "room",            "asked",  "room"},
    {"asked",           "end",             "gone",   "fails closed"},
    {"asked",           "cut",             "gone",   "fails closed"},
    {"asked",           "cancel",          "gone",   ""},
    {"asked",           "resume",          "asked",  ""},
    {"asked",           "request's end",   "asked",  ""},
    {"asked",           "deadline",        "gone",   "fails late"},
    {"asked",           "shut down",       "asked",  ""},

    {"asked, sending",  "head",            "gone",   "begins 204, ends"},
    {"asked, sending",  "interim",         "head",   "interim 103"},
    {"asked, sending",  "101",             "gone",   "switches, fails malformed"},
    {"asked, sending",  "101, taken",      "gone",   "switches"},
    {"asked, sending",  "two bytes",       "gone",   "fails malformed"},
    {"asked, sending",  "unwanted bytes",  "gone",   "fails malformed"},
    {"asked, sending",  "a byte, held",    "gone",   "fails malformed"},
    {"asked, sending",  "room",            "asked",  "room"},
    {"asked, sending",  "end",             "gone",   "fails closed"},
    {"asked, sending",  "cut",             "gone",   "fails closed"},
    {"asked, sending",  "cancel",          "gone",   ""},
    {"asked, sending",  "resume",          "asked",  ""},
    {"asked, sending",  "request's end",   "asked",  ""},
    {"asked, sending",  "deadline",        "asked",  ""},
    {"asked, sending",  "shut down",       "asked",  ""},

    {"part of a head",  "head",            "gone",   "fails malformed"},
    {"part of a head",  "interim",         "gone",   "fails malformed"},
    {"part of a head",  "101",             "gone",   "fails malformed"},
    {"part of a head",  "101, taken",      "gone",   "fails malformed"},
    {"part of a head",  "two bytes",       "head",   ""},
    {"part of a head",  "unwanted bytes",  "head",   ""},
    {"part of a head",  "a byte, held",    "head",   ""},
    {"part of a head",  "room",            "head",   "room"},
    {"part of a head",  "end",             "gone",   "fails cut"},
    {"part of a head",  "cut",             "gone",   "fails cut"},
    {"part of a head",  "cancel",          "gone",   ""},
    {"part of a head",  "resume",          "head",   ""},
    {"part of a head",  "request's end",   "head",   ""},
    {"part of a head",  "deadline",        "gone",   "fails late"},
    {"part of a head",  "shut down",       "head",   ""},

    {"interim",         "head",            "idle",   "begins 204, ends, idle"},
    {"interim",         "interim",         "head",   "interim 103"},
    {"interim",         "101",             "gone",   "switches, fails malformed"},
    {"interim",         "101, taken",      "gone",   "switches"},
    {"interim",         "two bytes",       "gone",   "fails malformed"},
    {"interim",         "unwanted bytes",  "gone",   "fails malformed"},
    {"interim",         "a byte, held",    "gone",   "fails malformed"},
    {"interim",         "room",            "head",   "room"},
    {"interim",         "end",             "gone",   "fails cut"},
    {"interim",         "cut",             "gone",   "fails cut"},
    {"interim",         "cancel",          "gone",   ""},
    {"interim",         "resume",          "head",   ""},
    {"interim",         "request's end",   "head",   ""},
    {"interim",         "deadline",        "gone",   "fails late"},
    {"interim",         "shut down",       "head",   ""},

    {"interim, held",   "head",            "head",   ""},
    {"interim, held",   "interim",         "head",   ""},
    {"interim, held",   "101",             "head",   ""},
    {"interim, held",   "101, taken",      "head",   ""},
    {"interim, held",   "two bytes",       "head",   ""},
    {"interim, held",   "unwanted bytes",  "head",   ""},
    {"interim, held",   "a byte, held",    "head",   ""},
    {"interim, held",   "room",            "head",   "room"},
    {"interim, held",   "end",             "head",   ""},
    {"interim, held",   "cut",             "gone",   "fails cut"},
    {"interim, held",   "cancel",          "gone",   ""},
    {"interim, held",   "resume",          "head",   ""},
    {"interim, held",   "request's end",   "head",   ""},
    {"interim, held",   "deadline",        "gone",   "fails late"},
    {"interim, held",   "shut down",       "head",   ""},

    {"length",          "head",            "gone",   "piece HT, ends, idle, idle_ended"},
    {"length",          "interim",         "gone",   "piece HT, ends, idle, idle_ended"},
    {"length",          "101",             "gone",   "piece HT, ends, idle, idle_ended"},
    {"length",          "101, taken",      "gone",   "piece HT, ends, idle, idle_ended"},
    {"length",          "two bytes",       "idle",   "piece de, ends, idle"},
    {"length",          "unwanted bytes",  "gone",   "piece de"},
    {"length",          "a byte, held",    "body",   "piece d"},
    {"length",          "room",            "body",   "room"},
    {"length",          "end",             "gone",   "fails cut"},
    {"length",          "cut",             "gone",   "fails cut"},
    {"length",          "cancel",          "gone",   ""},
    {"length",          "resume",          "body",   ""},
    {"length",          "request's end",   "body",   ""},
    {"length",          "deadline",        "gone",   "fails cut"},
    {"length",          "shut down",       "body",   ""},

    {"length, sending", "head",            "gone",   "piece HT, ends"},
    {"length, sending", "interim",         "gone",   "piece HT, ends"},
    {"length, sending", "101",             "gone",   "piece HT, ends"},
    {"length, sending", "101, taken",      "gone",   "piece HT, ends"},
    {"length, sending", "two bytes",       "gone",   "piece de, ends"},
    {"length, sending", "unwanted bytes",  "gone",   "piece de"},
    {"length, sending", "a byte, held",    "body",   "piece d"},
    {"length, sending", "room",            "body",   "room"},
    {"length, sending", "end",             "gone",   "fails cut"},
    {"length, sending", "cut",             "gone",   "fails cut"},
    {"length, sending", "cancel",          "gone",   ""},
    {"length, sending", "resume",          "body",   ""},
    {"length, sending", "request's end",   "body",   ""},
    {"length, sending", "deadline",        "gone",   "fails cut"},
    {"length, sending", "shut down",       "body",   ""},

    {"length, held",    "head",            "body",   ""},
    {"length, held",    "interim",         "body",   ""},
    {"length, held",    "101",             "body",   ""},
    {"length, held",    "101, taken",      "body",   ""},
    {"length, held",    "two bytes",       "body",   ""},
    {"length, held",    "unwanted bytes",  "body",   ""},
    {"length, held",    "a byte, held",    "body",   ""},
    {"length, held",    "room",            "body",   "room"},
    {"length, held",    "end",             "body",   ""},
    {"length, held",    "cut",             "gone",   "fails cut"},
    {"length, held",    "cancel",          "gone",   ""},
    {"length, held",    "resume",          "body",   ""},
    {"length, held",    "request's end",   "body",   ""},
    {"length, held",    "deadline",        "body",   ""},
    {"length, held",    "shut down",       "body",   ""},

    {"length, last",    "head",            "gone",   "piece HT, ends"},
    {"length, last",    "interim",         "gone",   "piece HT, ends"},
    {"length, last",    "101",             "gone",   "piece HT, ends"},
    {"length, last",    "101, taken",      "gone",   "piece HT, ends"},
    {"length, last",    "two bytes",       "gone",   "piece de, ends"},
    {"length, last",    "unwanted bytes",  "gone",   "piece de"},
    {"length, last",    "a byte, held",    "body",   "piece d"},
    {"length, last",    "room",            "body",   "room"},
    {"length, last",    "end",             "gone",   "fails cut"},
    {"length, last",    "cut",             "gone",   "fails cut"},
    {"length, last",    "cancel",          "gone",   ""},
    {"length, last",    "resume",          "body",   ""},
    {"length, last",    "request's end",   "body",   ""},
    {"length, last",    "deadline",        "gone",   "fails cut"},
    {"length, last",    "shut down",       "body",   ""},

    {"chunks",          "head",            "gone",   "piece HT, fails malformed"},
    {"chunks",          "interim",         "gone",   "piece HT, fails malformed"},
    {"chunks",          "101",             "gone",   "piece HT, fails malformed"},
    {"chunks",          "101, taken",      "gone",   "piece HT, fails malformed"},
    {"chunks",          "two bytes",       "body",   "piece de"},
    {"chunks",          "unwanted bytes",  "gone",   "piece de"},
    {"chunks",          "a byte, held",    "body",   "piece d"},
    {"chunks",          "room",            "body",   "room"},
    {"chunks",          "end",             "gone",   "fails cut"},
    {"chunks",          "cut",             "gone",   "fails cut"},
    {"chunks",          "cancel",          "gone",   ""},
    {"chunks",          "resume",          "body",   ""},
    {"chunks",          "request's end",   "body",   ""},
    {"chunks",          "deadline",        "gone",   "fails cut"},
    {"chunks",          "shut down",       "body",   ""},

    {"until close",     "head",            "body",   "piece HTTP/1.1 204 x\r\n\r\n"},
    {"until close",     "interim",         "body",   "piece HTTP/1.1 103 x\r\n\r\n"},
    {"until close",     "101",             "body",   "piece HTTP/1.1 101 x\r\n\r\n"},
    {"until close",     "101, taken",      "body",   "piece HTTP/1.1 101 x\r\n\r\n"},
    {"until close",     "two bytes",       "body",   "piece de"},
    {"until close",     "unwanted bytes",  "gone",   "piece de"},
    {"until close",     "a byte, held",    "body",   "piece d"},
    {"until close",     "room",            "body",   "room"},
    {"until close",     "end",             "gone",   "ends"},
    {"until close",     "cut",             "gone",   "fails cut"},
    {"until close",     "cancel",          "gone",   ""},
    {"until close",     "resume",          "body",   ""},
    {"until close",     "request's end",   "body",   ""},
    {"until close",     "deadline",        "gone",   "fails cut"},
    {"until close",     "shut down",       "body",   ""},
});
// clang-format on

/// Owner and receiver hear of the end now unless they have heard of it already, and neither hears of it twice.
void check_ends(ClientBench& bench, int receivers) {
  const std::string stage(bench.stage());
  bench.within = nullptr;
  bench.flow = Flow::go;
  const int before = bench.ends;
  bench.link.abort();
  bench.link.run();
  const std::string told = bench.take();
  if (stage == "idle") CHECK(told == "idle_ended");
  else if (stage == "gone") CHECK(told.empty());
  else CHECK(told == (stage == "asked" ? "fails closed" : "fails cut"));
  CHECK(bench.stage() == "gone");
  CHECK(bench.gone == 1);
  CHECK(bench.ends <= receivers);
  CHECK(bench.ends - before == (stage == "idle" || stage == "gone" ? 0 : 1));
}

}  // namespace

TEST_CASE("h1 client: each event in each stage") {
  REQUIRE(rows.size() == states.size() * events.size());
  auto row = rows.begin();
  for (const State& state : states)
    for (const State& event : events) {
      CAPTURE(state.name);
      CAPTURE(event.name);
      REQUIRE(row->state == state.name);
      REQUIRE(row->event == event.name);
      ClientBench bench;
      state.bring(bench);
      bench.take();
      event.bring(bench);
      CHECK(bench.stage() == row->stage);
      CHECK(bench.take() == row->told);
      check_ends(bench, state.name == "idle" ? 0 : 1);
      ++row;
    }
}

TEST_CASE("h1 client: a receiver that cancels from within any call hears no more") {
  struct Case {
    std::string_view bytes;
    std::string_view told;
  };
  for (const Case& each :
       {Case{"HTTP/1.1 102 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n", "interim 102"}, Case{"HTTP/1.1 101 x\r\n\r\n", "switches"},
        Case{"HTTP/1.1 204 x\r\n\r\n", "begins 204"}, Case{"HTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\nabc", "begins 200 3"},
        Case{"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "begins 200"}}) {
    CAPTURE(each.bytes);
    ClientBench bench;
    bench.ask();
    bench.take();
    bench.within = [&bench] { bench.client->cancel(); };
    bench.say(each.bytes);
    CHECK(bench.take() == each.told);
    CHECK(bench.stage() == "gone");
    CHECK(bench.link.was_aborted());
  }
  for (const Flow flow : {Flow::go, Flow::hold, Flow::closed}) {
    ClientBench bench;
    bench.ask();
    bench.say(with_length);
    bench.take();
    bench.flow = flow;
    bench.within = [&bench] { bench.client->cancel(); };
    bench.say("abcde");
    CHECK(bench.take() == "piece abcde");
    CHECK(bench.stage() == "gone");
  }
}
