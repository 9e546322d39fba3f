#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "unit/http/exchange_states.h"

// Calls from within the handler and the responder, and cases of more than one event.

namespace {

using namespace wharf;
using namespace wharf::test;
using session::Exchange;

/// A callback, and its cause.
struct Callback {
  std::string_view name;
  std::string_view request;
  ExchangeRecord::Deed in_handle;
  std::function<void(ExchangeBench&)> provoke;
};

void nothing_more(ExchangeBench& /*bench*/) {}
void write_and_hold(Exchange& exchange) {
  begin(exchange);
  write_too_much(exchange);
}

const std::vector<Callback> callbacks{
    {"handle", get_request, {}, nothing_more},
    {"body", post_request, read_body, [](ExchangeBench& bench) { bench.link->receive("piece"); }},
    {"body_end", post_request, read_body, [](ExchangeBench& bench) { bench.link->receive("rest"); }},
    {"body_end, none", get_request, {}, nothing_more},
    {"tick", get_request, [](Exchange& exchange) { exchange.tick_every(base::Time{1000}); },
     [](ExchangeBench& bench) { bench.advance(1); }},
    {"drained", get_request, write_and_hold,
     [](ExchangeBench& bench) {
       bench.link->set_window(session::MemoryLink::unlimited);
       bench.run();
     }},
};

struct Call {
  std::string_view name;
  ExchangeRecord::Deed deed;
};

const std::vector<Call> calls{
    {"respond", respond},
    {"in pieces",
     [](Exchange& exchange) {
       begin(exchange);
       exchange.write("abc");
       exchange.end();
     }},
    {"from source", respond_from_source},
    {"abort", [](Exchange& exchange) { exchange.abort(); }},
    {"switch_to", switch_over},
    {"resume", go_on},
};

struct Row {
  std::string_view callback;
  std::string_view call;
  std::string_view stage;
  std::string_view acts;  ///< from that callback on
};

// clang-format off
constexpr auto rows = std::to_array<Row>({
    {"handle",         "respond",     "idle",     "handle, head 200 3, ended 200+3, observed 200+3, next"},
    {"handle",         "in pieces",   "idle",     "handle, head 200 open, piece, end, ended 200+3, observed 200+3, next"},
    {"handle",         "from source", "idle",     "handle, head 200 60, body_end, intake, ended 200+60, observed 200+60, next"},
    {"handle",         "abort",       "gone",     "handle, reset response_broken, intake, ended 0+0 broken, observed 0+0 broken"},
    {"handle",         "switch_to",   "gone",     "handle, switch echo, ended 101+0, observed 101+0"},
    {"handle",         "resume",      "open",     "handle, body_end, intake, go_on, body_end, intake"},

    {"body",           "respond",     "dropping", "body a, head 200 3, ended 200+3, observed 200+3, intake"},
    {"body",           "in pieces",   "dropping", "body a, head 200 open, piece, end, ended 200+3, observed 200+3, intake"},
    {"body",           "from source", "dropping", "body a, head 200 60, ended 200+60, observed 200+60, intake"},
    {"body",           "abort",       "gone",     "body a, reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"body",           "switch_to",   "gone",     "body a, switch echo, ended 101+0, observed 101+0"},
    {"body",           "resume",      "open",     "body a, go_on, intake"},

    {"body_end",       "respond",     "idle",     "body_end, head 200 3, ended 200+3, observed 200+3, next"},
    {"body_end",       "in pieces",   "idle",     "body_end, head 200 open, piece, end, ended 200+3, observed 200+3, next"},
    {"body_end",       "from source", "idle",     "body_end, head 200 60, intake, ended 200+60, observed 200+60, next"},
    {"body_end",       "abort",       "gone",     "body_end, reset response_broken, intake, ended 0+0 broken, observed 0+0 broken"},
    {"body_end",       "switch_to",   "gone",     "body_end, switch echo, ended 101+0, observed 101+0"},
    {"body_end",       "resume",      "open",     "body_end, intake, go_on, body_end, intake"},

    {"body_end, none", "respond",     "idle",     "body_end, head 200 3, ended 200+3, observed 200+3, next"},
    {"body_end, none", "in pieces",   "idle",     "body_end, head 200 open, piece, end, ended 200+3, observed 200+3, next"},
    {"body_end, none", "from source", "idle",     "body_end, head 200 60, intake, ended 200+60, observed 200+60, next"},
    {"body_end, none", "abort",       "gone",     "body_end, reset response_broken, intake, ended 0+0 broken, observed 0+0 broken"},
    {"body_end, none", "switch_to",   "gone",     "body_end, switch echo, ended 101+0, observed 101+0"},
    {"body_end, none", "resume",      "open",     "body_end, intake, go_on, body_end, intake"},

    {"tick",           "respond",     "idle",     "tick, head 200 3, ended 200+3, observed 200+3, next"},
    {"tick",           "in pieces",   "idle",     "tick, head 200 open, piece, end, ended 200+3, observed 200+3, next"},
    {"tick",           "from source", "idle",     "tick, head 200 60, ended 200+60, observed 200+60, next"},
    {"tick",           "abort",       "gone",     "tick, reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"tick",           "switch_to",   "gone",     "tick, switch echo, ended 101+0, observed 101+0"},
    {"tick",           "resume",      "open",     "tick, go_on, body_end, intake"},

    {"drained",        "respond",     "open",     "drained"},
    {"drained",        "in pieces",   "idle",     "drained, piece, end, ended 200+53, observed 200+53, next"},
    {"drained",        "from source", "open",     "drained"},
    {"drained",        "abort",       "gone",     "drained, reset response_broken, ended 200+50 broken, observed 200+50 broken"},
    {"drained",        "switch_to",   "open",     "drained"},
    {"drained",        "resume",      "open",     "drained"},
});
// clang-format on

void check_within(const Callback& callback, const Call& call, const Row& row) {
  CAPTURE(row.callback);
  CAPTURE(row.call);
  const std::string name(callback.name.substr(0, callback.name.find(',')));
  ExchangeBench bench;
  bench.link->set_window(name == "drained" ? 0 : session::MemoryLink::unlimited);
  bench.record.deeds[name] = call.deed;
  bench.record.deeds["handle"] = [&](Exchange& exchange) {
    wait(exchange);
    if (const auto& deed = name == "handle" ? call.deed : callback.in_handle) deed(exchange);
  };
  bench.link->receive(callback.request);
  callback.provoke(bench);
  const std::string acts = bench.record.take();
  const std::size_t from = acts.find(name);
  REQUIRE(from != acts.npos);
  CHECK(bench.stage() == row.stage);
  CHECK(acts.substr(from) == row.acts);
  check_ends(bench, ExchangeBench::With::responder);
}

}  // namespace

TEST_CASE("exchange within: calls from within each callback, and the callbacks that follow") {
  REQUIRE(rows.size() == callbacks.size() * calls.size());
  auto row = rows.begin();
  for (const Callback& callback : callbacks)
    for (const Call& call : calls) {
      REQUIRE(row->callback == callback.name);
      REQUIRE(row->call == call.name);
      check_within(callback, call, *row++);
    }
}

TEST_CASE("exchange within: each of a link's exchanges has its own end, once") {
  ExchangeBench bench;
  bench.link->receive(get_request);
  bench.call(respond);
  bench.record.deeds["handle"] = respond;
  bench.link->receive(get_request);
  bench.link->receive(get_request);
  CHECK(bench.record.take() ==
        "handle, body_end, intake, head 200 3, intake, ended 200+3, observed 200+3, next, "
        "handle, head 200 3, ended 200+3, observed 200+3, next, handle, body_end, intake");
  check_ends(bench, ExchangeBench::With::responder);
  CHECK(bench.record.observers_ended == 3);
}

TEST_CASE("exchange within: a body that nobody wants ends the connection with the first byte beyond dropped_body") {
  ExchangeBench bench;
  bench.record.deeds["handle"] = respond;
  bench.link->receive(post_request);
  for (int i = 0; i < 5; ++i) bench.link->receive("piece");
  CHECK(bench.record.take() == "handle, head 200 3, ended 200+3, observed 200+3, intake");
  CHECK(bench.stage() == "dropping");
  bench.link->receive("piece");
  CHECK(bench.record.take() == "make_last body_unwanted, next");
  check_ends(bench, ExchangeBench::With::responder);
}

TEST_CASE("exchange within: an expectation that is not known is refused, and no handler is asked") {
  ExchangeBench bench;
  bench.link->receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: more\r\n\r\n");
  CHECK(bench.record.take() == "make_last request_broken, head 417 56, refused 417+56, next");
  CHECK(bench.record.observers_made == 0);
}

TEST_CASE("exchange within: the request is kept if its bytes were lent only for a call") {
  ExchangeBench bench;
  bench.link->receive("GET /kept HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(bench.record.exchange != nullptr);
  CHECK(bench.record.exchange->request().target == "/kept");
  CHECK(bench.record.exchange->request().field("host") == "a");

  ExchangeBench from_source;  // and a responder may look at it until the end of the response
  from_source.record.deeds["handle"] = respond_from_source;
  from_source.link->set_window(0);
  from_source.link->receive("GET /kept HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(from_source.stage() == "open");
  CHECK(from_source.record.exchange->request().target == "/kept");
}

TEST_CASE("exchange within: after abort() nothing more is queued, whatever is called next") {
  for (const bool begun : {false, true}) {
    ExchangeBench bench;
    bench.record.deeds["handle"] = [begun](Exchange& exchange) {
      if (begun) begin(exchange);
    };
    bench.link->receive(get_request);
    bench.record.take();
    bench.record.call([](Exchange& exchange) {
      exchange.abort();
      CHECK(exchange.inform(103, {}) == session::Flow::closed);
      CHECK(exchange.write("abc") == session::Flow::closed);
      exchange.end();
    });
    CHECK(bench.record.take() == "reset response_broken");
    CHECK(bench.link->out().empty());
  }
  ExchangeBench bench;  // nor is a source read
  bench.record.deeds["handle"] = [](Exchange& exchange) {
    exchange.abort();
    respond_from_source(exchange);
  };
  bench.link->receive(get_request);
  CHECK(bench.record.take().ends_with("ended 200+0 broken, observed 200+0 broken"));
}

TEST_CASE("exchange within: the responder that waited is destroyed without ended(), once for each wait; observers stay") {
  ExchangeBench bench;
  bench.record.deeds["handle"] = wait;
  bench.record.deeds["go_on"] = [](Exchange& exchange) {
    CHECK(exchange.visit() == nullptr);
    wait(exchange);
  };
  bench.link->receive(get_request);
  bench.record.take();
  const codec::RequestHead* const head = &bench.record.exchange->request();
  for (int i = 0; i < 2; ++i) {
    bench.record.call(go_on);
    bench.record.call(go_on);
    CHECK(bench.record.take().empty());  // on a fresh stack, not from within the call
    bench.run();
    CHECK(bench.record.take() == "go_on, body_end, intake");
    CHECK(&bench.record.exchange->request() == head);  // it is kept once, for views of it are valid as long as the exchange
  }
  bench.call(go_on);
  CHECK(bench.record.take().empty());
  CHECK(bench.record.responders == 1);
  CHECK(bench.record.responders_ended == 0);
  CHECK(bench.record.observers_made == 1);
  check_ends(bench, ExchangeBench::With::responder);
}

TEST_CASE("exchange within: a responder that responded after resume() was replaced and never heard of the end") {
  for (const ExchangeRecord::Deed& answer : std::vector<ExchangeRecord::Deed>{respond, begin, respond_from_source}) {
    ExchangeBench bench;
    bench.record.deeds["handle"] = wait;
    bench.link->receive(get_request);
    bench.link->set_window(0);
    bench.record.call(go_on);
    bench.record.call(answer);
    bench.record.take();
    bench.run();
    CHECK(bench.record.take().empty());
    CHECK(bench.record.responders == 1);
    check_ends(bench, ExchangeBench::With::responder);
  }
}

TEST_CASE("exchange within: what is queued from outside all calls leaves by itself, and not only behind something else") {
  struct Case {
    std::string_view name;
    std::string_view request;
    ExchangeRecord::Deed in_handle;
    ExchangeRecord::Deed deed;
  };
  const auto write = [](Exchange& exchange) { exchange.write("abc"); };
  const auto end = [](Exchange& exchange) { exchange.end(); };
  for (const Case& each : std::vector<Case>{{"respond", get_request, {}, respond},
                                            {"respond to HEAD", head_request, {}, respond},
                                            {"from source", get_request, {}, respond_from_source},
                                            {"begin", get_request, {}, begin},
                                            {"begin for HEAD", head_request, {}, begin},
                                            {"write", get_request, begin, write},
                                            {"end", get_request, begin, end},
                                            {"inform", get_request, {}, [](Exchange& exchange) { exchange.inform(103, {}); }},
                                            {"switch_to", get_request, {}, switch_over}})
    for (const auto with : {ExchangeBench::With::responder, ExchangeBench::With::nobody}) {
      CAPTURE(each.name);
      ExchangeBench bench(with);
      bench.record.deeds["handle"] = each.in_handle;
      bench.link->receive(each.request);
      REQUIRE(bench.link->out().empty());
      REQUIRE_FALSE(bench.link->scheduled());
      bench.record.call(each.deed);
      CHECK_FALSE(bench.link->out().empty());
      CHECK(bench.link->scheduled());
      bench.run();
      check_ends(bench, with);
    }
}

TEST_CASE("exchange within: a switch whose next session cannot be made cuts the connection") {
  ExchangeBench bench;
  bench.link->receive(get_request);
  bench.record.take();
  bench.record.call([](Exchange& exchange) {
    CHECK_THROWS_AS(
        exchange.switch_to("echo", {}, [](session::Link&) -> std::unique_ptr<session::Session> { throw std::bad_alloc(); }),
        std::bad_alloc);
  });
  CHECK(bench.link->ending());
  bench.run();
  CHECK(bench.record.take() == "switch echo, ended 101+0, observed 101+0");
  check_ends(bench, ExchangeBench::With::responder);
}
