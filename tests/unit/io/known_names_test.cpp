// Names that a loop has looked up a short while ago.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "io/address.h"
#include "io/connector.h"
#include "io/listener.h"
#include "io/resolver.h"
#include "unit/io/blocked_threads.h"
#include "unit/io/turns.h"

namespace {

using namespace wharf;
using io::Found;
using io::Resolver;

/// A name server that the test plays. What it shares with the threads may outlive it.
class NameServer {
 public:
  enum class Mood { knows, fails_for_now, denies, hangs };

  [[nodiscard]] io::Lookup lookup() const {
    return [state = state_, wait = gate_.task()](const std::string&, const std::string& port) {
      ++state->asked;
      switch (state->mood.load()) {
        case Mood::fails_for_now: return Found{{}, "the name cannot be looked up for now", true};
        case Mood::denies: return Found{{}, "no such host"};
        case Mood::hangs: wait(); break;
        case Mood::knows: break;
      }
      return io::take_as_numbers("127.0.0.1", port);
    };
  }
  void is(Mood mood) const { state_->mood = mood; }
  [[nodiscard]] int asked() const { return state_->asked; }
  [[nodiscard]] const test::Gate& gate() const { return gate_; }

 private:
  struct State {
    std::atomic<Mood> mood{Mood::knows};
    std::atomic<int> asked{0};
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
  test::Gate gate_;
};
using Mood = NameServer::Mood;

struct Bench {
  ~Bench() { names.gate().let_go(8); }

  /// The outcome of a connection to that name.
  std::string connect() {
    std::string outcome;
    const auto attempt = io::Connector::start(
        turns.loop(), resolver, base::Endpoint{"up.example", port, {}}, base::Time{15'000},
        [&outcome](session::Link&) {
          outcome = "connected";
          return nullptr;
        },
        [&outcome](std::string_view reason) { outcome = reason; });
    CHECK(turns.until([&outcome] { return !outcome.empty(); }));
    return outcome;
  }
  /// Makes the known addresses of the name older.
  void age(base::Time time) {
    const auto known = resolver.known({"up.example", port});
    REQUIRE(known);
    known->found_at -= time;
  }
  void listen() {
    auto opened = io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 16, io::ListeningSocket::Sharing::alone);
    REQUIRE(opened);
    port = std::to_string(opened->address().port());
    listening = std::make_unique<io::ListeningSocket>(std::move(*opened));
  }

  NameServer names;
  io::Executor executor{{.threads = 2, .waiting = 8}};
  test::Turns turns;
  Resolver resolver{turns.loop(), executor, names.lookup()};
  std::unique_ptr<io::ListeningSocket> listening;
  std::string port;
};

}  // namespace

TEST_CASE("known names: each connection had its name looked up anew, which took a name server for each request") {
  Bench bench;
  bench.listen();
  for (int i = 0; i < 3; ++i) CHECK(bench.connect() == "connected");
  CHECK(bench.names.asked() == 1);
  bench.age(Resolver::fresh_time);
  for (int i = 0; i < 3; ++i) CHECK(bench.connect() == "connected");
  CHECK(bench.names.asked() == 2);
}

TEST_CASE("known names: known addresses serve while the name cannot be looked up, but not for ever") {
  Bench bench;
  bench.listen();
  CHECK(bench.connect() == "connected");
  bench.names.is(Mood::fails_for_now);
  bench.age(Resolver::fresh_time);
  CHECK(bench.connect() == "connected");
  CHECK(bench.connect() == "connected");
  CHECK(bench.names.asked() == 3);
  bench.age(Resolver::stale_time);
  CHECK(bench.connect() == "the name cannot be looked up for now");
}

TEST_CASE("known names: a name server that hangs does not keep requests waiting if the name is known") {
  Bench bench;
  bench.listen();
  CHECK(bench.connect() == "connected");
  bench.names.is(Mood::hangs);
  bench.age(Resolver::fresh_time);
  CHECK(bench.connect() == "connected");
  CHECK(bench.connect() == "connected");
  CHECK(bench.names.asked() == 2);  // one look-up is under way, and is enough
}

TEST_CASE("known names: a name that there is no more is forgotten") {
  Bench bench;
  bench.listen();
  CHECK(bench.connect() == "connected");
  bench.names.is(Mood::denies);
  bench.age(Resolver::fresh_time);
  CHECK(bench.connect() == "no such host");
  CHECK_FALSE(bench.resolver.known({"up.example", bench.port}));
  bench.names.is(Mood::fails_for_now);
  CHECK(bench.connect() == "the name cannot be looked up for now");
}

TEST_CASE("known names: addresses that are of no use are looked up again at once") {
  Bench bench;
  bench.listen();
  CHECK(bench.connect() == "connected");
  bench.listening.reset();  // it has moved
  CHECK(bench.connect() == "connection refused");
  CHECK(bench.names.asked() == 1);
  CHECK(bench.connect() == "connection refused");
  CHECK(bench.names.asked() == 2);
  CHECK(bench.connect() == "connection refused");
  CHECK(bench.names.asked() == 3);
}

TEST_CASE("known names: no more than 256 are remembered") {
  Bench bench;
  std::size_t told = 0;
  for (std::size_t i = 0; i <= Resolver::most_remembered; ++i) {
    Resolver::Query query;
    REQUIRE(bench.resolver.look_up(query, {"name" + std::to_string(i), "80"}, [&told](const Found&) { ++told; }));
    REQUIRE(bench.turns.until([&] { return told == i + 1; }));
  }
  CHECK_FALSE(bench.resolver.known({"name0", "80"}));
  CHECK(bench.resolver.known({"name1", "80"}));
  CHECK(bench.resolver.known({"name256", "80"}));
}
