#include "server/loop_outside.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "io/listener.h"
#include "temporary_folder.h"
#include "tls/self_signed.h"
#include "tls/tls_link.h"
#include "unit/io/blocked_threads.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

namespace {

using namespace wharf;
using namespace wharf::test;

}  // namespace

TEST_CASE("outside: connections of our own, over TCP and a unix socket, and those that fail") {
  Story story;
  std::vector<std::string> failures;
  server::Executors executors{Limits{}};
  Turns turns;
  server::Certificates certificates(turns.loop().log());
  server::LoopOutside outside(turns.loop(), executors, certificates);
  const auto make = [&story](session::Link& link) { return std::make_unique<Scripted>(link, story, "ours"); };
  const auto failed = [&failures](std::string_view reason) { failures.emplace_back(reason); };
  {
    const std::string name = "@wharf-test-outside-" + std::to_string(getpid());
    const auto tcp = io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 1, io::ListeningSocket::Sharing::alone);
    const auto by_name = io::ListeningSocket::open(*io::unix_address(name), 1, io::ListeningSocket::Sharing::alone);
    REQUIRE(tcp);
    REQUIRE(by_name);
    const auto first = outside.connect({"127.0.0.1", std::to_string(tcp->address().port()), {}}, base::Time{20'000}, make, failed);
    const auto second = outside.connect({{}, {}, name}, base::Time{20'000}, make, failed);
    CHECK(story.events.empty());
    REQUIRE(turns.until([&] { return story.count("ours start") == 2; }));
  }
  const auto third = outside.connect({{}, {}, "/no/such/folder/socket"}, base::Time{20'000}, make, failed);
  REQUIRE(turns.until([&] { return !failures.empty(); }));
  CHECK(failures == std::vector<std::string>{"no such socket"});
}

TEST_CASE("outside: connections of our own over TLS, and settings of which nothing can come") {
  const TemporaryFolder folder;
  const auto pair = tls::self_signed(std::array<std::string, 1>{"localhost"});
  REQUIRE(pair);
  const auto context = tls::Context::for_server(*pair, {});
  REQUIRE(context);
  Story story;
  std::vector<std::string> failures;
  server::Executors executors{Limits{}};
  Turns turns;
  server::Certificates certificates(turns.loop().log());
  server::LoopOutside outside(turns.loop(), executors, certificates);
  auto socket = io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 1, io::ListeningSocket::Sharing::alone);
  REQUIRE(socket);
  const base::Endpoint to{"127.0.0.1", std::to_string(socket->address().port()), {}};
  auto listener = io::Listener::create(turns.loop(), std::move(*socket), [&](session::Link& link) {
    return std::make_unique<tls::TlsLink>(link, **context, outside.tls_parts(), [&story](session::Link& above) {
      return std::make_unique<Scripted>(above, story, "theirs");
    });
  });
  REQUIRE(listener);
  turns.loop().add(std::move(listener));
  const auto made = [&story](session::Link& link) { return std::make_unique<Scripted>(link, story, "ours"); };
  const auto failed = [&failures](std::string_view reason) { failures.emplace_back(reason); };
  server::TlsClient settings{"localhost"};
  settings.authorities = folder.write("ca.pem", pair->certificate);
  const auto trusting = outside.over_tls(settings);
  REQUIRE(trusting);
  const auto first = (*trusting)->connect(to, base::Time{20'000}, made, failed);
  REQUIRE(turns.until([&] { return story.count("ours start") == 1 && story.count("theirs start") == 1; }));
  settings.server_name = "another";
  const auto mistaken = outside.over_tls(settings);
  REQUIRE(mistaken);
  const auto second = (*mistaken)->connect(to, base::Time{20'000}, made, failed);
  REQUIRE(turns.until([&] { return !failures.empty(); }));
  CHECK(failures.front().starts_with("no TLS, certificate verify failed: "));
  settings.authorities = "/nonexistent";
  CHECK_FALSE(outside.over_tls(settings));
  bool stopped = false;
  turns.loop().stop(base::Time{0}, [&stopped] { stopped = true; });
  CHECK(turns.until([&stopped] { return stopped; }));
}

TEST_CASE("outside: work, the end of a turn and the time are the loop's") {
  server::Executors executors{Limits{}};
  Turns turns;
  server::Certificates certificates(turns.loop().log());
  server::LoopOutside outside(turns.loop(), executors, certificates);
  std::thread::id worked_on;
  bool done = false;
  REQUIRE(outside.work(
      server::Executor::files, {}, [&] { worked_on = std::this_thread::get_id(); }, [&] { done = true; }));
  REQUIRE(turns.until([&] { return done; }));
  CHECK(worked_on != std::this_thread::get_id());
  bool called = false;
  outside.at_turn_end([&] { called = true; });
  CHECK_FALSE(called);
  const std::uint64_t turn = outside.turn();
  CHECK(turn > 0);
  turns.one();
  CHECK(called);
  CHECK(outside.turn() > turn);
  CHECK(outside.now() == turns.loop().now());
}

TEST_CASE("outside: passwords and files have threads of their own, as many as the limits say") {
  const Gate slow;
  Limits limits;
  limits.password_threads = 1;
  limits.file_threads = 2;
  server::Executors executors(limits);
  Turns turns;
  server::Certificates certificates(turns.loop().log());
  server::LoopOutside outside(turns.loop(), executors, certificates);
  int done = 0;
  const auto count = [&done] { ++done; };
  for (int i = 0; i < 2; ++i) REQUIRE(outside.work(server::Executor::passwords, {}, slow.task(), count));
  slow.wait_for(1);
  const Gate files;
  for (int i = 0; i < 2; ++i) REQUIRE(outside.work(server::Executor::files, {}, files.task(), count));
  files.wait_for(2);  // both at once, while a password keeps the one thread for those
  files.let_go(2);
  REQUIRE(turns.until([&done] { return done == 2; }));
  CHECK_FALSE(slow.another_came());
  slow.let_go(1);
  REQUIRE(turns.until([&done] { return done == 3; }));
  slow.wait_for(1);
  slow.let_go(1);
  REQUIRE(turns.until([&done] { return done == 4; }));
}

TEST_CASE("outside: a mount or a host that hangs takes a part of the threads for files or names, and leaves some to others") {
  Limits limits;
  limits.file_threads = 3;
  limits.lookup_threads = 8;
  server::Executors executors(limits);
  Turns turns;
  for (io::Executor* const executor : {&executors.files, &executors.lookups}) {
    const Gate hangs;
    const Gate other;
    for (int i = 0; i < 8; ++i) REQUIRE(executor->run(&turns, hangs.task(), "hangs"));
    hangs.wait_for(2);
    REQUIRE(executor->run(&turns, other.task(), "other"));
    CHECK(turns.until([&other] { return other.another_came(); }));
    CHECK_FALSE(hangs.another_came());
    other.let_go(1);
    hangs.let_go(8);
    CHECK(turns.until([&] { return hangs.over() + other.over() == 9; }));
  }
}
