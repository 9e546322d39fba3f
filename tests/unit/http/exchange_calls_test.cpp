#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unit/http/exchange_states.h"

// The calls of the responder of an exchange. Those of the framing, the link and the clock are in exchange_core_test.cpp.

namespace {

using namespace wharf;
using namespace wharf::test;
using session::Exchange;

/// A call from outside all others, and its consequences.
ExchangeEvent calls(std::string_view name, ExchangeRecord::Deed deed) {
  return {name, [deed = std::move(deed)](ExchangeBench& bench) { bench.call(deed); }};
}

void say(Exchange& exchange, session::Flow flow) {
  const char* const text = flow == session::Flow::go ? "-> go" : flow == session::Flow::hold ? "-> hold" : "-> closed";
  static_cast<PlainFraming&>(exchange).record().add(text);
}
void begin_and_say(Exchange& exchange) { say(exchange, exchange.begin({}, std::nullopt)); }
void write_and_say(Exchange& exchange) { say(exchange, exchange.write("abc")); }
void inform_and_say(Exchange& exchange) { say(exchange, exchange.inform(103, {})); }

const std::vector<ExchangeEvent> events{
    calls("respond", respond),
    calls("in pieces",
          [](Exchange& exchange) {
            begin_and_say(exchange);
            write_and_say(exchange);
            exchange.end();
          }),
    calls("write", write_and_say),
    calls("end", [](Exchange& exchange) { exchange.end(); }),
    calls("abort", [](Exchange& exchange) { exchange.abort(); }),
    calls("read_body", read_body),
    calls("pause_body", pause_body),
    calls("resume_body", [](Exchange& exchange) { exchange.resume_body(); }),
    calls("inform", inform_and_say),
    calls("resume", go_on),
    {"tick_every",
     [](ExchangeBench& bench) {
       bench.call([](Exchange& exchange) { exchange.tick_every(base::Time{1000}); });
       bench.advance(1);
     }},
    calls("switch_to", switch_over),
};

// clang-format off
constexpr auto rows = std::to_array<ExchangeRow>({
    {"idle",              "respond",     "idle",     "nothing"},
    {"idle",              "in pieces",   "idle",     "-> closed, -> closed"},
    {"idle",              "write",       "idle",     "-> closed"},
    {"idle",              "end",         "idle",     "nothing"},
    {"idle",              "abort",       "idle",     "nothing"},
    {"idle",              "read_body",   "idle",     "nothing"},
    {"idle",              "pause_body",  "idle",     "intake"},
    {"idle",              "resume_body", "idle",     "nothing"},
    {"idle",              "inform",      "idle",     "-> closed"},
    {"idle",              "resume",      "idle",     "nothing"},
    {"idle",              "tick_every",  "idle",     "nothing"},
    {"idle",              "switch_to",   "idle",     "nothing"},

    {"all came",          "respond",     "idle",     "head 200 3, intake, ended 200+3, observed 200+3, next"},
    {"all came",          "in pieces",   "idle",     "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, "
                                                     "observed 200+3, next"},
    {"all came",          "write",       "open",     "-> closed"},
    {"all came",          "end",         "open",     "nothing"},
    {"all came",          "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"all came",          "read_body",   "open",     "nothing"},
    {"all came",          "pause_body",  "open",     "intake"},
    {"all came",          "resume_body", "open",     "nothing"},
    {"all came",          "inform",      "open",     "interim 103, -> go"},
    {"all came",          "resume",      "open",     "nothing"},
    {"all came",          "tick_every",  "open",     "tick"},
    {"all came",          "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"nobody",            "respond",     "idle",     "head 200 3, observed 200+3, next"},
    {"nobody",            "in pieces",   "idle",     "head 200 open, -> go, piece, -> go, end, observed 200+3, next"},
    {"nobody",            "write",       "open",     "-> closed"},
    {"nobody",            "end",         "open",     "nothing"},
    {"nobody",            "abort",       "gone",     "reset response_broken, observed 0+0 broken"},
    {"nobody",            "read_body",   "open",     "nothing"},
    {"nobody",            "pause_body",  "open",     "intake"},
    {"nobody",            "resume_body", "open",     "nothing"},
    {"nobody",            "inform",      "open",     "interim 103, -> go"},
    {"nobody",            "resume",      "open",     "nothing"},
    {"nobody",            "tick_every",  "open",     "nothing"},
    {"nobody",            "switch_to",   "gone",     "switch echo, observed 101+0"},

    {"unasked",           "respond",     "dropping", "head 200 3, intake, ended 200+3, observed 200+3, intake"},
    {"unasked",           "in pieces",   "dropping", "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, "
                                                     "observed 200+3, intake"},
    {"unasked",           "write",       "open",     "-> closed"},
    {"unasked",           "end",         "open",     "nothing"},
    {"unasked",           "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"unasked",           "read_body",   "open",     "intake"},
    {"unasked",           "pause_body",  "open",     "intake"},
    {"unasked",           "resume_body", "open",     "nothing"},
    {"unasked",           "inform",      "open",     "interim 103, -> go"},
    {"unasked",           "resume",      "open",     "nothing"},
    {"unasked",           "tick_every",  "open",     "tick"},
    {"unasked",           "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"unasked long",      "respond",     "gone",     "make_last body_unwanted, head 200 3, intake, ended 200+3, observed 200+3, "
                                                     "make_last body_unwanted, next"},
    {"unasked long",      "in pieces",   "gone",     "make_last body_unwanted, head 200 open, -> go, piece, -> go, end, intake, "
                                                     "ended 200+3, observed 200+3, make_last body_unwanted, next"},
    {"unasked long",      "write",       "open",     "-> closed"},
    {"unasked long",      "end",         "open",     "nothing"},
    {"unasked long",      "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"unasked long",      "read_body",   "open",     "intake"},
    {"unasked long",      "pause_body",  "open",     "intake"},
    {"unasked long",      "resume_body", "open",     "nothing"},
    {"unasked long",      "inform",      "open",     "interim 103, -> go"},
    {"unasked long",      "resume",      "open",     "nothing"},
    {"unasked long",      "tick_every",  "open",     "tick"},
    {"unasked long",      "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"expected",          "respond",     "gone",     "make_last body_unwanted, head 200 3, intake, ended 200+3, observed 200+3, "
                                                     "make_last body_unwanted, next"},
    {"expected",          "in pieces",   "gone",     "make_last body_unwanted, head 200 open, -> go, piece, -> go, end, intake, "
                                                     "ended 200+3, observed 200+3, make_last body_unwanted, next"},
    {"expected",          "write",       "open",     "-> closed"},
    {"expected",          "end",         "open",     "nothing"},
    {"expected",          "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"expected",          "read_body",   "open",     "interim 100, intake"},
    {"expected",          "pause_body",  "open",     "intake"},
    {"expected",          "resume_body", "open",     "nothing"},
    {"expected",          "inform",      "open",     "interim 103, -> go"},
    {"expected",          "resume",      "open",     "nothing"},
    {"expected",          "tick_every",  "open",     "tick"},
    {"expected",          "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"reading",           "respond",     "dropping", "head 200 3, intake, ended 200+3, observed 200+3, intake"},
    {"reading",           "in pieces",   "dropping", "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, "
                                                     "observed 200+3, intake"},
    {"reading",           "write",       "open",     "-> closed"},
    {"reading",           "end",         "open",     "nothing"},
    {"reading",           "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"reading",           "read_body",   "open",     "nothing"},
    {"reading",           "pause_body",  "open",     "intake"},
    {"reading",           "resume_body", "open",     "nothing"},
    {"reading",           "inform",      "open",     "interim 103, -> go"},
    {"reading",           "resume",      "open",     "nothing"},
    {"reading",           "tick_every",  "open",     "tick"},
    {"reading",           "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"reading long",      "respond",     "gone",     "make_last body_unwanted, head 200 3, intake, ended 200+3, observed 200+3, "
                                                     "make_last body_unwanted, next"},
    {"reading long",      "in pieces",   "gone",     "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, observed "
                                                     "200+3, make_last body_unwanted, next"},
    {"reading long",      "write",       "open",     "-> closed"},
    {"reading long",      "end",         "open",     "nothing"},
    {"reading long",      "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"reading long",      "read_body",   "open",     "nothing"},
    {"reading long",      "pause_body",  "open",     "intake"},
    {"reading long",      "resume_body", "open",     "nothing"},
    {"reading long",      "inform",      "open",     "interim 103, -> go"},
    {"reading long",      "resume",      "open",     "nothing"},
    {"reading long",      "tick_every",  "open",     "tick"},
    {"reading long",      "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"asked for later",   "respond",     "dropping", "head 200 3, intake, ended 200+3, observed 200+3, intake"},
    {"asked for later",   "in pieces",   "dropping", "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, observed "
                                                     "200+3, intake"},
    {"asked for later",   "write",       "open",     "-> closed"},
    {"asked for later",   "end",         "open",     "nothing"},
    {"asked for later",   "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"asked for later",   "read_body",   "open",     "nothing"},
    {"asked for later",   "pause_body",  "open",     "intake"},
    {"asked for later",   "resume_body", "open",     "nothing"},
    {"asked for later",   "inform",      "open",     "interim 103, -> go"},
    {"asked for later",   "resume",      "open",     "nothing"},
    {"asked for later",   "tick_every",  "open",     "tick"},
    {"asked for later",   "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"paused",            "respond",     "dropping", "head 200 3, intake, ended 200+3, observed 200+3, intake"},
    {"paused",            "in pieces",   "dropping", "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, "
                                                     "observed 200+3, intake"},
    {"paused",            "write",       "open",     "-> closed"},
    {"paused",            "end",         "open",     "nothing"},
    {"paused",            "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"paused",            "read_body",   "open",     "nothing"},
    {"paused",            "pause_body",  "open",     "intake"},
    {"paused",            "resume_body", "open",     "intake"},
    {"paused",            "inform",      "open",     "interim 103, -> go"},
    {"paused",            "resume",      "open",     "nothing"},
    {"paused",            "tick_every",  "open",     "tick"},
    {"paused",            "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"waiting",           "respond",     "idle",     "head 200 3, intake, ended 200+3, observed 200+3, next"},
    {"waiting",           "in pieces",   "idle",     "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, "
                                                     "observed 200+3, next"},
    {"waiting",           "write",       "open",     "-> closed"},
    {"waiting",           "end",         "open",     "nothing"},
    {"waiting",           "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"waiting",           "read_body",   "open",     "nothing"},
    {"waiting",           "pause_body",  "open",     "intake"},
    {"waiting",           "resume_body", "open",     "nothing"},
    {"waiting",           "inform",      "open",     "interim 103, -> go"},
    {"waiting",           "resume",      "open",     "go_on, body_end, intake"},
    {"waiting",           "tick_every",  "open",     "tick"},
    {"waiting",           "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"waiting, unasked",  "respond",     "dropping", "head 200 3, intake, ended 200+3, observed 200+3, intake"},
    {"waiting, unasked",  "in pieces",   "dropping", "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, "
                                                     "observed 200+3, intake"},
    {"waiting, unasked",  "write",       "open",     "-> closed"},
    {"waiting, unasked",  "end",         "open",     "nothing"},
    {"waiting, unasked",  "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"waiting, unasked",  "read_body",   "open",     "intake"},
    {"waiting, unasked",  "pause_body",  "open",     "intake"},
    {"waiting, unasked",  "resume_body", "open",     "nothing"},
    {"waiting, unasked",  "inform",      "open",     "interim 103, -> go"},
    {"waiting, unasked",  "resume",      "open",     "go_on, intake"},
    {"waiting, unasked",  "tick_every",  "open",     "tick"},
    {"waiting, unasked",  "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"waiting, nobody",   "respond",     "idle",     "head 200 3, observed 200+3, next"},
    {"waiting, nobody",   "in pieces",   "idle",     "head 200 open, -> go, piece, -> go, end, observed 200+3, next"},
    {"waiting, nobody",   "write",       "open",     "-> closed"},
    {"waiting, nobody",   "end",         "open",     "nothing"},
    {"waiting, nobody",   "abort",       "gone",     "reset response_broken, observed 0+0 broken"},
    {"waiting, nobody",   "read_body",   "open",     "nothing"},
    {"waiting, nobody",   "pause_body",  "open",     "intake"},
    {"waiting, nobody",   "resume_body", "open",     "nothing"},
    {"waiting, nobody",   "inform",      "open",     "interim 103, -> go"},
    {"waiting, nobody",   "resume",      "open",     "go_on, intake"},
    {"waiting, nobody",   "tick_every",  "open",     "nothing"},
    {"waiting, nobody",   "switch_to",   "gone",     "switch echo, observed 101+0"},

    {"about to go on",    "respond",     "idle",     "head 200 3, intake, ended 200+3, observed 200+3, next"},
    {"about to go on",    "in pieces",   "idle",     "head 200 open, -> go, piece, -> go, end, intake, ended 200+3, "
                                                     "observed 200+3, next"},
    {"about to go on",    "write",       "open",     "-> closed, go_on, body_end, intake"},
    {"about to go on",    "end",         "open",     "go_on, body_end, intake"},
    {"about to go on",    "abort",       "gone",     "reset response_broken, ended 0+0 broken, observed 0+0 broken"},
    {"about to go on",    "read_body",   "open",     "go_on, body_end, intake"},
    {"about to go on",    "pause_body",  "open",     "intake, go_on, body_end, intake"},
    {"about to go on",    "resume_body", "open",     "go_on, body_end, intake"},
    {"about to go on",    "inform",      "open",     "interim 103, -> go, go_on, body_end, intake"},
    {"about to go on",    "resume",      "open",     "go_on, body_end, intake"},
    {"about to go on",    "tick_every",  "open",     "go_on, body_end, intake, tick"},
    {"about to go on",    "switch_to",   "gone",     "switch echo, ended 101+0, observed 101+0"},

    {"in pieces",         "respond",     "open",     "nothing"},
    {"in pieces",         "in pieces",   "idle",     "-> closed, piece, -> go, end, intake, ended 200+3, observed 200+3, next"},
    {"in pieces",         "write",       "open",     "piece, -> go"},
    {"in pieces",         "end",         "idle",     "end, intake, ended 200+0, observed 200+0, next"},
    {"in pieces",         "abort",       "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"in pieces",         "read_body",   "open",     "nothing"},
    {"in pieces",         "pause_body",  "open",     "intake"},
    {"in pieces",         "resume_body", "open",     "nothing"},
    {"in pieces",         "inform",      "open",     "-> closed"},
    {"in pieces",         "resume",      "open",     "nothing"},
    {"in pieces",         "tick_every",  "open",     "tick"},
    {"in pieces",         "switch_to",   "open",     "nothing"},

    {"in two bytes",      "respond",     "open",     "nothing"},
    {"in two bytes",      "in pieces",   "gone",     "-> closed, reset response_broken, -> closed, ended 200+0 broken, "
                                                     "observed 200+0 broken"},
    {"in two bytes",      "write",       "gone",     "reset response_broken, -> closed, ended 200+0 broken, observed 200+0 broken"},
    {"in two bytes",      "end",         "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"in two bytes",      "abort",       "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"in two bytes",      "read_body",   "open",     "nothing"},
    {"in two bytes",      "pause_body",  "open",     "intake"},
    {"in two bytes",      "resume_body", "open",     "nothing"},
    {"in two bytes",      "inform",      "open",     "-> closed"},
    {"in two bytes",      "resume",      "open",     "nothing"},
    {"in two bytes",      "tick_every",  "open",     "tick"},
    {"in two bytes",      "switch_to",   "open",     "nothing"},

    {"told to hold",      "respond",     "open",     "nothing"},
    {"told to hold",      "in pieces",   "open",     "-> closed, piece, -> hold, end, intake"},
    {"told to hold",      "write",       "open",     "piece, -> hold"},
    {"told to hold",      "end",         "open",     "end, intake"},
    {"told to hold",      "abort",       "gone",     "reset response_broken, ended 200+50 broken, observed 200+50 broken"},
    {"told to hold",      "read_body",   "open",     "nothing"},
    {"told to hold",      "pause_body",  "open",     "intake"},
    {"told to hold",      "resume_body", "open",     "nothing"},
    {"told to hold",      "inform",      "open",     "-> closed"},
    {"told to hold",      "resume",      "open",     "nothing"},
    {"told to hold",      "tick_every",  "open",     "tick"},
    {"told to hold",      "switch_to",   "open",     "nothing"},

    {"pieces, unasked",   "respond",     "open",     "nothing"},
    {"pieces, unasked",   "in pieces",   "dropping", "-> closed, piece, -> go, end, intake, ended 200+3, observed 200+3, intake"},
    {"pieces, unasked",   "write",       "open",     "piece, -> go"},
    {"pieces, unasked",   "end",         "dropping", "end, intake, ended 200+0, observed 200+0, intake"},
    {"pieces, unasked",   "abort",       "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"pieces, unasked",   "read_body",   "open",     "intake"},
    {"pieces, unasked",   "pause_body",  "open",     "intake"},
    {"pieces, unasked",   "resume_body", "open",     "nothing"},
    {"pieces, unasked",   "inform",      "open",     "-> closed"},
    {"pieces, unasked",   "resume",      "open",     "nothing"},
    {"pieces, unasked",   "tick_every",  "open",     "tick"},
    {"pieces, unasked",   "switch_to",   "open",     "nothing"},

    {"pieces, expected",  "respond",     "open",     "nothing"},
    {"pieces, expected",  "in pieces",   "gone",     "-> closed, piece, -> go, end, intake, ended 200+3, observed 200+3, "
                                                     "make_last body_unwanted, next"},
    {"pieces, expected",  "write",       "open",     "piece, -> go"},
    {"pieces, expected",  "end",         "gone",     "end, intake, ended 200+0, observed 200+0, make_last body_unwanted, next"},
    {"pieces, expected",  "abort",       "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"pieces, expected",  "read_body",   "open",     "nothing"},
    {"pieces, expected",  "pause_body",  "open",     "intake"},
    {"pieces, expected",  "resume_body", "open",     "nothing"},
    {"pieces, expected",  "inform",      "open",     "-> closed"},
    {"pieces, expected",  "resume",      "open",     "nothing"},
    {"pieces, expected",  "tick_every",  "open",     "tick"},
    {"pieces, expected",  "switch_to",   "open",     "nothing"},

    {"pieces, reading",   "respond",     "open",     "nothing"},
    {"pieces, reading",   "in pieces",   "dropping", "-> closed, piece, -> go, end, intake, ended 200+3, observed 200+3, intake"},
    {"pieces, reading",   "write",       "open",     "piece, -> go"},
    {"pieces, reading",   "end",         "dropping", "end, intake, ended 200+0, observed 200+0, intake"},
    {"pieces, reading",   "abort",       "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"pieces, reading",   "read_body",   "open",     "nothing"},
    {"pieces, reading",   "pause_body",  "open",     "intake"},
    {"pieces, reading",   "resume_body", "open",     "nothing"},
    {"pieces, reading",   "inform",      "open",     "-> closed"},
    {"pieces, reading",   "resume",      "open",     "nothing"},
    {"pieces, reading",   "tick_every",  "open",     "tick"},
    {"pieces, reading",   "switch_to",   "open",     "nothing"},

    {"pieces, all read",  "respond",     "open",     "nothing"},
    {"pieces, all read",  "in pieces",   "idle",     "-> closed, piece, -> go, end, intake, ended 200+3, observed 200+3, next"},
    {"pieces, all read",  "write",       "open",     "piece, -> go"},
    {"pieces, all read",  "end",         "idle",     "end, intake, ended 200+0, observed 200+0, next"},
    {"pieces, all read",  "abort",       "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"pieces, all read",  "read_body",   "open",     "nothing"},
    {"pieces, all read",  "pause_body",  "open",     "intake"},
    {"pieces, all read",  "resume_body", "open",     "nothing"},
    {"pieces, all read",  "inform",      "open",     "-> closed"},
    {"pieces, all read",  "resume",      "open",     "nothing"},
    {"pieces, all read",  "tick_every",  "open",     "tick"},
    {"pieces, all read",  "switch_to",   "open",     "nothing"},

    {"without body",      "respond",     "open",     "nothing"},
    {"without body",      "in pieces",   "idle",     "-> closed, -> go, intake, ended 200+0, observed 200+0, next"},
    {"without body",      "write",       "open",     "-> go"},
    {"without body",      "end",         "idle",     "intake, ended 200+0, observed 200+0, next"},
    {"without body",      "abort",       "gone",     "reset response_broken, ended 200+0 broken, observed 200+0 broken"},
    {"without body",      "read_body",   "open",     "nothing"},
    {"without body",      "pause_body",  "open",     "intake"},
    {"without body",      "resume_body", "open",     "nothing"},
    {"without body",      "inform",      "open",     "-> closed"},
    {"without body",      "resume",      "open",     "nothing"},
    {"without body",      "tick_every",  "open",     "tick"},
    {"without body",      "switch_to",   "open",     "nothing"},

    {"from source",       "respond",     "open",     "nothing"},
    {"from source",       "in pieces",   "open",     "-> closed, -> closed"},
    {"from source",       "write",       "open",     "-> closed"},
    {"from source",       "end",         "open",     "nothing"},
    {"from source",       "abort",       "gone",     "reset response_broken, ended 200+39 broken, observed 200+39 broken"},
    {"from source",       "read_body",   "open",     "nothing"},
    {"from source",       "pause_body",  "open",     "intake"},
    {"from source",       "resume_body", "open",     "nothing"},
    {"from source",       "inform",      "open",     "-> closed"},
    {"from source",       "resume",      "open",     "nothing"},
    {"from source",       "tick_every",  "open",     "tick"},
    {"from source",       "switch_to",   "open",     "nothing"},

    {"source, reading",   "respond",     "open",     "nothing"},
    {"source, reading",   "in pieces",   "open",     "-> closed, -> closed"},
    {"source, reading",   "write",       "open",     "-> closed"},
    {"source, reading",   "end",         "open",     "nothing"},
    {"source, reading",   "abort",       "gone",     "reset response_broken, ended 200+39 broken, observed 200+39 broken"},
    {"source, reading",   "read_body",   "open",     "nothing"},
    {"source, reading",   "pause_body",  "open",     "intake"},
    {"source, reading",   "resume_body", "open",     "nothing"},
    {"source, reading",   "inform",      "open",     "-> closed"},
    {"source, reading",   "resume",      "open",     "nothing"},
    {"source, reading",   "tick_every",  "open",     "tick"},
    {"source, reading",   "switch_to",   "open",     "nothing"},

    {"source, nobody",    "respond",     "open",     "nothing"},
    {"source, nobody",    "in pieces",   "open",     "-> closed, -> closed"},
    {"source, nobody",    "write",       "open",     "-> closed"},
    {"source, nobody",    "end",         "open",     "nothing"},
    {"source, nobody",    "abort",       "gone",     "reset response_broken, observed 200+39 broken"},
    {"source, nobody",    "read_body",   "open",     "nothing"},
    {"source, nobody",    "pause_body",  "open",     "intake"},
    {"source, nobody",    "resume_body", "open",     "nothing"},
    {"source, nobody",    "inform",      "open",     "-> closed"},
    {"source, nobody",    "resume",      "open",     "nothing"},
    {"source, nobody",    "tick_every",  "open",     "nothing"},
    {"source, nobody",    "switch_to",   "open",     "nothing"},

    {"complete",          "respond",     "open",     "nothing"},
    {"complete",          "in pieces",   "open",     "-> closed, -> closed"},
    {"complete",          "write",       "open",     "-> closed"},
    {"complete",          "end",         "open",     "nothing"},
    {"complete",          "abort",       "open",     "nothing"},
    {"complete",          "read_body",   "open",     "nothing"},
    {"complete",          "pause_body",  "open",     "intake"},
    {"complete",          "resume_body", "open",     "nothing"},
    {"complete",          "inform",      "open",     "-> closed"},
    {"complete",          "resume",      "open",     "nothing"},
    {"complete",          "tick_every",  "idle",     "tick, ended 200+3, observed 200+3, next"},
    {"complete",          "switch_to",   "open",     "nothing"},

    {"complete, reading", "respond",     "open",     "nothing"},
    {"complete, reading", "in pieces",   "open",     "-> closed, -> closed"},
    {"complete, reading", "write",       "open",     "-> closed"},
    {"complete, reading", "end",         "open",     "nothing"},
    {"complete, reading", "abort",       "open",     "nothing"},
    {"complete, reading", "read_body",   "open",     "nothing"},
    {"complete, reading", "pause_body",  "open",     "intake"},
    {"complete, reading", "resume_body", "open",     "nothing"},
    {"complete, reading", "inform",      "open",     "-> closed"},
    {"complete, reading", "resume",      "open",     "nothing"},
    {"complete, reading", "tick_every",  "dropping", "tick, ended 200+3, observed 200+3, intake"},
    {"complete, reading", "switch_to",   "open",     "nothing"},

    {"complete, unread",  "respond",     "open",     "nothing"},
    {"complete, unread",  "in pieces",   "open",     "-> closed, -> closed"},
    {"complete, unread",  "write",       "open",     "-> closed"},
    {"complete, unread",  "end",         "open",     "nothing"},
    {"complete, unread",  "abort",       "open",     "nothing"},
    {"complete, unread",  "read_body",   "open",     "nothing"},
    {"complete, unread",  "pause_body",  "open",     "intake"},
    {"complete, unread",  "resume_body", "open",     "nothing"},
    {"complete, unread",  "inform",      "open",     "-> closed"},
    {"complete, unread",  "resume",      "open",     "nothing"},
    {"complete, unread",  "tick_every",  "dropping", "tick, ended 200+3, observed 200+3, intake"},
    {"complete, unread",  "switch_to",   "open",     "nothing"},

    {"dropping",          "respond",     "dropping", "nothing"},
    {"dropping",          "in pieces",   "dropping", "-> closed, -> closed"},
    {"dropping",          "write",       "dropping", "-> closed"},
    {"dropping",          "end",         "dropping", "nothing"},
    {"dropping",          "abort",       "dropping", "nothing"},
    {"dropping",          "read_body",   "dropping", "nothing"},
    {"dropping",          "pause_body",  "dropping", "intake"},
    {"dropping",          "resume_body", "dropping", "nothing"},
    {"dropping",          "inform",      "dropping", "-> closed"},
    {"dropping",          "resume",      "dropping", "nothing"},
    {"dropping",          "tick_every",  "dropping", "nothing"},
    {"dropping",          "switch_to",   "dropping", "nothing"},

    {"switched",          "respond",     "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "in pieces",   "gone",     "-> closed, -> closed, ended 101+0, observed 101+0"},
    {"switched",          "write",       "gone",     "-> closed, ended 101+0, observed 101+0"},
    {"switched",          "end",         "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "abort",       "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "read_body",   "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "pause_body",  "gone",     "intake, ended 101+0, observed 101+0"},
    {"switched",          "resume_body", "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "inform",      "gone",     "-> closed, ended 101+0, observed 101+0"},
    {"switched",          "resume",      "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "tick_every",  "gone",     "ended 101+0, observed 101+0"},
    {"switched",          "switch_to",   "gone",     "ended 101+0, observed 101+0"},
});
// clang-format on

}  // namespace

TEST_CASE("exchange: the calls of its responder in each of its stages") { check_table(events, rows); }
