#include <doctest/doctest.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "unit/http/exchange_states.h"

// The deadline that an exchange sets for its link, to the millisecond.

namespace {

using namespace wharf;
using namespace wharf::test;
using session::Exchange;

constexpr std::int64_t never = -1;

struct TimeBench {
  TimeBench() {
    session::HttpLimits& limits = all.context.limits;
    limits.idle = base::Time{75'000};
    limits.body_idle = base::Time{20'000};
    limits.body_grace = base::Time{40'000};
    limits.body_rate = 500;  // each piece has one byte, and gains 2 ms
    limits.answer_time = base::Time{30'000};
  }
  void receive(std::string_view bytes) { all.link->receive(bytes); }
  void call(const ExchangeRecord::Deed& deed) { all.call(deed); }
  void pass(std::int64_t milliseconds) {
    all.now += base::Time{milliseconds};
    all.run();
  }
  void piece_after(std::int64_t milliseconds) {
    pass(milliseconds);
    receive("piece");
  }
  /// Milliseconds from now.
  [[nodiscard]] std::int64_t due() const { return all.link->due() == base::never ? never : (all.link->due() - all.now).count(); }

  ExchangeBench all;
  ExchangeRecord& record = all.record;
};

void answer_in_seven_seconds(Exchange& exchange) { exchange.answer_within(base::Time{7'000}); }
void tick_every_second(Exchange& exchange) { exchange.tick_every(base::Time{1'000}); }

}  // namespace

TEST_CASE("exchange time: a body may rest for body_idle, and has body_grace with what it earns; both begin anew after a pause") {
  TimeBench bench;
  bench.record.deeds["handle"] = read_body;
  bench.receive(post_request);
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 10'004);
  bench.call(pause_body);
  CHECK(bench.due() == never);
  bench.pass(100'000);
  bench.call([](Exchange& exchange) { exchange.resume_body(); });
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 10'004);
  bench.receive("rest");
  CHECK(bench.due() == 30'000);
}

TEST_CASE("exchange time: of a body that is asked for later, it counts from then, and that of the response from the body's end") {
  TimeBench bench;
  bench.receive(post_request);
  CHECK(bench.due() == 30'000);
  bench.pass(10'000);
  bench.call(read_body);
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 10'004);
  bench.receive("rest");
  CHECK(bench.due() == 30'000);
}

TEST_CASE("exchange time: of the rest of a body that nobody wants, it counts from the end of the exchange") {
  TimeBench bench;
  bench.record.deeds["handle"] = read_body;
  bench.receive(post_request);
  bench.piece_after(10'000);
  bench.pass(10'000);
  bench.call(respond);
  REQUIRE(bench.all.stage() == "dropping");
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 20'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 10'004);
  bench.receive("rest");
  CHECK(bench.due() == 75'000);
}

TEST_CASE("exchange time: that of the response counts from the call that sets it, but not while a body is read") {
  TimeBench bench;
  bench.receive(get_request);
  CHECK(bench.due() == 30'000);
  bench.pass(5'000);
  bench.call(answer_in_seven_seconds);
  CHECK(bench.due() == 7'000);
  bench.call([](Exchange& exchange) { exchange.answer_within(base::never); });
  CHECK(bench.due() == never);

  TimeBench begun;
  begun.receive(get_request);
  begun.call(begin);
  begun.pass(30'000);
  CHECK(begun.due() == never);

  TimeBench reading;
  reading.record.deeds["handle"] = read_body;
  reading.receive(post_request);
  reading.call(answer_in_seven_seconds);
  CHECK(reading.due() == 20'000);
  reading.receive("rest");
  CHECK(reading.due() == 7'000);
}

TEST_CASE("exchange time: a tick that came late is not made up for, and ticks end when they are told to") {
  TimeBench bench;
  bench.record.deeds["handle"] = tick_every_second;
  bench.receive(get_request);
  bench.record.take();
  CHECK(bench.due() == 1'000);
  bench.pass(5'500);
  CHECK(bench.record.take() == "tick");
  CHECK(bench.due() == 1'000);
  bench.pass(999);
  CHECK(bench.record.take().empty());
  bench.pass(1);
  CHECK(bench.record.take() == "tick");
  CHECK(bench.due() == 1'000);
  bench.call([](Exchange& exchange) { exchange.tick_every(base::Time{0}); });
  CHECK(bench.due() == 23'500);
}

TEST_CASE("exchange time: if a tick ends the exchange, a body that is late at that moment is not") {
  struct Case {
    ExchangeRecord::Deed in_tick;
    std::string_view acts;
  };
  for (const Case& each : std::vector<Case>{
           {[](Exchange& exchange) { exchange.abort(); }, "tick, reset response_broken, ended 0+0 broken, observed 0+0 broken"},
           {switch_over, "tick, switch echo, ended 101+0, observed 101+0"},
           {respond, "tick, head 200 3, ended 200+3, observed 200+3, intake"}}) {
    TimeBench bench;
    bench.record.deeds["handle"] = [](Exchange& exchange) {
      exchange.read_body();
      exchange.tick_every(base::Time{20'000});
    };
    bench.record.deeds["tick"] = each.in_tick;
    bench.receive(post_request);
    bench.record.take();
    bench.pass(20'000);
    CHECK(bench.record.take() == each.acts);
    check_ends(bench.all, ExchangeBench::With::responder);
  }
}

TEST_CASE("exchange time: what one exchange asked for does not last into the next one of its link") {
  TimeBench bench;
  bench.record.deeds["handle"] = [](Exchange& exchange) {
    exchange.read_body();
    tick_every_second(exchange);
    answer_in_seven_seconds(exchange);
  };
  bench.receive(post_request);
  bench.receive("piece");
  bench.receive("rest");
  bench.call(respond);
  CHECK(bench.due() == 75'000);
  bench.call(pause_body);  // too late

  bench.record.deeds["handle"] = read_body;
  bench.receive(post_request);
  CHECK(bench.due() == 20'000);
  bench.record.take();
  bench.piece_after(15'000);
  bench.piece_after(15'000);
  CHECK(bench.due() == 10'004);
  CHECK(bench.record.take() == "body a, body a");
  bench.receive("rest");
  CHECK(bench.due() == 30'000);
  bench.record.take();
  bench.all.link->abort();
  bench.all.run();
  CHECK(bench.record.take() == "ended 0+0 broken, observed 0+0 broken");
}

TEST_CASE("exchange time: after a switch the deadline is the next session's, whatever is asked of the exchange") {
  TimeBench bench;
  bench.receive(get_request);
  bench.record.call(switch_over);
  bench.all.link->set_deadline(bench.all.now + base::Time{3'000});  // as the maker of the next session does
  for (const ExchangeRecord::Deed& deed : std::vector<ExchangeRecord::Deed>{
           tick_every_second, answer_in_seven_seconds, read_body, pause_body, [](Exchange& exchange) { exchange.resume_body(); }}) {
    bench.record.call(deed);
    CHECK(bench.due() == 3'000);
  }
  bench.record.call([](Exchange& exchange) { CHECK(exchange.answered()); });
}
