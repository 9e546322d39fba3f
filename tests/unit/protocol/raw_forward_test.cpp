#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/raw.h"
#include "protocol/services.h"
#include "unit/link/test_outside.h"
#include "unit/server/served.h"

// A raw row that hands its connection on to another server.

namespace {

using namespace wharf;
using namespace std::chrono_literals;
using session::MemoryLink;

/// Hands on at once, or when its first bytes come.
struct Onward {
  static inline std::string to;
  static inline std::string first;
  static inline bool at_once = true;
  static inline std::vector<std::string> story{};
  static inline std::optional<Pipe> last{};

  explicit Onward(Pipe client) : pipe(client) {
    last = client;
    if (at_once) go();
  }
  void go() const { story.emplace_back(pipe.forward(to, first, 3s) ? "goes" : "cannot go"); }
  void data(std::string_view bytes) const {
    story.push_back("data " + std::string(bytes));
    if (!at_once) go();
  }
  void ended() const { story.emplace_back("ended"); }
  void closing() const { story.emplace_back("closing"); }

  Pipe pipe;
};

struct Bench {
  explicit Bench(const std::string& to = "host:80") {
    Onward::to = to;
    Onward::first.clear();
    Onward::at_once = true;
    Onward::story.clear();
    home.home.outside = &outside;
    const wharf_row row = wharf::protocol<Onward>("onward");
    scope.row = row;
    scope.raw = *row.raw;
    scope.limits.pipe_idle = base::Time{1'000};
  }
  ~Bench() {
    for (MemoryLink* each : {&client, &other})
      if (!each->closed()) {
        each->abort();
        each->run();
      }
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void begin() {
    client.open(session::Raw::open(client, scope, scope.raw, nullptr));
    settle();
  }
  void reach() {
    const auto attempt = std::move(outside.attempts.front());
    outside.attempts.pop_front();
    other.open(attempt.connected(other));
    settle();
  }
  void settle() {
    for (int i = 0; i < 4; ++i) {
      client.run();
      other.run();
    }
  }

  server::TestHome home;
  server::TestOutside outside{home.now};
  base::ChunkPool pool;
  session::OutputLimits output;
  session::Protocol scope{session::service_table(), home.home};
  MemoryLink client{pool, output, home.now};
  MemoryLink other{pool, output, home.now};
};

using Story = std::vector<std::string>;

}  // namespace

TEST_CASE("raw forward: bytes of both sides, those that came while it was connected too, and the row ends") {
  Bench bench;
  Onward::first = "first ";
  bench.begin();
  REQUIRE(bench.outside.attempts.size() == 1);
  CHECK((bench.outside.attempts.front().to == base::Endpoint{"host", "80"}));
  CHECK(bench.outside.attempts.front().limit == base::Time{3'000});
  bench.client.receive("early ");
  CHECK((Onward::story == Story{"goes"}));
  bench.reach();
  CHECK((Onward::story == Story{"goes", "closing"}));
  bench.client.receive("late");
  bench.settle();
  CHECK(bench.other.take() == "first early late");
  bench.other.receive("back");
  bench.settle();
  CHECK(bench.client.take() == "back");
}

TEST_CASE("raw forward: what an address is") {
  for (const std::string to : {"", "host", "host:", ":1", "[::1]", "[::1", "unix:", "unix:relative", "/path"}) {
    CAPTURE(to);
    Bench bench(to);
    bench.begin();
    CHECK((Onward::story == Story{"cannot go"}));
    CHECK(bench.outside.count == 0);
  }
  for (const std::string to : {"host:1", "[::1]:1", "127.0.0.1:http", "unix:/run/a", "unix:@name"}) {
    CAPTURE(to);
    Bench bench(to);
    bench.begin();
    CHECK((Onward::story == Story{"goes"}));
    CHECK(bench.outside.count == 1);
  }
}

TEST_CASE("raw forward: a row that has looked at the first bytes passes them on itself") {
  Bench bench;
  Onward::at_once = false;
  Onward::first = "seen";
  bench.begin();
  bench.client.receive("seen");
  bench.client.receive(" unseen");
  CHECK((Onward::story == Story{"data seen", "goes"}));
  bench.reach();
  CHECK(bench.other.take() == "seen unseen");
}

TEST_CASE("raw forward: once, and nothing is written or ended after it") {
  Bench bench;
  bench.begin();
  CHECK_FALSE(Onward::last->forward("host:80"));
  CHECK(Onward::last->write("x") == Flow::closed);
  Onward::last->end();
  bench.settle();
  CHECK_FALSE(bench.client.output_is_over());
  CHECK(bench.client.take().empty());
}

TEST_CASE("raw forward: a server that is not reached closes the connection, and the log says why") {
  Bench bench;
  bench.begin();
  bench.client.receive("lost");
  bench.outside.attempts.front().failed("connection refused");
  bench.settle();
  CHECK(bench.client.closed());
  CHECK((Onward::story == Story{"goes", "closing"}));
  REQUIRE(bench.home.log_lines.size() == 1);
  CHECK(bench.home.log_lines.front() == "error: 192.0.2.1:4711: closed, 'host:80' could not be reached: connection refused");
}

TEST_CASE("raw forward: a client that goes meanwhile leaves nothing behind") {
  Bench bench;
  bench.begin();
  bench.client.abort();
  bench.settle();
  CHECK((Onward::story == Story{"goes", "closing"}));
  CHECK(bench.outside.attempts.empty());
  CHECK(bench.outside.given_up == 1);
  CHECK(bench.home.log_lines.empty());
}

TEST_CASE("raw forward: the end of the client's output waits for the other server, and is passed on") {
  Bench bench;
  bench.begin();
  bench.client.receive("all");
  bench.client.receive_end();
  bench.settle();
  CHECK_FALSE(bench.client.closed());
  bench.reach();
  CHECK(bench.other.take() == "all");
  CHECK(bench.other.output_is_over());
  bench.other.receive("reply");
  bench.other.receive_end();
  bench.settle();
  CHECK(bench.client.take() == "reply");
  CHECK(bench.client.closed());
  CHECK(bench.other.closed());
}

TEST_CASE("raw forward: a stop of the server ends it at every stage") {
  Bench waiting;
  waiting.begin();
  waiting.client.server_stops();
  waiting.settle();
  CHECK(waiting.client.closed());

  Bench joined;
  joined.begin();
  joined.reach();
  joined.client.server_stops();
  joined.settle();
  CHECK(joined.client.closed());
  CHECK(joined.other.closed());
}

TEST_CASE("raw forward: while it is connected nothing is idle; afterwards both sides are after the limit") {
  Bench bench;
  bench.begin();
  bench.home.now += base::Time{2'900};
  bench.settle();
  CHECK_FALSE(bench.client.closed());
  bench.reach();
  bench.home.now += base::Time{999};
  bench.settle();
  CHECK_FALSE(bench.client.closed());
  bench.home.now += base::Time{1};
  bench.settle();
  CHECK(bench.client.closed());
  CHECK(bench.other.closed());
}

TEST_CASE("raw forward: a client that sends much while it is connected is not read from") {
  Bench bench;
  bench.begin();
  bench.client.receive(std::string(1'000'000, 'x'));
  CHECK_FALSE(bench.client.reading());
  CHECK(bench.client.unread() > 800'000);
  bench.reach();
  bench.settle();
  CHECK(bench.other.take() == std::string(1'000'000, 'x'));
}
