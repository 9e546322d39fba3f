#include "io/drain.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "io/address.h"
#include "io/listener.h"
#include "unit/io/turns.h"

// How a loop ends slowly. The pace has a clock of the test's own.

namespace {

using namespace wharf;
using namespace wharf::io;
using base::Time;

/// Takes whatever comes, and ends when told.
class Patient final : public session::Session {
 public:
  Patient(session::Link& link, std::vector<std::string>& told, Drains drains) : link_(link), told_(told), drains_(drains) {}
  std::size_t input(std::span<char> bytes) override {
    link_.out().append({bytes.data(), bytes.size()});
    return bytes.size();
  }
  void end_of_input() override { link_.finish(); }
  Drains drain() override {
    told_.emplace_back("drain");
    return drains_;
  }
  void shut_down() override {
    told_.emplace_back("shut down");
    link_.finish();
  }

 private:
  session::Link& link_;
  std::vector<std::string>& told_;
  Drains drains_;
};

}  // namespace

TEST_CASE("drain: an even pace, the first at once, each in its time and none twice") {
  EvenPace pace(Time{1'000}, Time{600}, 3);
  CHECK(pace.due(Time{999}) == 0);
  CHECK(pace.next() == Time{1'000});
  CHECK(pace.due(Time{1'000}) == 1);
  pace.done();
  CHECK(pace.due(Time{1'000}) == 0);
  CHECK(pace.next() == Time{1'200});
  CHECK(pace.due(Time{1'199}) == 0);
  CHECK(pace.due(Time{1'200}) == 1);
  CHECK(pace.due(Time{1'400}) == 2);  // a loop that was late makes up for it
  pace.done();
  pace.done();
  CHECK(pace.over());
  CHECK(pace.next() == base::never);
  CHECK(pace.due(Time{9'000}) == 0);
}

TEST_CASE("drain: a million have their turns at an even rate, none before its time") {
  constexpr std::size_t many = 1'000'000;
  EvenPace pace(Time{0}, Time{22'500}, many);
  std::size_t most_at_once = 0;
  for (Time now{0}; now <= Time{22'500}; now += Time{1}) {
    const std::size_t due = pace.due(now);
    most_at_once = std::max(most_at_once, due);
    for (std::size_t i = 0; i < due; ++i) pace.done();
    if (!pace.over()) REQUIRE(pace.next() > now);
  }
  CHECK(pace.over());
  CHECK(most_at_once <= many / 22'500 + 1);
}

TEST_CASE("drain: no time, and nobody") {
  CHECK(EvenPace(Time{5}, Time{0}, 7).due(Time{5}) == 7);
  CHECK(EvenPace(Time{5}, Time{100}, 0).due(Time{5}) == 0);
  CHECK(EvenPace(Time{5}, Time{100}, 0).over());
}

namespace {

/// A loop with a listening socket, clients of it, and what their sessions are told.
struct DrainBench {
  explicit DrainBench(Patient::Drains drains) {
    auto socket = ListeningSocket::open(*resolve_interface("127.0.0.1", 0), 64, ListeningSocket::Sharing::alone);
    REQUIRE(socket);
    address = socket->address();
    turns.loop().add(Listener::create(turns.loop(), std::move(*socket), [this, drains](session::Link& link) {
      return std::make_unique<Patient>(link, told, drains);
    }));
  }
  base::Descriptor connect() {
    base::Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(client.get(), address.get(), address.size) != 0) return {};
    clients.push_back(client.get());
    return client;
  }
  [[nodiscard]] std::ptrdiff_t count(const std::string& what) const { return std::count(told.begin(), told.end(), what); }

  std::vector<std::string> told;
  test::Turns turns;
  Address address;
  std::vector<int> clients;
};

}  // namespace

TEST_CASE("drain: those that do not end by themselves are told one after the other, and the loop ends after the last") {
  DrainBench bench(session::Session::Drains::when_told);
  std::vector<base::Descriptor> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(bench.connect());
  REQUIRE(bench.turns.until([&] { return bench.turns.loop().connection_count() == 4; }));
  bool stopped = false;
  const Time begin = bench.turns.loop().now();
  bench.turns.loop().drain(Time{400}, Backlog::served, [&] { stopped = true; });
  CHECK(bench.count("drain") == 4);
  CHECK(bench.count("shut down") == 1);
  REQUIRE(bench.turns.until([&] { return bench.count("shut down") == 4; }));
  CHECK(bench.turns.loop().now() - begin >= Time{225});  // three quarters of three quarters
  clients.clear();
  REQUIRE(bench.turns.until([&] { return stopped; }));
  CHECK_FALSE(bench.connect());
}

TEST_CASE("drain: what ends by itself is told at three quarters of the time, and cut at its end") {
  DrainBench bench(session::Session::Drains::by_itself);
  const base::Descriptor client = bench.connect();
  REQUIRE(bench.turns.until([&] { return bench.turns.loop().connection_count() == 1; }));
  const Time begin = bench.turns.loop().now();
  bool stopped = false;
  bench.turns.loop().drain(Time{200}, Backlog::served, [&] { stopped = true; });
  REQUIRE(bench.turns.until([&] { return bench.count("shut down") == 1; }));
  CHECK(bench.turns.loop().now() - begin >= Time{150});
  CHECK(bench.turns.loop().stopping());
  REQUIRE(bench.turns.until([&] { return stopped; }));  // the client does not end its side
}

TEST_CASE("drain: whoever waits to be accepted is accepted, and then clients are refused") {
  DrainBench bench(session::Session::Drains::when_told);
  std::vector<base::Descriptor> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(bench.connect());
  bench.turns.loop().drain(Time{60'000}, Backlog::served, nullptr);
  REQUIRE(bench.turns.until([&] { return bench.count("drain") == 60; }));
  bench.turns.for_a_while(std::chrono::milliseconds(250));
  CHECK_FALSE(bench.connect());
  for (const base::Descriptor& client : clients) {
    CHECK(::send(client.get(), "x", 1, MSG_NOSIGNAL) == 1);
    char byte = 0;
    REQUIRE(bench.turns.until([&] { return ::recv(client.get(), &byte, 1, MSG_DONTWAIT) == 1; }));
  }
}

TEST_CASE("drain: a backlog that is left to another process is not touched") {
  DrainBench bench(session::Session::Drains::when_told);
  auto other = ListeningSocket::open(*resolve_interface("127.0.0.1", 0), 64, ListeningSocket::Sharing::alone);
  REQUIRE(other);
  auto same = other->duplicate();
  REQUIRE(same);
  bench.address = other->address();
  bench.turns.loop().add(Listener::create(bench.turns.loop(), std::move(*same), [&](session::Link& link) {
    return std::make_unique<Patient>(link, bench.told, session::Session::Drains::when_told);
  }));
  const base::Descriptor early = bench.connect();
  bool stopped = false;
  bench.turns.loop().drain(Time{60'000}, Backlog::left, [&] { stopped = true; });
  REQUIRE(bench.turns.until([&] { return stopped; }));
  CHECK(bench.told.empty());
  const base::Descriptor late = bench.connect();
  CHECK(late);
  for (int i = 0; i < 2; ++i) CHECK(base::Descriptor(::accept4(other->descriptor(), nullptr, nullptr, SOCK_CLOEXEC)));
}

TEST_CASE("drain: a stop ends it sooner, and a cut at once") {
  for (const bool cut : {false, true}) {
    CAPTURE(cut);
    DrainBench bench(session::Session::Drains::by_itself);
    const base::Descriptor client = bench.connect();
    REQUIRE(bench.turns.until([&] { return bench.turns.loop().connection_count() == 1; }));
    bool drained = false;
    bool stopped = false;
    bench.turns.loop().drain(Time{600'000}, Backlog::served, [&] { drained = true; });
    if (cut) bench.turns.loop().cut();
    else bench.turns.loop().stop(Time{50}, [&] { stopped = true; });
    REQUIRE(bench.turns.until([&] { return drained || stopped; }));
    CHECK(drained == cut);
    CHECK(bench.count("shut down") == 1);
  }
}
