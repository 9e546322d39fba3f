#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/protocol/ws_bench.h"

// Peers that say nothing: they are sent a ping, and cut if they do not answer.

namespace {

using namespace wharf;
using namespace wharf::test;
using Words = std::vector<std::string>;

constexpr std::uint32_t after = 1000;
constexpr std::uint32_t timeout = 200;

wharf_row pinging_row() {
  wharf_row row = scripted_row();
  row.ping_after = after;
  row.pong_timeout = timeout;
  return row;
}

}  // namespace

TEST_CASE("ws silence: a silent peer is pinged when its time is up, and not before") {
  WsBench bench(pinging_row());
  bench.connect();
  bench.advance(after - 1);
  CHECK(bench.clients[0].read().empty());
  bench.advance(1);
  CHECK(bench.clients[0].read() == Words{"ping "});
}

TEST_CASE("ws silence: no pong in time, and the peer is cut with 1006") {
  WsBench bench(pinging_row());
  bench.connect();
  bench.advance(after);
  bench.advance(timeout - 1);
  CHECK_FALSE(bench.clients[0].link->closed());
  bench.advance(1);
  CHECK(bench.clients[0].link->was_aborted());
  CHECK(bench.story.take() == Words{"open", "closing 1006", "destroy"});
  CHECK(bench.logged("cut, nothing came from the peer, no pong either"));
}

TEST_CASE("ws silence: a pong, or any byte, is a sign of life, and the silence is counted from it") {
  for (const std::string& sign : {pong(), text("x"), std::string(1, '\x81')}) {
    WsBench bench(pinging_row());
    bench.connect();
    bench.advance(after);
    CHECK(bench.clients[0].read() == Words{"ping "});
    bench.advance(timeout - 1);
    bench.clients[0].send(sign);
    bench.advance(after - 1);
    CHECK(bench.clients[0].read().empty());
    bench.advance(1);
    CHECK(bench.clients[0].read() == Words{"ping "});
    CHECK_FALSE(bench.clients[0].link->closed());
  }
}

TEST_CASE("ws silence: a peer that talks is never pinged") {
  WsBench bench(pinging_row());
  bench.connect();
  for (int i = 0; i < 50; ++i) {
    bench.advance(after - 1);
    bench.clients[0].send(text("x"));
  }
  CHECK(bench.clients[0].read().empty());
}

TEST_CASE("ws silence: ticks come at their times all the same") {
  WsBench bench(pinging_row());
  bench.connect();
  bench.services.every(bench.peer(), 300);
  for (int i = 0; i < 12; ++i) {
    bench.advance(100);
    if (i % 3 == 0) bench.clients[0].send(pong());
  }
  CHECK(bench.story.count("tick") == 4);
  CHECK(bench.clients[0].read().empty());
  bench.advance(800);
  CHECK(bench.clients[0].read() == Words{"ping "});
}

TEST_CASE("ws silence: output of the server is no sign of life") {
  WsBench bench(pinging_row());
  bench.connect();
  for (int i = 0; i < 9; ++i) {
    bench.advance(100);
    send_text(bench.peer(), "x");
  }
  bench.run();
  bench.clients[0].read();
  bench.advance(100);
  CHECK(bench.clients[0].read() == Words{"ping "});
}

TEST_CASE("ws silence: a row that wants no pings gets none, and the server's default holds for one that does not say") {
  wharf_row row = scripted_row();
  row.ping_after = WHARF_NEVER;
  WsBench never(row);
  never.connect();
  never.advance(1'000'000'000);
  CHECK(never.clients[0].read().empty());

  WsBench standard;
  standard.protocol.limits.ping_after = base::Time{70};
  standard.protocol.limits.pong_timeout = base::Time{7};
  standard.connect();
  standard.advance(70);
  CHECK(standard.clients[0].read() == Words{"ping "});
  standard.advance(7);
  CHECK(standard.clients[0].link->was_aborted());
}

TEST_CASE("ws silence: a peer that is not read from cannot be heard, and is not cut for it") {
  WsBench bench(pinging_row());
  bench.connect();
  bench.services.pause(bench.peer());
  for (int i = 0; i < 10; ++i) bench.advance(after);
  CHECK(bench.clients[0].read().empty());
  bench.services.resume(bench.peer());
  bench.advance(after - 1);
  CHECK(bench.clients[0].read().empty());
  bench.advance(1);
  CHECK(bench.clients[0].read() == Words{"ping "});
}

TEST_CASE("ws silence: after our close frame its deadline counts, and no ping follows it") {
  WsBench bench(pinging_row());
  bench.connect();
  close(bench.peer(), 1000);
  bench.run();
  CHECK(bench.clients[0].read() == Words{"close 1000"});
  bench.advance(after);
  bench.advance(timeout);
  CHECK(bench.clients[0].read().empty());
  CHECK_FALSE(bench.clients[0].link->closed());
  bench.advance(5000);
  CHECK(bench.clients[0].link->closed());
}

TEST_CASE("ws silence: after a pong the next ping comes in its time, even if the wait for a pong is longer") {
  wharf_row row = scripted_row();
  row.ping_after = 1000;
  row.pong_timeout = 60'000;
  WsBench bench(row);
  bench.connect();
  for (int i = 0; i < 3; ++i) {
    bench.advance(999);
    CHECK(bench.clients[0].read().empty());
    bench.advance(1);
    CHECK(bench.clients[0].read() == Words{"ping "});
    bench.clients[0].send(pong());
  }
}

TEST_CASE("ws silence: a peer that has not yet taken the output before the ping is not cut for its silence") {
  WsBench bench(pinging_row());
  bench.connect();
  bench.clients[0].link->set_window(0);
  send_binary(bench.peer(), std::string(50'000, 'x'));
  for (int i = 0; i < 20; ++i) {
    bench.clients[0].link->set_window(1000);
    bench.advance(timeout);
  }
  CHECK_FALSE(bench.clients[0].link->closed());
  bench.clients[0].link->set_window(session::MemoryLink::unlimited);
  bench.run();
  CHECK(bench.clients[0].read() == Words{"binary 50000 bytes", "ping "});
  bench.advance(timeout);
  CHECK(bench.clients[0].link->was_aborted());
}

TEST_CASE("ws silence: if the wait for a pong has no end, the peer is pinged once and not cut") {
  WsBench bench;
  bench.protocol.limits.ping_after = base::Time{70};
  bench.protocol.limits.pong_timeout = base::never;
  bench.connect();
  bench.advance(70);
  bench.advance(1'000'000'000);
  CHECK(bench.clients[0].read() == Words{"ping "});
  CHECK_FALSE(bench.clients[0].link->closed());
}

TEST_CASE("ws silence: pings do not keep a peer that was closed and reads slowly for ever") {
  WsBench bench;
  bench.connect();
  bench.clients[0].link->set_window(0);
  close(bench.peer(), 1000);
  int rounds = 0;
  for (; rounds < 1000 && !bench.clients[0].link->closed(); ++rounds) {
    bench.clients[0].send(ping(std::string(100, 'p')) + ping(std::string(100, 'p')));
    bench.clients[0].link->set_window(150);
    bench.advance(1000);
  }
  CHECK(rounds < 30);
}
