#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "unit/http/exchange_states.h"

// The calls of the framing, the link and the clock to an exchange. Those of its responder are in exchange_calls_test.cpp.

namespace {

using namespace wharf;
using namespace wharf::test;

ExchangeEvent comes(std::string_view name, std::string_view bytes) {
  return {name, [bytes](ExchangeBench& bench) { bench.link->receive(bytes); }};
}

const std::vector<ExchangeEvent> events{
    comes("request", get_request),
    comes("no request", "no request\r\n\r\n"),
    comes("piece", "piece"),
    comes("rest", "rest"),
    comes("fault", "fault"),
    {"room",
     [](ExchangeBench& bench) {
       bench.link->set_window(session::MemoryLink::unlimited);
       bench.link->want_room();
       bench.link->touch();
       bench.run();
     }},
    {"turn",
     [](ExchangeBench& bench) {
       bench.link->want_turn();
       bench.run();
     }},
    {"late", [](ExchangeBench& bench) { bench.advance(3600); }},
    {"cut",
     [](ExchangeBench& bench) {
       bench.link->abort();
       bench.run();
     }},
    {"destroyed", [](ExchangeBench& bench) { bench.link.reset(); }},
};

// clang-format off
constexpr auto rows = std::to_array<ExchangeRow>({
    {"idle",              "request",    "open",     "handle, body_end, intake"},
    {"idle",              "no request", "gone",     "make_last request_broken, head 400 3, refused 400+3, next"},
    {"idle",              "piece",      "idle",     "not taken"},
    {"idle",              "rest",       "idle",     "not taken"},
    {"idle",              "fault",      "idle",     "not taken"},
    {"idle",              "room",       "idle",     "nothing"},
    {"idle",              "turn",       "idle",     "nothing"},
    {"idle",              "late",       "idle",     "idle_late"},
    {"idle",              "cut",        "gone",     "nothing"},
    {"idle",              "destroyed",  "gone",     "nothing"},

    {"all came",          "request",    "open",     "not taken"},
    {"all came",          "no request", "open",     "not taken"},
    {"all came",          "piece",      "open",     "not taken"},
    {"all came",          "rest",       "open",     "not taken"},
    {"all came",          "fault",      "open",     "not taken"},
    {"all came",          "room",       "open",     "nothing"},
    {"all came",          "turn",       "open",     "nothing"},
    {"all came",          "late",       "idle",     "head 503 26, ended 503+26, observed 503+26, next"},
    {"all came",          "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"all came",          "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"nobody",            "request",    "open",     "not taken"},
    {"nobody",            "no request", "open",     "not taken"},
    {"nobody",            "piece",      "open",     "not taken"},
    {"nobody",            "rest",       "open",     "not taken"},
    {"nobody",            "fault",      "open",     "not taken"},
    {"nobody",            "room",       "open",     "nothing"},
    {"nobody",            "turn",       "open",     "nothing"},
    {"nobody",            "late",       "idle",     "head 503 26, observed 503+26, next"},
    {"nobody",            "cut",        "gone",     "observed 0+0 broken"},
    {"nobody",            "destroyed",  "gone",     "observed 0+0 broken"},

    {"unasked",           "request",    "open",     "not taken"},
    {"unasked",           "no request", "open",     "not taken"},
    {"unasked",           "piece",      "open",     "not taken"},
    {"unasked",           "rest",       "open",     "not taken"},
    {"unasked",           "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"unasked",           "room",       "open",     "nothing"},
    {"unasked",           "turn",       "open",     "nothing"},
    {"unasked",           "late",       "dropping", "head 503 26, ended 503+26, observed 503+26, intake"},
    {"unasked",           "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"unasked",           "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"unasked long",      "request",    "open",     "not taken"},
    {"unasked long",      "no request", "open",     "not taken"},
    {"unasked long",      "piece",      "open",     "not taken"},
    {"unasked long",      "rest",       "open",     "not taken"},
    {"unasked long",      "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"unasked long",      "room",       "open",     "nothing"},
    {"unasked long",      "turn",       "open",     "nothing"},
    {"unasked long",      "late",       "gone",     "make_last body_unwanted, head 503 26, ended 503+26, observed 503+26, "
                                                    "make_last body_unwanted, next"},
    {"unasked long",      "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"unasked long",      "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"expected",          "request",    "open",     "not taken"},
    {"expected",          "no request", "open",     "not taken"},
    {"expected",          "piece",      "open",     "not taken"},
    {"expected",          "rest",       "open",     "not taken"},
    {"expected",          "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"expected",          "room",       "open",     "nothing"},
    {"expected",          "turn",       "open",     "nothing"},
    {"expected",          "late",       "gone",     "make_last body_unwanted, head 503 26, ended 503+26, observed 503+26, "
                                                    "make_last body_unwanted, next"},
    {"expected",          "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"expected",          "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"reading",           "request",    "open",     "not taken"},
    {"reading",           "no request", "open",     "not taken"},
    {"reading",           "piece",      "open",     "body a"},
    {"reading",           "rest",       "open",     "body_end, intake"},
    {"reading",           "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"reading",           "room",       "open",     "nothing"},
    {"reading",           "turn",       "open",     "nothing"},
    {"reading",           "late",       "gone",     "make_last request_broken, head 408 34, ended 408+34, observed 408+34, next"},
    {"reading",           "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"reading",           "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"reading long",      "request",    "open",     "not taken"},
    {"reading long",      "no request", "open",     "not taken"},
    {"reading long",      "piece",      "open",     "body a"},
    {"reading long",      "rest",       "open",     "body_end, intake"},
    {"reading long",      "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"reading long",      "room",       "open",     "nothing"},
    {"reading long",      "turn",       "open",     "nothing"},
    {"reading long",      "late",       "gone",     "make_last request_broken, head 408 34, ended 408+34, observed 408+34, next"},
    {"reading long",      "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"reading long",      "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"asked for later",   "request",    "open",     "not taken"},
    {"asked for later",   "no request", "open",     "not taken"},
    {"asked for later",   "piece",      "open",     "body a"},
    {"asked for later",   "rest",       "open",     "body_end, intake"},
    {"asked for later",   "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"asked for later",   "room",       "open",     "nothing"},
    {"asked for later",   "turn",       "open",     "nothing"},
    {"asked for later",   "late",       "gone",     "make_last request_broken, head 408 34, ended 408+34, observed 408+34, next"},
    {"asked for later",   "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"asked for later",   "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"paused",            "request",    "open",     "not taken"},
    {"paused",            "no request", "open",     "not taken"},
    {"paused",            "piece",      "open",     "not taken"},
    {"paused",            "rest",       "open",     "not taken"},
    {"paused",            "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"paused",            "room",       "open",     "nothing"},
    {"paused",            "turn",       "open",     "nothing"},
    {"paused",            "late",       "open",     "nothing"},
    {"paused",            "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"paused",            "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"waiting",           "request",    "open",     "not taken"},
    {"waiting",           "no request", "open",     "not taken"},
    {"waiting",           "piece",      "open",     "not taken"},
    {"waiting",           "rest",       "open",     "not taken"},
    {"waiting",           "fault",      "open",     "not taken"},
    {"waiting",           "room",       "open",     "nothing"},
    {"waiting",           "turn",       "open",     "nothing"},
    {"waiting",           "late",       "idle",     "head 503 26, ended 503+26, observed 503+26, next"},
    {"waiting",           "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"waiting",           "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"waiting, unasked",  "request",    "open",     "not taken"},
    {"waiting, unasked",  "no request", "open",     "not taken"},
    {"waiting, unasked",  "piece",      "open",     "not taken"},
    {"waiting, unasked",  "rest",       "open",     "not taken"},
    {"waiting, unasked",  "fault",      "gone",     "make_last request_broken, head 400 3, ended 400+3, observed 400+3, next"},
    {"waiting, unasked",  "room",       "open",     "nothing"},
    {"waiting, unasked",  "turn",       "open",     "nothing"},
    {"waiting, unasked",  "late",       "dropping", "head 503 26, ended 503+26, observed 503+26, intake"},
    {"waiting, unasked",  "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"waiting, unasked",  "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"waiting, nobody",   "request",    "open",     "not taken"},
    {"waiting, nobody",   "no request", "open",     "not taken"},
    {"waiting, nobody",   "piece",      "open",     "not taken"},
    {"waiting, nobody",   "rest",       "open",     "not taken"},
    {"waiting, nobody",   "fault",      "open",     "not taken"},
    {"waiting, nobody",   "room",       "open",     "nothing"},
    {"waiting, nobody",   "turn",       "open",     "nothing"},
    {"waiting, nobody",   "late",       "idle",     "head 503 26, observed 503+26, next"},
    {"waiting, nobody",   "cut",        "gone",     "observed 0+0 broken"},
    {"waiting, nobody",   "destroyed",  "gone",     "observed 0+0 broken"},

    {"about to go on",    "request",    "open",     "go_on, body_end, intake, not taken"},
    {"about to go on",    "no request", "open",     "go_on, body_end, intake, not taken"},
    {"about to go on",    "piece",      "open",     "go_on, body_end, intake, not taken"},
    {"about to go on",    "rest",       "open",     "go_on, body_end, intake, not taken"},
    {"about to go on",    "fault",      "open",     "go_on, body_end, intake, not taken"},
    {"about to go on",    "room",       "open",     "go_on, body_end, intake"},
    {"about to go on",    "turn",       "open",     "go_on, body_end, intake"},
    {"about to go on",    "late",       "open",     "go_on, body_end, intake"},
    {"about to go on",    "cut",        "gone",     "ended 0+0 broken, observed 0+0 broken"},
    {"about to go on",    "destroyed",  "gone",     "ended 0+0 broken, observed 0+0 broken"},

    {"in pieces",         "request",    "open",     "not taken"},
    {"in pieces",         "no request", "open",     "not taken"},
    {"in pieces",         "piece",      "open",     "not taken"},
    {"in pieces",         "rest",       "open",     "not taken"},
    {"in pieces",         "fault",      "open",     "not taken"},
    {"in pieces",         "room",       "open",     "nothing"},
    {"in pieces",         "turn",       "open",     "nothing"},
    {"in pieces",         "late",       "open",     "nothing"},
    {"in pieces",         "cut",        "gone",     "ended 200+0 broken, observed 200+0 broken"},
    {"in pieces",         "destroyed",  "gone",     "ended 200+0 broken, observed 200+0 broken"},

    {"in two bytes",      "request",    "open",     "not taken"},
    {"in two bytes",      "no request", "open",     "not taken"},
    {"in two bytes",      "piece",      "open",     "not taken"},
    {"in two bytes",      "rest",       "open",     "not taken"},
    {"in two bytes",      "fault",      "open",     "not taken"},
    {"in two bytes",      "room",       "open",     "nothing"},
    {"in two bytes",      "turn",       "open",     "nothing"},
    {"in two bytes",      "late",       "open",     "nothing"},
    {"in two bytes",      "cut",        "gone",     "ended 200+0 broken, observed 200+0 broken"},
    {"in two bytes",      "destroyed",  "gone",     "ended 200+0 broken, observed 200+0 broken"},

    {"told to hold",      "request",    "open",     "not taken"},
    {"told to hold",      "no request", "open",     "not taken"},
    {"told to hold",      "piece",      "open",     "not taken"},
    {"told to hold",      "rest",       "open",     "not taken"},
    {"told to hold",      "fault",      "open",     "not taken"},
    {"told to hold",      "room",       "open",     "drained"},
    {"told to hold",      "turn",       "open",     "nothing"},
    {"told to hold",      "late",       "open",     "nothing"},
    {"told to hold",      "cut",        "gone",     "ended 200+50 broken, observed 200+50 broken"},
    {"told to hold",      "destroyed",  "gone",     "ended 200+50 broken, observed 200+50 broken"},

    {"pieces, unasked",   "request",    "open",     "not taken"},
    {"pieces, unasked",   "no request", "open",     "not taken"},
    {"pieces, unasked",   "piece",      "open",     "not taken"},
    {"pieces, unasked",   "rest",       "open",     "not taken"},
    {"pieces, unasked",   "fault",      "gone",     "make_last request_broken, reset response_broken, ended 200+0 broken, "
                                                    "observed 200+0 broken"},
    {"pieces, unasked",   "room",       "open",     "nothing"},
    {"pieces, unasked",   "turn",       "open",     "nothing"},
    {"pieces, unasked",   "late",       "open",     "nothing"},
    {"pieces, unasked",   "cut",        "gone",     "ended 200+0 broken, observed 200+0 broken"},
    {"pieces, unasked",   "destroyed",  "gone",     "ended 200+0 broken, observed 200+0 broken"},

    {"pieces, expected",  "request",    "open",     "not taken"},
    {"pieces, expected",  "no request", "open",     "not taken"},
    {"pieces, expected",  "piece",      "open",     "not taken"},
    {"pieces, expected",  "rest",       "open",     "not taken"},
    {"pieces, expected",  "fault",      "gone",     "make_last request_broken, reset response_broken, ended 200+0 broken, "
                                                    "observed 200+0 broken"},
    {"pieces, expected",  "room",       "open",     "nothing"},
    {"pieces, expected",  "turn",       "open",     "nothing"},
    {"pieces, expected",  "late",       "open",     "nothing"},
    {"pieces, expected",  "cut",        "gone",     "ended 200+0 broken, observed 200+0 broken"},
    {"pieces, expected",  "destroyed",  "gone",     "ended 200+0 broken, observed 200+0 broken"},

    {"pieces, reading",   "request",    "open",     "not taken"},
    {"pieces, reading",   "no request", "open",     "not taken"},
    {"pieces, reading",   "piece",      "open",     "body a"},
    {"pieces, reading",   "rest",       "open",     "body_end, intake"},
    {"pieces, reading",   "fault",      "gone",     "make_last request_broken, reset response_broken, ended 200+0 broken, "
                                                    "observed 200+0 broken"},
    {"pieces, reading",   "room",       "open",     "nothing"},
    {"pieces, reading",   "turn",       "open",     "nothing"},
    {"pieces, reading",   "late",       "gone",     "make_last request_broken, reset response_broken, ended 200+0 broken, "
                                                    "observed 200+0 broken"},
    {"pieces, reading",   "cut",        "gone",     "ended 200+0 broken, observed 200+0 broken"},
    {"pieces, reading",   "destroyed",  "gone",     "ended 200+0 broken, observed 200+0 broken"},

    {"pieces, all read",  "request",    "open",     "not taken"},
    {"pieces, all read",  "no request", "open",     "not taken"},
    {"pieces, all read",  "piece",      "open",     "not taken"},
    {"pieces, all read",  "rest",       "open",     "not taken"},
    {"pieces, all read",  "fault",      "open",     "not taken"},
    {"pieces, all read",  "room",       "open",     "nothing"},
    {"pieces, all read",  "turn",       "open",     "nothing"},
    {"pieces, all read",  "late",       "open",     "nothing"},
    {"pieces, all read",  "cut",        "gone",     "ended 200+0 broken, observed 200+0 broken"},
    {"pieces, all read",  "destroyed",  "gone",     "ended 200+0 broken, observed 200+0 broken"},

    {"without body",      "request",    "open",     "not taken"},
    {"without body",      "no request", "open",     "not taken"},
    {"without body",      "piece",      "open",     "not taken"},
    {"without body",      "rest",       "open",     "not taken"},
    {"without body",      "fault",      "open",     "not taken"},
    {"without body",      "room",       "open",     "nothing"},
    {"without body",      "turn",       "open",     "nothing"},
    {"without body",      "late",       "open",     "nothing"},
    {"without body",      "cut",        "gone",     "ended 200+0 broken, observed 200+0 broken"},
    {"without body",      "destroyed",  "gone",     "ended 200+0 broken, observed 200+0 broken"},

    {"from source",       "request",    "open",     "not taken"},
    {"from source",       "no request", "open",     "not taken"},
    {"from source",       "piece",      "open",     "not taken"},
    {"from source",       "rest",       "open",     "not taken"},
    {"from source",       "fault",      "open",     "not taken"},
    {"from source",       "room",       "idle",     "ended 200+60, observed 200+60, next"},
    {"from source",       "turn",       "open",     "nothing"},
    {"from source",       "late",       "open",     "nothing"},
    {"from source",       "cut",        "gone",     "ended 200+39 broken, observed 200+39 broken"},
    {"from source",       "destroyed",  "gone",     "ended 200+39 broken, observed 200+39 broken"},

    {"source, reading",   "request",    "open",     "not taken"},
    {"source, reading",   "no request", "open",     "not taken"},
    {"source, reading",   "piece",      "open",     "body a"},
    {"source, reading",   "rest",       "open",     "body_end, intake"},
    {"source, reading",   "fault",      "gone",     "make_last request_broken, reset response_broken, ended 200+39 broken, "
                                                    "observed 200+39 broken"},
    {"source, reading",   "room",       "dropping", "ended 200+60, observed 200+60, intake"},
    {"source, reading",   "turn",       "open",     "nothing"},
    {"source, reading",   "late",       "gone",     "make_last request_broken, reset response_broken, ended 200+39 broken, "
                                                    "observed 200+39 broken"},
    {"source, reading",   "cut",        "gone",     "ended 200+39 broken, observed 200+39 broken"},
    {"source, reading",   "destroyed",  "gone",     "ended 200+39 broken, observed 200+39 broken"},

    {"source, nobody",    "request",    "open",     "not taken"},
    {"source, nobody",    "no request", "open",     "not taken"},
    {"source, nobody",    "piece",      "open",     "not taken"},
    {"source, nobody",    "rest",       "open",     "not taken"},
    {"source, nobody",    "fault",      "open",     "not taken"},
    {"source, nobody",    "room",       "idle",     "observed 200+60, next"},
    {"source, nobody",    "turn",       "open",     "nothing"},
    {"source, nobody",    "late",       "open",     "nothing"},
    {"source, nobody",    "cut",        "gone",     "observed 200+39 broken"},
    {"source, nobody",    "destroyed",  "gone",     "observed 200+39 broken"},

    {"complete",          "request",    "open",     "not taken"},
    {"complete",          "no request", "open",     "not taken"},
    {"complete",          "piece",      "open",     "not taken"},
    {"complete",          "rest",       "open",     "not taken"},
    {"complete",          "fault",      "open",     "not taken"},
    {"complete",          "room",       "idle",     "ended 200+3, observed 200+3, next"},
    {"complete",          "turn",       "open",     "nothing"},
    {"complete",          "late",       "open",     "nothing"},
    {"complete",          "cut",        "gone",     "ended 200+3, observed 200+3"},
    {"complete",          "destroyed",  "gone",     "ended 200+3, observed 200+3"},

    {"complete, reading", "request",    "open",     "not taken"},
    {"complete, reading", "no request", "open",     "not taken"},
    {"complete, reading", "piece",      "open",     "not taken"},
    {"complete, reading", "rest",       "open",     "not taken"},
    {"complete, reading", "fault",      "open",     "make_last request_broken"},
    {"complete, reading", "room",       "dropping", "ended 200+3, observed 200+3, intake"},
    {"complete, reading", "turn",       "open",     "nothing"},
    {"complete, reading", "late",       "open",     "nothing"},
    {"complete, reading", "cut",        "gone",     "ended 200+3, observed 200+3"},
    {"complete, reading", "destroyed",  "gone",     "ended 200+3, observed 200+3"},

    {"complete, unread",  "request",    "open",     "not taken"},
    {"complete, unread",  "no request", "open",     "not taken"},
    {"complete, unread",  "piece",      "open",     "not taken"},
    {"complete, unread",  "rest",       "open",     "not taken"},
    {"complete, unread",  "fault",      "open",     "make_last request_broken"},
    {"complete, unread",  "room",       "dropping", "ended 200+3, observed 200+3, intake"},
    {"complete, unread",  "turn",       "open",     "nothing"},
    {"complete, unread",  "late",       "open",     "nothing"},
    {"complete, unread",  "cut",        "gone",     "ended 200+3, observed 200+3"},
    {"complete, unread",  "destroyed",  "gone",     "ended 200+3, observed 200+3"},

    {"dropping",          "request",    "dropping", "not taken"},
    {"dropping",          "no request", "dropping", "not taken"},
    {"dropping",          "piece",      "dropping", "nothing"},
    {"dropping",          "rest",       "idle",     "next"},
    {"dropping",          "fault",      "gone",     "make_last request_broken, next"},
    {"dropping",          "room",       "dropping", "nothing"},
    {"dropping",          "turn",       "dropping", "nothing"},
    {"dropping",          "late",       "gone",     "make_last request_broken, next"},
    {"dropping",          "cut",        "gone",     "nothing"},
    {"dropping",          "destroyed",  "gone",     "nothing"},

    {"switched",          "request",    "gone",     "ended 101+0, observed 101+0, follower input"},
    {"switched",          "no request", "gone",     "ended 101+0, observed 101+0, follower input"},
    {"switched",          "piece",      "gone",     "ended 101+0, observed 101+0, follower input"},
    {"switched",          "rest",       "gone",     "ended 101+0, observed 101+0, follower input"},
    {"switched",          "fault",      "gone",     "ended 101+0, observed 101+0, follower input"},
    {"switched",          "room",       "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "turn",       "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "late",       "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "cut",        "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "destroyed",  "gone",     "ended 101+0, observed 101+0"},
});
// clang-format on

}  // namespace

TEST_CASE("exchange: the calls of its framing in each of its stages") { check_table(events, rows); }

namespace {

class Second final : public session::ExchangeObserver {
 public:
  Second(ExchangeRecord& record, const int& owner) : record_(record), owner_(owner) {}
  void ended(const session::ExchangeEnd& end) override { record_.add("second" + text_of(end)); }
  [[nodiscard]] const void* owner() const override { return &owner_; }

 private:
  ExchangeRecord& record_;
  const int& owner_;
};

}  // namespace

TEST_CASE("exchange core: each observer is told in order, and its owner finds it again") {
  ExchangeBench bench(ExchangeBench::With::nobody);
  const int owner = 0;
  const int stranger = 0;
  bench.record.deeds["handle"] = [&](session::Exchange& exchange) {
    auto second = std::make_unique<Second>(bench.record, owner);
    const session::ExchangeObserver* const told = second.get();
    exchange.observe(std::move(second));
    CHECK(exchange.observer(&owner) == told);
    CHECK(exchange.observer(&bench.record) != nullptr);
    CHECK(exchange.observer(&bench.record) != told);
    CHECK(exchange.observer(&stranger) == nullptr);
    exchange.respond(session::text_response(200, "a"));
  };
  bench.link->receive(get_request);
  bench.run();
  const std::string told = bench.record.take();
  CHECK(told.find("observed 200+2, second 200+2") != std::string::npos);
}

namespace {

/// Like the line of an access log for which there is no memory.
class Unlucky final : public session::ExchangeObserver {
 public:
  explicit Unlucky(const int& owner) : owner_(owner) {}
  void ended(const session::ExchangeEnd& /*end*/) override { throw std::bad_alloc(); }
  [[nodiscard]] const void* owner() const override { return &owner_; }

 private:
  const int& owner_;
};

}  // namespace

TEST_CASE("exchange core: an observer that throws kept others from hearing of the end, and the connection from going on") {
  for (const bool later : {false, true}) {
    CAPTURE(later);
    ExchangeBench bench(ExchangeBench::With::nobody);
    const int owner = 0;
    const auto answer = [](session::Exchange& exchange) { exchange.respond(session::text_response(200, "a")); };
    bench.record.deeds["handle"] = [&](session::Exchange& exchange) {
      exchange.observe(std::make_unique<Unlucky>(owner));
      exchange.observe(std::make_unique<Second>(bench.record, owner));
      if (!later) answer(exchange);
    };
    bench.link->receive(get_request);
    if (later) CHECK_NOTHROW(bench.record.call(answer));
    bench.run();
    const std::string told = bench.record.take();
    CHECK(told.find("observed 200+2, second 200+2, next") != std::string::npos);
    CHECK_FALSE(bench.link->was_aborted());
    bench.record.deeds["handle"] = answer;
    bench.link->receive(get_request);
    CHECK(bench.record.take().find("observed 200+2, next") != std::string::npos);
  }
}
