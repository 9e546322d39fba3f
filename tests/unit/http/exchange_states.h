#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unit/http/exchange_bench.h"

// The stages of an exchange with their states, and tables of what an event does in each.

namespace wharf::test {

inline constexpr std::string_view get_request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
inline constexpr std::string_view head_request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
inline constexpr std::string_view post_request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
inline constexpr std::string_view long_request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";  // than is dropped
inline constexpr std::string_view expecting_request =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

inline session::Response answer_of(std::string_view body) {
  session::Response response;
  response.body = body;
  return response;
}
inline session::Response answer_from_source(std::size_t size) {
  session::Response response;
  response.source = std::make_unique<Tens>(size);
  return response;
}

inline void respond(session::Exchange& exchange) { exchange.respond(answer_of("abc")); }
inline void respond_from_source(session::Exchange& exchange) { exchange.respond(answer_from_source(60)); }
inline void begin(session::Exchange& exchange) { exchange.begin({}, std::nullopt); }
inline void begin_sized(session::Exchange& exchange) { exchange.begin({}, 2); }
inline void write_too_much(session::Exchange& exchange) { exchange.write(std::string(50, 'w')); }
inline void read_body(session::Exchange& exchange) { exchange.read_body(); }
inline void pause_body(session::Exchange& exchange) { exchange.pause_body(); }
inline void switch_over(session::Exchange& exchange) {
  ExchangeRecord& record = static_cast<PlainFraming&>(exchange).record();
  exchange.switch_to("echo", {}, [&record](session::Link&) { return std::make_unique<Follower>(record); });
}

inline void wait(session::Exchange& exchange) {
  exchange.suspend(std::make_unique<RecordingVisit>(static_cast<PlainFraming&>(exchange).record()));
}
inline void go_on(session::Exchange& exchange) { exchange.resume(); }

/// How an exchange gets into a state: a request, what is done within handle(), what comes of the body, and then what is done from
/// outside.
struct ExchangeState {
  std::string_view name;
  std::string_view request;
  std::vector<ExchangeRecord::Deed> in_handle;
  std::vector<ExchangeRecord::Deed> behind;
  ExchangeBench::With with = ExchangeBench::With::responder;
  std::size_t window = session::MemoryLink::unlimited;  ///< how much of the response the client takes
  std::string_view body = {};                           ///< what comes of the request's body after handle()
};

inline const std::vector<ExchangeState>& exchange_states() {
  using With = ExchangeBench::With;
  static const std::vector<ExchangeState> all{
      {"idle", "", {}, {}},
      // open, without a response: all of the body has come, or nobody has asked for it, or it is being read
      {"all came", get_request, {}, {}},
      {"nobody", get_request, {}, {}, With::nobody},
      {"unasked", post_request, {}, {}},
      {"unasked long", long_request, {}, {}},
      {"expected", expecting_request, {}, {}},
      {"reading", post_request, {read_body}, {}},
      {"reading long", long_request, {read_body}, {}},
      {"asked for later", post_request, {}, {read_body}},
      {"paused", post_request, {read_body, pause_body}, {}},
      // open, and suspended
      {"waiting", get_request, {wait}, {}},
      {"waiting, unasked", post_request, {wait}, {}},
      {"waiting, nobody", get_request, {wait}, {}, With::nobody},
      {"about to go on", get_request, {wait}, {go_on}},
      // open, with a response under way
      {"in pieces", get_request, {begin}, {}},
      {"in two bytes", get_request, {begin_sized}, {}},
      {"told to hold", get_request, {begin, write_too_much}, {}, With::responder, 0},
      {"pieces, unasked", post_request, {begin}, {}},
      {"pieces, expected", expecting_request, {begin}, {}},
      {"pieces, reading", post_request, {read_body, begin}, {}},
      {"pieces, all read", post_request, {read_body, begin}, {}, With::responder, session::MemoryLink::unlimited, "rest"},
      {"without body", head_request, {begin}, {}},
      {"from source", get_request, {respond_from_source}, {}, With::responder, 0},
      {"source, reading", post_request, {read_body, respond_from_source}, {}, With::responder, 0},
      {"source, nobody", get_request, {respond_from_source}, {}, With::nobody, 0},
      // open, with a response from outside a call that the client does not take
      {"complete", get_request, {}, {respond}, With::responder, 0},
      {"complete, reading", post_request, {read_body}, {respond}, With::responder, 0},
      {"complete, unread", post_request, {}, {respond}, With::responder, 0},
      // behind that
      {"dropping", post_request, {respond}, {}},
      {"switched", get_request, {}, {switch_over}},
  };
  return all;
}

/// Leaves the turn in which the last call was made unfinished.
inline void bring_to(ExchangeBench& bench, const ExchangeState& state) {
  bench.link->set_window(state.window);
  bench.record.deeds["handle"] = [&state](session::Exchange& exchange) {
    for (const auto& deed : state.in_handle) deed(exchange);
  };
  if (!state.request.empty()) bench.link->receive(state.request);
  if (!state.body.empty()) bench.link->receive(state.body);
  for (const auto& deed : state.behind) bench.record.call(deed);
  bench.record.take();
}

struct ExchangeEvent {
  std::string_view name;
  std::function<void(ExchangeBench&)> happen;
};

/// What an event does in a state: the stage that it leads to, and all acts and callbacks in their order.
struct ExchangeRow {
  std::string_view state;
  std::string_view event;
  std::string_view stage;
  std::string_view acts;
};

/// Cuts the link, unless it has gone: those who have not heard of the end hear of it now, and nobody hears of it twice.
inline void check_ends(ExchangeBench& bench, ExchangeBench::With with) {
  const bool responder = with == ExchangeBench::With::responder;
  const std::string stage = bench.stage();
  bench.record.take();
  if (bench.link) bench.link->abort();
  bench.run();
  const std::string last = bench.record.take();
  if (stage == "open") CHECK(last.starts_with(responder ? "ended " : "observed "));
  else CHECK(last.empty());
  CHECK(bench.stage() == "gone");
  CHECK(bench.record.visits == 0);
  CHECK(bench.record.responders == 0);
  CHECK(bench.record.observers == 0);
  const int exchanges = bench.record.observers_made;
  CHECK(bench.record.observers_ended == exchanges);
  CHECK(bench.record.responders_ended == (responder ? exchanges : 0));
}

/// An exchange that is over has let go of all that was given to it.
inline void check_let_go(const ExchangeBench& bench) {
  if (bench.stage() != "open") {
    CHECK(bench.record.visits == 0);
    CHECK(bench.record.responders == 0);
    CHECK(bench.record.observers == 0);
  }
}

inline void check_row(const ExchangeState& state, const ExchangeEvent& event, const ExchangeRow& row) {
  CAPTURE(row.state);
  CAPTURE(row.event);
  ExchangeBench bench(state.with);
  bring_to(bench, state);
  const bool was_open = bench.stage() == "open";
  event.happen(bench);
  const std::string acts = bench.record.take();
  CHECK(bench.stage() == row.stage);
  CHECK((acts.empty() ? "nothing" : acts) == row.acts);
  check_let_go(bench);
  if (bench.link && was_open) CHECK(bench.link->due() > bench.now);  // otherwise it would come again and again
  check_ends(bench, state.with);
}

/// Each event in each state has one row, in that order.
inline void check_table(const std::vector<ExchangeEvent>& events, std::span<const ExchangeRow> rows) {
  REQUIRE(rows.size() == events.size() * exchange_states().size());
  auto row = rows.begin();
  for (const ExchangeState& state : exchange_states())
    for (const ExchangeEvent& event : events) {
      REQUIRE(row->state == state.name);
      REQUIRE(row->event == event.name);
      check_row(state, event, *row++);
    }
}

}  // namespace wharf::test
