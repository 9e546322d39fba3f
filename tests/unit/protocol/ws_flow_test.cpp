#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/protocol/ws_bench.h"

// Peers that do not read: nothing is dropped, and nothing grows without bound.

namespace {

using namespace wharf;
using namespace wharf::test;
using Words = std::vector<std::string>;

constexpr std::size_t high_water = 64 * 1024;
constexpr std::size_t hard_cap = 4 * 1024 * 1024;

/// A peer that takes nothing, with a little more than the high-water mark queued for it.
void fill(WsBench& bench) {
  bench.connect();
  bench.clients[0].link->set_window(0);
  CHECK(send_binary(bench.peer(), std::string(high_water, 'x')) == WHARF_HOLD);
}

void let_it_read(WsBench& bench) {
  bench.clients[0].link->set_window(session::MemoryLink::unlimited);
  bench.run();
}

}  // namespace

TEST_CASE("ws flow: up to the high-water mark it is go, above it hold") {
  WsBench bench;
  bench.connect();
  bench.clients[0].link->set_window(0);
  CHECK(send_binary(bench.peer(), std::string(1000, 'x')) == WHARF_GO);
  const std::size_t head = 4;  // of frames between 126 and 65,535 bytes
  CHECK(send_binary(bench.peer(), std::string(high_water - 1000 - head - head, 'x')) == WHARF_GO);
  CHECK(bench.services.buffered(bench.peer()) == high_water);
  CHECK(bench.clients[0].link->reading());
  CHECK(send_binary(bench.peer(), "") == WHARF_HOLD);
  CHECK_FALSE(bench.clients[0].link->reading());
  CHECK(send_binary(bench.peer(), "") == WHARF_HOLD);
}

TEST_CASE("ws flow: a peer that reads is never held, however much is sent at once") {
  WsBench bench;
  bench.connect();
  for (int i = 0; i < 300; ++i) CHECK(send_binary(bench.peer(), std::string(high_water, 'x')) == WHARF_GO);
  CHECK(bench.story.count("drained") == 0);
}

TEST_CASE("ws flow: while the peer does not read, nothing is read from it; then its messages come in order") {
  WsBench bench;
  fill(bench);
  bench.story.take();
  bench.clients[0].send(text("1") + text("2"));
  bench.clients[0].send(text("3"));
  bench.advance(100'000);
  CHECK(bench.story.take().empty());
  let_it_read(bench);
  CHECK(bench.story.take() == Words{"drained", "text 1", "text 2", "text 3"});
  CHECK(bench.clients[0].link->reading());
}

TEST_CASE("ws flow: input is held in the middle of messages that arrived together") {
  WsBench bench;
  bench.story.on_message = [](wharf_peer* peer) { send_binary(peer, std::string(30'000, 'x')); };
  bench.connect();
  bench.clients[0].link->set_window(0);
  std::string messages;
  for (int i = 0; i < 10; ++i) messages += text(std::to_string(i));
  bench.clients[0].send(messages);
  CHECK(bench.story.count("text") == 3);
  CHECK(bench.services.buffered(bench.peer()) < high_water + 31'000);
  let_it_read(bench);
  CHECK(bench.story.count("text") == 10);
  CHECK(bench.clients[0].read().size() == 10);
}

TEST_CASE("ws flow: drained comes once for a hold, at the low-water mark, and not without one") {
  WsBench bench;
  fill(bench);
  send_binary(bench.peer(), "more");
  bench.clients[0].link->set_window(high_water - 16 * 1024);
  bench.run();
  CHECK(bench.story.count("drained") == 0);
  bench.clients[0].link->set_window(1000);
  bench.run();
  CHECK(bench.story.count("drained") == 1);
  let_it_read(bench);
  bench.run();
  CHECK(bench.story.count("drained") == 1);
  send_binary(bench.peer(), "x");
  bench.run();
  CHECK(bench.story.count("drained") == 1);
}

TEST_CASE("ws flow: a row that sends from drained until it is told to hold feeds a peer of any speed") {
  WsBench bench;
  int left = 1000;
  const auto feed = [&left](wharf_peer* peer) {
    while (left > 0 && send_binary(peer, std::string(5'000, static_cast<char>(left))) != WHARF_HOLD) --left;
    if (left > 0) --left;
  };
  bench.story.on_drained = feed;
  bench.connect();
  bench.clients[0].link->set_window(0);
  feed(bench.peer());
  std::size_t received = 0;
  for (int turn = 0; turn < 5'000 && received < 1000; ++turn) {
    bench.clients[0].link->set_window(3'000);
    bench.run();
    CHECK(bench.services.buffered(bench.peer()) < high_water + 6'000);
    received += bench.clients[0].read().size();
  }
  CHECK(received == 1000);
}

TEST_CASE("ws flow: above the hard cap the peer is cut, and the log says why") {
  WsBench bench;
  bench.connect();
  bench.clients[0].link->set_window(0);
  const std::string message(64 * 1024, 'x');
  std::size_t sent = 0;
  while (send_binary(bench.peer(), message) == WHARF_HOLD || sent == 0)
    REQUIRE((sent += message.size()) <= hard_cap + message.size());
  CHECK(sent > hard_cap - message.size());
  CHECK(send_binary(bench.peer(), "x") == WHARF_CLOSED);
  bench.run();
  CHECK(bench.logged("warn: 192.0.2.1:4711 scripted: cut, "));
  CHECK(bench.logged("the cap is 4194304"));
  CHECK(bench.clients[0].link->was_aborted());
  CHECK(bench.story.take() == Words{"open", "closing 1006", "destroy"});
}

TEST_CASE("ws flow: a message larger than the hard cap cut a peer that had had no time to take it") {
  WsBench bench;
  bench.connect();
  CHECK(send_binary(bench.peer(), std::string(2 * hard_cap, 'x')) == WHARF_GO);
  bench.clients[0].link->set_window(0);
  CHECK(send_binary(bench.peer(), std::string(2 * hard_cap, 'x')) == WHARF_HOLD);
  bench.clients[0].link->set_window(session::MemoryLink::unlimited);
  bench.run();
  CHECK(bench.clients[0].read().size() == 2);
  bench.clients[0].link->set_window(0);
  CHECK(send_binary(bench.peer(), std::string(2 * hard_cap, 'x')) == WHARF_HOLD);
  CHECK(send_binary(bench.peer(), "x") == WHARF_CLOSED);
  bench.run();
  CHECK(bench.story.count("closing 1006") == 1);
  CHECK(bench.logged("bytes were queued already when there was more to send"));
}

TEST_CASE("ws flow: a flood of pings by a peer that does not read stays bounded, and none is lost") {
  WsBench bench;
  bench.connect();
  bench.clients[0].link->set_window(0);
  std::string flood;
  const std::string payload(125, 'p');
  for (int i = 0; i < 20'000; ++i) flood += ping(payload);
  bench.clients[0].send(flood);
  CHECK(bench.services.buffered(bench.peer()) <= high_water + 127);
  CHECK_FALSE(bench.clients[0].link->reading());
  bench.clients[0].send(flood);
  CHECK(bench.services.buffered(bench.peer()) <= high_water + 127);
  CHECK(bench.log_lines.empty());
  let_it_read(bench);
  CHECK(bench.clients[0].read().size() == 40'000);
}

TEST_CASE("ws flow: a close while holding still sees the peer's close") {
  WsBench bench;
  fill(bench);
  close(bench.peer(), 1000);
  CHECK(bench.clients[0].link->reading());
  bench.clients[0].send(text("dropped") + close_frame(1000));
  CHECK(bench.story.take() == Words{"open", "closing 1000", "destroy"});
  let_it_read(bench);
  CHECK(bench.clients[0].read() == Words{"binary 65536 bytes", "close 1000"});
  CHECK(bench.clients[0].link->closed());
}

TEST_CASE("ws flow: the peer's time to answer a close begins when everything queued before has been sent") {
  for (const bool answers : {true, false}) {
    CAPTURE(answers);
    WsBench bench;
    fill(bench);
    WsClient& client = bench.clients[0];
    close(bench.peer(), 4000, "bye");
    for (int seconds = 0; seconds < 60; ++seconds) {
      client.link->set_window(1000);  // it reads, slowly
      bench.advance(1'000);
    }
    CHECK_FALSE(client.link->closed());
    CHECK(client.link->reading());
    let_it_read(bench);
    CHECK(client.read() == Words{"binary 65536 bytes", "close 4000 bye"});
    bench.advance(4'999);
    CHECK_FALSE(client.link->closed());
    if (answers) client.send(close_frame(4000));
    bench.advance(5'001);
    CHECK(client.link->closed());
    CHECK(bench.story.count(answers ? "closing 4000" : "closing 1006") == 1);
  }
}

TEST_CASE("ws flow: drained does not come after a close") {
  WsBench bench;
  fill(bench);
  close(bench.peer(), 1000);
  let_it_read(bench);
  CHECK(bench.story.count("drained") == 0);
}

TEST_CASE("ws flow: a peer that is held and leaves is noticed when it is read again") {
  WsBench bench;
  fill(bench);
  bench.clients[0].send(text("1"));
  bench.clients[0].link->receive_end();
  CHECK(bench.story.count("closing") == 0);
  let_it_read(bench);
  bench.run();
  CHECK(bench.story.take() == Words{"open", "drained", "text 1", "closing 1006", "destroy"});
}

TEST_CASE("ws flow: output of open() counts like all other") {
  WsBench bench;
  bench.story.on_open = [](wharf_peer* peer) {
    for (int i = 0; i < 30; ++i) send_binary(peer, std::string(10'000, 'x'));
  };
  bench.connect();
  bench.clients[0].send(text("1"));
  CHECK(bench.clients[0].read().size() == 30);
  CHECK(bench.story.count("text 1") == 1);
}
