#include "io/connector.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/address.h"
#include "io/listener.h"
#include "temporary_folder.h"
#include "unit/io/connecting.h"
#include "unit/io/named_turns.h"
#include "unit/link/scripted.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Events = std::vector<std::string>;

/// Our own socket that is connected to that address; -1: none.
int socket_to(const io::Address& address) {
  for (const int each : descriptors()) {
    io::Address other;
    if (getpeername(each, other.get(), &other.size) == 0 && other.text() == address.text()) return each;
  }
  return -1;
}

}  // namespace

TEST_CASE("connector: a host and port, by address and by name; the socket is as those that were accepted") {
  for (const char* const host : {"127.0.0.1", "localhost"}) {
    CAPTURE(host);
    const io::ListeningSocket listening = listen_on();
    Attempt attempt;
    NamedTurns turns;
    attempt.start(turns, base::Endpoint{host, port_of(listening), {}});
    REQUIRE(attempt.wait());
    REQUIRE(attempt.connected == 1);
    CHECK(attempt.failures.empty());
    CHECK(attempt.story.take() == Events{"ours start"});
    CHECK(attempt.link->address() == listening.address().text());
    const int ours = socket_to(listening.address());
    REQUIRE(ours >= 0);
    int no_delay = 0;
    socklen_t size = sizeof no_delay;
    CHECK(getsockopt(ours, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size) == 0);
    CHECK(no_delay != 0);
    int keep_alive = 0;
    CHECK(getsockopt(ours, SOL_SOCKET, SO_KEEPALIVE, &keep_alive, &size) == 0);
    CHECK(keep_alive == 1);
    int idle = 0;
    CHECK(getsockopt(ours, IPPROTO_TCP, TCP_KEEPIDLE, &idle, &size) == 0);
    CHECK(idle == 180);
    CHECK((fcntl(ours, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((fcntl(ours, F_GETFL) & O_NONBLOCK) != 0);
    const int theirs = accept(listening.descriptor(), nullptr, nullptr);
    REQUIRE(send(theirs, "hello", 5, 0) == 5);
    REQUIRE(turns.until([&] { return !attempt.story.events.empty(); }));
    CHECK(attempt.story.take() == Events{"ours input hello"});
    close(theirs);
    REQUIRE(turns.until([&] { return !attempt.story.events.empty(); }));
    CHECK(attempt.story.take() == Events{"ours end of input"});
  }
}

TEST_CASE("connector: why a connection fails, in a few words") {
  CHECK(failure_of(base::Endpoint{"127.0.0.1", free_port(), {}}) == "connection refused");
  CHECK(failure_of(base::Endpoint{"localhost", free_port(), {}}) == "connection refused");
  CHECK(failure_of(base::Endpoint{"a..b", "80", {}}) == "no such host");  // no name server is asked for this
  CHECK(failure_of(base::Endpoint{"", "80", {}}) == "no such host");
  CHECK(failure_of(base::Endpoint{std::string(5'000, 'a'), "80", {}}) != "");
  for (const char* const port : {"", "0", "65536", "4294967376", "99999999999999999999"}) {
    CAPTURE(port);
    CHECK(failure_of(base::Endpoint{"127.0.0.1", port, {}}) == "no such port");
  }
  CHECK(failure_of(base::Endpoint{"127.0.0.1", "no-such-service", {}}) == "no such port");
  CHECK(failure_of(base::Endpoint{{}, {}, "/no/such/folder/socket"}) == "no such socket");
  CHECK(failure_of(base::Endpoint{{}, {}, abstract_name("nobody")}) == "connection refused");
  CHECK(failure_of(base::Endpoint{{}, {}, std::string(200, '/')}) ==
        "the path of a unix socket is too long: it has at most 107 bytes");
}

TEST_CASE("connector: a peer that does not answer") {
  const io::ListeningSocket listening = listen_on("127.0.0.1", 0);
  const FullBacklog full(listening);
  const auto begin = steady_clock::now();
  CHECK(failure_of(base::Endpoint{"127.0.0.1", port_of(listening), {}}, base::Time{100}) == "timed out");
  CHECK(steady_clock::now() - begin >= milliseconds(90));
  CHECK(steady_clock::now() - begin < milliseconds(5'000));
}

TEST_CASE("connector: a limit of no time at all, and of all the time") {
  const io::ListeningSocket listening = listen_on("127.0.0.1", 0);
  Attempt attempt;
  NamedTurns turns;
  attempt.start(turns, base::Endpoint{"127.0.0.1", port_of(listening), {}}, base::never);
  REQUIRE(attempt.wait());
  CHECK(attempt.connected == 1);
  const FullBacklog full(listening);
  CHECK(failure_of(base::Endpoint{"127.0.0.1", port_of(listening), {}}, base::Time{0}) == "timed out");
}

TEST_CASE("connector: addresses are tried in their order, and one that does not answer takes only its share of the time") {
  const io::ListeningSocket deaf = listen_on("127.0.0.1", 0);
  const FullBacklog full(deaf);
  const io::ListeningSocket first = listen_on();
  const io::ListeningSocket second = listen_on();
  const io::Address nobody = *io::resolve_interface("127.0.0.1", static_cast<std::uint16_t>(std::stoi(free_port())));
  const std::vector<std::vector<io::Address>> orders{{first.address(), second.address()},
                                                     {nobody, first.address()},
                                                     {*io::unix_address("/no/such/folder/socket"), first.address()},
                                                     {deaf.address(), first.address(), deaf.address()},
                                                     {nobody, deaf.address(), nobody, first.address()}};
  for (const std::vector<io::Address>& order : orders) {
    Attempt attempt;
    NamedTurns turns;
    attempt.start(turns, order, base::Time{2'000});
    REQUIRE(attempt.wait());
    REQUIRE(attempt.connected == 1);
    CHECK(attempt.link->address() == first.address().text());
  }
  CHECK(failure_of(std::vector{deaf.address(), nobody}, base::Time{1'000}) == "connection refused");
  CHECK(failure_of(std::vector{nobody, deaf.address()}, base::Time{100}) == "timed out");
  CHECK(failure_of(std::vector{nobody, *io::unix_address("/no/such/folder/socket")}) == "no such socket");
  CHECK(failure_of(std::vector<io::Address>{}) == "no such host");
}

TEST_CASE("connector: unix sockets, by path and by abstract name") {
  const TemporaryFolder folder;
  const std::string path = folder.file("socket");
  for (const std::string& name : {path, abstract_name("plain")}) {
    CAPTURE(name);
    const io::ListeningSocket listening = listen_on(*io::unix_address(name));
    Attempt attempt;
    NamedTurns turns;
    attempt.start(turns, base::Endpoint{"host and port do", "not count", name});
    REQUIRE(attempt.wait());
    REQUIRE(attempt.connected == 1);
    CHECK(attempt.link->address() == "unix:" + name);
  }
  const int left_behind = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const io::Address address = *io::unix_address(path);
  REQUIRE(bind(left_behind, address.get(), address.size) == 0);
  CHECK(failure_of(base::Endpoint{{}, {}, path}) == "connection refused");
  close(left_behind);
}

TEST_CASE("connector: a unix socket whose backlog is full is asked again until it has room, or the time is up") {
  const io::ListeningSocket listening = listen_on(*io::unix_address(abstract_name("full")), 0);
  const FullBacklog full(listening);
  CHECK(failure_of(base::Endpoint{{}, {}, abstract_name("full")}, base::Time{50}) == "timed out");
  Attempt attempt;
  NamedTurns turns;
  attempt.start(turns, base::Endpoint{{}, {}, abstract_name("full")});
  turns.for_a_while(milliseconds(40));
  CHECK_FALSE(attempt.over());
  full.accept_one();
  REQUIRE(attempt.wait());
  CHECK(attempt.connected == 1);
}

TEST_CASE("connector: a link that nobody wants any more when it is there is cut") {
  const io::ListeningSocket listening = listen_on();
  NamedTurns turns;
  bool asked = false;
  const auto attempt = io::Connector::start(
      turns.loop(), turns.resolver, base::Endpoint{"127.0.0.1", port_of(listening), {}}, long_enough,
      [&](session::Link&) {
        asked = true;
        return nullptr;
      },
      [](std::string_view) { FAIL("failed as well"); });
  REQUIRE(turns.until([&] { return asked && turns.loop().connection_count() == 0; }));
}

// ---- Names that take time ----

TEST_CASE("connector: the time is up even if the name is still being looked up") {
  const SlowNames names;
  Attempt attempt;
  NamedTurns turns(names);
  CHECK(attempt.failure(turns, base::Endpoint{"slow.example", "80", {}}, base::Time{30}) == "timed out");
  names.gate().wait_for();  // it was
}

TEST_CASE("connector: an address needs no name to be looked up") {
  const SlowNames names;
  const io::ListeningSocket listening = listen_on();
  Attempt attempt;
  NamedTurns turns(names);
  attempt.start(turns, base::Endpoint{"127.0.0.1", port_of(listening), {}});
  REQUIRE(attempt.wait());
  CHECK(attempt.connected == 1);
}

TEST_CASE("connector: if no more names may be looked up, that is the reason") {
  const SlowNames names;
  std::array<Attempt, 10> attempts;
  Attempt refused;
  NamedTurns turns(names);
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    attempts[i].start(turns, base::Endpoint{"slow" + std::to_string(i), "80", {}});
    if (i < 2) names.gate().wait_for();
  }
  CHECK(refused.failure(turns, base::Endpoint{"another", "80", {}}) == "too many names are being looked up");
}

// ---- The end of the loop ----

TEST_CASE("connector: a loop that ends while connecting calls nobody, and leaves nothing") {
  const io::ListeningSocket listening = listen_on("127.0.0.1", 0);
  const FullBacklog full(listening);
  const io::ListeningSocket listening_unix = listen_on(*io::unix_address(abstract_name("end")), 0);
  const FullBacklog full_unix(listening_unix);
  const std::vector<int> before = descriptors();
  for (const int turns_before : {0, 1, 5}) {
    CAPTURE(turns_before);
    Attempt tcp;
    Attempt by_path;
    Attempt refused;
    Attempt by_name;
    {
      NamedTurns turns;
      tcp.start(turns, base::Endpoint{"127.0.0.1", port_of(listening), {}});
      by_path.start(turns, base::Endpoint{{}, {}, abstract_name("end")});
      by_name.start(turns, base::Endpoint{"localhost", port_of(listening), {}});
      if (turns_before == 0) refused.start(turns, base::Endpoint{"127.0.0.1", free_port(), {}});
      for (int i = 0; i < turns_before; ++i) turns.one();
      bool stopped = false;
      turns.loop().stop(base::Time{0}, [&stopped] { stopped = true; });
      REQUIRE(turns.until([&] { return stopped; }));
      CHECK_FALSE(turns.loop().in_use_by_caller());
    }
    for (const Attempt* each : {&tcp, &by_path, &refused, &by_name}) CHECK_FALSE(each->over());
    CHECK(descriptors() == before);
  }
}

TEST_CASE("connector: a loop that ends does not wait for a look-up, even if nobody wants it") {
  const SlowNames names;
  Attempt attempt;
  Attempt given_up;
  {
    NamedTurns turns(names);
    CHECK(given_up.failure(turns, base::Endpoint{"slow.example", "80", {}}, base::Time{10}) == "timed out");
    attempt.start(turns, base::Endpoint{"slower.example", "80", {}});
    names.gate().wait_for(2);
    bool stopped = false;
    turns.loop().stop(base::Time{0}, [&stopped] { stopped = true; });
    REQUIRE(turns.until([&] { return stopped; }));
  }
  CHECK_FALSE(attempt.over());
  CHECK(names.gate().over() == 0);
}

TEST_CASE("connector: its callbacks may stop the loop") {
  const io::ListeningSocket listening = listen_on();
  for (const bool good : {true, false}) {
    CAPTURE(good);
    bool told = false;
    Story story;
    NamedTurns turns;
    const auto stop = [&] {
      told = true;
      turns.loop().stop(base::Time{0}, nullptr);
    };
    const auto attempt = io::Connector::start(
        turns.loop(), turns.resolver, base::Endpoint{"127.0.0.1", good ? port_of(listening) : free_port(), {}}, long_enough,
        [&](session::Link& link) {
          stop();
          return std::make_unique<Scripted>(link, story, "ours");
        },
        [&](std::string_view) { stop(); });
    REQUIRE(turns.until([&] { return told && !turns.loop().in_use_by_caller(); }));
    if (good) CHECK(story.events == Events{"ours start", "ours shut down", "ours ended", "ours destroyed"});
  }
}

TEST_CASE("connector: sessions of a stopping loop still connect; the new link is told of the stop; an ended loop takes no more") {
  const io::ListeningSocket listening = listen_on();
  const base::Endpoint target{"127.0.0.1", port_of(listening), {}};
  Attempt first;
  Attempt second;
  NamedTurns turns;
  first.start(turns, target);
  REQUIRE(first.wait());
  turns.loop().stop(long_enough, nullptr);
  CHECK(first.story.take() == Events{"ours start", "ours shut down"});
  second.start(turns, target);
  REQUIRE(second.wait());
  CHECK(second.story.take() == Events{"ours start", "ours shut down"});
  second.link->abort();
  first.link->abort();
  REQUIRE(turns.until([&] { return turns.loop().ended(); }));
  Attempt third;
  third.start(turns, target);
  turns.for_a_while(milliseconds(10));
  CHECK_FALSE(third.over());
}

TEST_CASE("connector: an own loop that is destroyed while connecting, without having run") {
  const io::ListeningSocket listening = listen_on("127.0.0.1", 0);
  const FullBacklog full(listening);
  const std::vector<int> before = descriptors();
  base::Log log{base::LogLevel::quiet, nullptr};
  int calls = 0;
  {
    io::Executor executor({.threads = 1});
    const auto loop = std::move(*io::Loop::create(nullptr, io::LoopLimits{}, log));
    io::Resolver resolver(*loop, executor);
    std::vector<std::unique_ptr<server::Attempt>> attempts;
    for (const char* const host : {"127.0.0.1", "localhost"})
      attempts.push_back(io::Connector::start(
          *loop, resolver, base::Endpoint{host, port_of(listening), {}}, long_enough,
          [&](session::Link&) {
            ++calls;
            return nullptr;
          },
          [&](std::string_view) { ++calls; }));
  }
  CHECK(calls == 0);
  CHECK(descriptors() == before);
}

TEST_CASE("connector: our own connections do not count for the limit of accepted ones") {
  io::LoopLimits limits;
  limits.connections = 1;
  Story theirs;
  Attempt first, second;
  NamedTurns turns(limits);
  io::ListeningSocket socket = listen_on();
  const base::Endpoint target{"127.0.0.1", port_of(socket), {}};
  turns.loop().add(io::Listener::create(turns.loop(), std::move(socket),
                                        [&](session::Link& link) { return std::make_unique<Scripted>(link, theirs, "theirs"); }));
  first.start(turns, target);
  REQUIRE(turns.until([&] { return first.connected == 1 && theirs.count("theirs start") == 1; }));
  CHECK(turns.loop().connection_count() == 2);
  CHECK(turns.loop().accepted_count() == 1);
  second.start(turns, target);  // waits in the backlog
  REQUIRE(second.wait());
  CHECK(turns.loop().accepted_count() == 1);
  first.link->finish();
  REQUIRE(turns.until([&] { return theirs.count("theirs end of input") == 1; }));
  CHECK(theirs.count("theirs start") == 1);
}
