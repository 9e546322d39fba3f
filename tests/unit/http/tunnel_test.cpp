#include "http/tunnel.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "link/memory_link.h"

namespace {

using namespace wharf;
using namespace wharf::session;

/// The session on a link before the tunnel: it leaves all input alone.
class Before final : public Session {
 public:
  std::size_t input(std::span<char> /*bytes*/) override { return 0; }
  void end_of_input() override {}
  void shut_down() override {}
};

class Counter final : public LinkCounter {
 public:
  void link_gone() noexcept override { ++gone; }
  int gone = 0;
};

/// Two links, and the peer at the far end of each.
struct Bench {
  explicit Bench(base::Time limit_of_silence = base::Time{1'000}) : idle(limit_of_silence) {
    one.open(std::make_unique<Before>());
    two.open(std::make_unique<Before>());
  }
  ~Bench() {
    one.abort();
    two.abort();
    run();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  /// From the next turn on they are one.
  void join() {
    LinkShare share(counter);
    one.become(Tunnel::to(two, one, idle, std::move(share)));
  }
  void run() {
    for (bool busy = true; busy; busy = one.scheduled() || two.scheduled()) {
      one.run();
      two.run();
    }
  }
  void send(MemoryLink& link, std::string_view bytes) {
    link.receive(bytes);
    run();
  }
  void end(MemoryLink& link) {
    link.receive_end();
    run();
  }
  void reset(MemoryLink& link) {
    link.abort();
    run();
  }
  void take_in(MemoryLink& link, std::size_t bytes) {
    link.set_window(bytes);
    run();
  }
  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    run();
  }
  [[nodiscard]] bool over() const { return one.closed() && two.closed(); }

  base::ChunkPool pool;
  OutputLimits limits;
  base::Time now{1'000'000};
  base::Time idle;
  Counter counter;
  MemoryLink one{pool, limits, now};
  MemoryLink two{pool, limits, now};
};

struct Joined : Bench {
  explicit Joined(base::Time limit_of_silence = base::Time{1'000}) : Bench(limit_of_silence) {
    join();
    run();
  }
};

/// Each case both ways.
constexpr int ways = 2;
MemoryLink& from(Bench& bench, int way) { return way == 0 ? bench.one : bench.two; }
MemoryLink& to(Bench& bench, int way) { return way == 0 ? bench.two : bench.one; }

}  // namespace

TEST_CASE("tunnel: bytes pass both ways, few and many") {
  for (int way = 0; way < ways; ++way) {
    Joined joined;
    for (const std::size_t size : {std::size_t{1}, std::size_t{16'383}, std::size_t{16'384}, std::size_t{100'000}}) {
      const std::string bytes(size, 'a');
      joined.send(from(joined, way), bytes);
      CHECK(to(joined, way).take() == bytes);
      CHECK(from(joined, way).take().empty());
    }
  }
}

TEST_CASE("tunnel: input from before it is passed on, and output queued before it leaves first, wherever it is cut") {
  const std::string bytes = "early and late";
  for (int way = 0; way < ways; ++way) {
    for (std::size_t at = 0; at <= bytes.size(); ++at) {
      Bench bench;
      to(bench, way).out().append("last of the old session, ");
      bench.send(from(bench, way), bytes.substr(0, at));
      bench.join();
      from(bench, way).receive(bytes.substr(at));  // before the other side had a turn
      bench.run();
      CHECK(to(bench, way).take() == "last of the old session, " + bytes);
    }
  }
}

TEST_CASE("tunnel: a slow side slows the other down") {
  Joined joined;
  for (int way = 0; way < ways; ++way) {
    MemoryLink& source = from(joined, way);
    MemoryLink& slow = to(joined, way);
    slow.set_window(0);
    std::size_t sent = 0;
    for (; sent < 1'000'000 && source.reading(); sent += 10'000) joined.send(source, std::string(10'000, 'a'));
    CHECK(sent < 100'000);
    CHECK(slow.out().size() == sent);
    joined.send(slow, "back");  // the other direction goes on
    CHECK(source.take() == "back");
    joined.take_in(slow, 10'000);
    CHECK_FALSE(source.reading());
    joined.take_in(slow, MemoryLink::unlimited);
    CHECK(source.reading());
    CHECK(slow.take() == std::string(sent, 'a'));
  }
}

TEST_CASE("tunnel: a side that takes nothing yet holds the other back from the first byte on") {
  for (int way = 0; way < ways; ++way) {
    Bench bench;
    to(bench, way).set_window(0);
    bench.send(from(bench, way), std::string(100'000, 'a'));
    bench.join();
    bench.run();
    CHECK_FALSE(from(bench, way).reading());
    bench.take_in(to(bench, way), MemoryLink::unlimited);
    CHECK(from(bench, way).reading());
    CHECK(to(bench, way).take() == std::string(100'000, 'a'));
  }
}

TEST_CASE("tunnel: input that the session before had held flows again") {
  for (int way = 0; way < ways; ++way) {
    Bench bench;
    from(bench, way).hold_input();
    bench.join();
    bench.run();
    bench.send(from(bench, way), "go");
    CHECK(to(bench, way).take() == "go");
  }
}

TEST_CASE("tunnel: the end of one side's output is passed on, and the other goes on") {
  for (int way = 0; way < ways; ++way) {
    Joined joined;
    MemoryLink& first = from(joined, way);
    MemoryLink& second = to(joined, way);
    second.set_window(0);
    joined.send(first, "last words");
    joined.end(first);
    CHECK_FALSE(second.output_is_over());
    joined.take_in(second, MemoryLink::unlimited);
    CHECK(second.take() == "last words");
    CHECK(second.output_is_over());
    CHECK_FALSE(first.closed());
    joined.send(second, "response");
    CHECK(first.take() == "response");
    joined.end(second);
    CHECK(joined.over());
    CHECK_FALSE(first.was_aborted());
  }
}

TEST_CASE("tunnel: an end that came before it is passed on too") {
  for (int way = 0; way < ways; ++way) {
    Bench bench;
    bench.send(from(bench, way), "last words");
    bench.end(from(bench, way));
    bench.join();
    bench.run();
    CHECK(to(bench, way).take() == "last words");
    CHECK(to(bench, way).output_is_over());
    CHECK_FALSE(from(bench, way).closed());
  }
}

TEST_CASE("tunnel: a side that is gone ends the other, after its bytes have left") {
  for (int way = 0; way < ways; ++way) {
    Joined joined;
    MemoryLink& first = from(joined, way);
    MemoryLink& second = to(joined, way);
    second.set_window(3);
    joined.send(first, "last words");
    joined.reset(first);
    CHECK_FALSE(second.closed());
    joined.take_in(second, MemoryLink::unlimited);
    CHECK(second.take() == "last words");
    CHECK(second.closed());
    CHECK_FALSE(second.was_aborted());
  }
}

TEST_CASE("tunnel: both sides go at once") {
  Joined joined;
  joined.one.abort();
  joined.two.abort();
  joined.run();
  CHECK(joined.over());
}

TEST_CASE("tunnel: a side that leaves at the moment of the switch ends the other") {
  for (int way = 0; way < ways; ++way) {
    Bench bench;
    bench.send(from(bench, way), "more");
    bench.join();
    to(bench, way).abort();  // nobody has been told yet
    bench.run();
    CHECK(bench.over());
    CHECK(bench.counter.gone == 1);
  }
}

TEST_CASE("tunnel: ends when nothing has come for long, either way") {
  Joined joined;
  joined.advance(999);
  joined.send(joined.one, "a");
  joined.advance(999);
  joined.send(joined.two, "b");
  joined.advance(999);
  CHECK_FALSE(joined.one.closed());
  CHECK_FALSE(joined.two.closed());
  joined.advance(1);
  CHECK(joined.over());
}

TEST_CASE("tunnel: no limit of silence, and none of the session before") {
  Bench bench(base::never);
  bench.one.set_deadline(bench.now + base::Time{500});
  bench.two.set_deadline(bench.now + base::Time{500});
  bench.join();
  bench.run();
  bench.advance(1'000'000'000);
  CHECK_FALSE(bench.one.closed());
  CHECK_FALSE(bench.two.closed());
  CHECK(bench.one.due() == base::never);
  CHECK(bench.two.due() == base::never);
}

TEST_CASE("tunnel: it ends when the server stops, after the queue has left") {
  for (int way = 0; way < ways; ++way) {
    Joined joined;
    from(joined, way).set_window(0);
    joined.send(to(joined, way), "last words");
    from(joined, way).server_stops();
    joined.run();
    CHECK(to(joined, way).closed());
    CHECK_FALSE(from(joined, way).closed());
    joined.take_in(from(joined, way), MemoryLink::unlimited);
    CHECK(from(joined, way).take() == "last words");
    CHECK(joined.over());
  }
}

TEST_CASE("tunnel: it ends too if it begins after the stop") {
  Bench bench;
  bench.one.server_stops();
  bench.two.server_stops();
  bench.one.out().append("HTTP/1.1 101");
  bench.join();
  bench.run();
  CHECK(bench.one.take() == "HTTP/1.1 101");
  CHECK(bench.over());
  CHECK_FALSE(bench.one.was_aborted());
  CHECK(bench.counter.gone == 1);
}

TEST_CASE("tunnel: a link that is counted counts until its side of the tunnel has gone") {
  Joined joined;
  joined.send(joined.one, "a");
  CHECK(joined.counter.gone == 0);
  joined.two.set_window(0);
  joined.send(joined.one, "b");
  joined.reset(joined.one);
  joined.take_in(joined.two, MemoryLink::unlimited);
  CHECK(joined.counter.gone == 1);
}
