#include "io/resolver.h"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "unit/io/blocked_threads.h"
#include "unit/io/turns.h"

namespace {

using namespace wharf;
using io::Found;
using io::Resolver;
using test::Gate;
using test::Turns;
using Texts = std::vector<std::string>;

/// Finds 192.0.2.1 for every name except "nobody", when the test says so. What it shares with the threads may outlive it.
class Names {
 public:
  [[nodiscard]] io::Lookup lookup() const {
    return [asked = asked_, wait = gate.task()](const std::string& host, const std::string& port) {
      wait();
      const std::lock_guard lock(asked->mutex);
      asked->names.push_back(host + " " + port);
      if (host == "nobody") return Found{{}, "no such host"};
      return io::take_as_numbers("192.0.2.1", port);
    };
  }
  [[nodiscard]] Texts asked() const {
    const std::lock_guard lock(asked_->mutex);
    return asked_->names;
  }
  Gate gate;

 private:
  struct Asked {
    std::mutex mutex;
    Texts names;
  };
  std::shared_ptr<Asked> asked_ = std::make_shared<Asked>();
};

struct Bench {
  Names names;
  io::Executor executor{{.threads = 2, .waiting = 1}};
  Turns turns;
  Resolver resolver{turns.loop(), executor, names.lookup()};
  Texts told;

  bool ask(Resolver::Query& query, const std::string& host, const std::string& port = "80") {
    return resolver.look_up(query, {host, port}, [this](const Found& found) {
      told.push_back(found.failure.empty() ? found.addresses.front().text() : found.failure);
    });
  }
};

}  // namespace

TEST_CASE("resolver: a name is looked up once for all who ask meanwhile, each is told, and later ones have it looked up again") {
  Bench bench;
  Resolver::Query first;
  Resolver::Query second;
  Resolver::Query other;
  REQUIRE(bench.ask(first, "a.example"));
  REQUIRE(bench.ask(second, "a.example"));
  REQUIRE(bench.ask(other, "a.example", "81"));
  bench.names.gate.wait_for(2);
  CHECK(bench.told.empty());
  bench.names.gate.let_go(2);
  REQUIRE(bench.turns.until([&] { return bench.told.size() == 3; }));
  CHECK(bench.names.asked().size() == 2);
  bench.names.gate.let_go();
  REQUIRE(bench.ask(first, "a.example"));
  REQUIRE(bench.turns.until([&] { return bench.told.size() == 4; }));
  CHECK(bench.names.asked().size() == 3);
  CHECK(bench.told.back() == "192.0.2.1:80");
}

TEST_CASE("resolver: a host whose name servers hang leaves threads to others, whatever ports it is asked for with") {
  const Gate hangs;
  io::Executor executor({.threads = 2, .waiting = 8, .of_one = 1});
  Turns turns;
  Resolver resolver(turns.loop(), executor, [wait = hangs.task()](const std::string& host, const std::string& port) {
    if (host == "a.example") wait();
    return io::take_as_numbers("192.0.2.1", port);
  });
  std::array<Resolver::Query, 3> queries;
  Texts told;
  const auto tell = [&told](const Found& found) { told.push_back(found.addresses.front().text()); };
  REQUIRE(resolver.look_up(queries[0], {"a.example", "80"}, tell));
  REQUIRE(resolver.look_up(queries[1], {"a.example", "81"}, tell));
  REQUIRE(resolver.look_up(queries[2], {"b.example", "82"}, tell));
  REQUIRE(turns.until([&told] { return !told.empty(); }));
  CHECK(told == Texts{"192.0.2.1:82"});
  hangs.let_go(2);
  REQUIRE(turns.until([&told] { return told.size() == 3; }));
}

TEST_CASE("resolver: why there are no addresses") {
  Bench bench;
  Resolver::Query query;
  REQUIRE(bench.ask(query, "nobody"));
  bench.names.gate.let_go();
  REQUIRE(bench.turns.until([&] { return !bench.told.empty(); }));
  CHECK(bench.told == Texts{"no such host"});
}

TEST_CASE("resolver: a look-up that throws has found nothing") {
  io::Executor executor({.threads = 1});
  Turns turns;
  Resolver resolver(turns.loop(), executor, [](const std::string&, const std::string&) -> Found { throw std::bad_alloc(); });
  Resolver::Query query;
  std::string told;
  REQUIRE(resolver.look_up(query, {"a.example", "80"}, [&told](const Found& found) { told = found.failure; }));
  REQUIRE(turns.until([&told] { return !told.empty(); }));
  CHECK(told == "the name cannot be looked up for now");
}

TEST_CASE("resolver: an exception of one that waited kept the name from the others, and their list was gone") {
  Bench bench;
  Resolver::Query first;
  Resolver::Query second;
  REQUIRE(bench.resolver.look_up(first, {"a.example", "80"}, [](const Found&) { throw std::bad_alloc(); }));
  REQUIRE(bench.ask(second, "a.example"));
  bench.names.gate.let_go();
  CHECK(bench.turns.until([&] { return !bench.told.empty(); }));
  CHECK(bench.told == Texts{"192.0.2.1:80"});
}

TEST_CASE("resolver: a query that is destroyed is not told; the look-up goes on, and others may join it") {
  Bench bench;
  Resolver::Query stays;
  {
    Resolver::Query goes;
    REQUIRE(bench.ask(goes, "a.example"));
    bench.names.gate.wait_for();
  }
  REQUIRE(bench.ask(stays, "a.example"));
  Resolver::Query forgets;
  REQUIRE(bench.ask(forgets, "a.example"));
  forgets.forget();
  bench.names.gate.let_go();
  REQUIRE(bench.turns.until([&] { return !bench.told.empty(); }));
  CHECK(bench.told == Texts{"192.0.2.1:80"});
  CHECK(bench.names.asked().size() == 1);
}

TEST_CASE("resolver: as many names as may; a name that is asked for already still has room") {
  Bench bench;
  std::array<Resolver::Query, 5> queries;
  for (std::size_t i = 0; i < 2; ++i) REQUIRE(bench.ask(queries[i], "name" + std::to_string(i)));
  bench.names.gate.wait_for(2);
  REQUIRE(bench.ask(queries[2], "name2"));
  CHECK_FALSE(bench.ask(queries[3], "name3"));
  CHECK(bench.ask(queries[4], "name0"));
  bench.names.gate.let_go(3);
  REQUIRE(bench.turns.until([&] { return bench.told.size() == 4; }));
}

TEST_CASE("resolver: a query that is told may ask again, or destroy another") {
  Bench bench;
  Resolver::Query first;
  Resolver::Query second;
  int told = 0;
  REQUIRE(bench.resolver.look_up(first, {"a.example", "80"}, [&](const Found&) {
    ++told;
    second.forget();
    CHECK(bench.ask(first, "a.example"));
  }));
  REQUIRE(bench.ask(second, "a.example"));
  bench.names.gate.let_go(2);
  REQUIRE(bench.turns.until([&] { return !bench.told.empty(); }));
  CHECK(told == 1);
  CHECK(bench.told.size() == 1);
}

TEST_CASE("resolver: it may be destroyed before its look-ups and queries, and the loop may end before") {
  const Gate gate;
  const auto lookup = [task = gate.task()](const std::string&, const std::string&) {
    task();
    return Found{{}, "no such host"};
  };
  for (const bool loop_first : {false, true}) {
    CAPTURE(loop_first);
    io::Executor executor({.threads = 2});
    Resolver::Query query;
    Turns turns;
    {
      Resolver resolver(turns.loop(), executor, lookup);
      REQUIRE(resolver.look_up(query, {"a.example", "80"}, [](const Found&) { FAIL("told"); }));
      gate.wait_for();
      if (loop_first) turns.loop().stop(base::Time{0}, nullptr);
    }
    gate.let_go();
    turns.for_a_while(std::chrono::milliseconds(5));
  }
}

TEST_CASE("resolver: the system's look-up") {
  CHECK(io::take_as_numbers("127.0.0.1", "80").addresses.front().text() == "127.0.0.1:80");
  CHECK(io::take_as_numbers("::1", "80").addresses.front().text() == "[::1]:80");
  CHECK(io::take_as_numbers("localhost", "80").failure == "no such host");
  CHECK(io::look_up_by_system("localhost", "80").failure.empty());
  CHECK(io::look_up_by_system("a..b", "80").failure == "no such host");
  CHECK(io::look_up_by_system(std::string(5'000, 'a'), "80").failure == "no such host");
  CHECK(io::look_up_by_system("127.0.0.1", "no-such-service").failure == "no such port");
}
