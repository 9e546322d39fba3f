#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "unit/protocol/ws_bench.h"

// Calls inside callbacks, ticks, and that everything ends exactly once.

namespace {

using namespace wharf;
using namespace wharf::test;
using Words = std::vector<std::string>;
using Deed = std::function<void(wharf_peer*)>;

constexpr std::size_t above_high_water = 70'000;

struct Callback {
  const char* name;
  Deed RowStory::*hook;
  std::function<void(WsBench&)> provoke;  ///< makes it be called for the peer of clients[0]
};

/// Every callback that a peer gets while it lives.
const std::vector<Callback>& callbacks() {
  static const std::vector<Callback> all{
      {"open", &RowStory::on_open, [](WsBench&) {}},
      {"message", &RowStory::on_message, [](WsBench& bench) { bench.clients[0].send(text("now")); }},
      {"drained", &RowStory::on_drained,
       [](WsBench& bench) {
         bench.clients[0].link->set_window(0);
         send_binary(bench.story.peers[0], std::string(above_high_water, 'x'));
         bench.clients[0].link->set_window(session::MemoryLink::unlimited);
         bench.run();
       }},
      {"tick", &RowStory::on_tick,
       [](WsBench& bench) {
         bench.services.every(bench.story.peers[0], 10);
         bench.advance(10);
       }},
      {"pong", &RowStory::on_pong, [](WsBench& bench) { bench.clients[0].send(pong("now")); }},
      {"closing", &RowStory::on_closing, [](WsBench& bench) { bench.clients[0].send(close_frame(1000)); }},
      {"destroy", &RowStory::on_destroy, [](WsBench& bench) { bench.clients[0].send(close_frame(1000)); }},
  };
  return all;
}

bool is_end(const Callback& callback) { return callback.hook == &RowStory::on_closing || callback.hook == &RowStory::on_destroy; }

/// Opens the peer clients[0], and has `deed` done in its callback.
void run_in(WsBench& bench, const Callback& callback, const Deed& deed) {
  int calls = 0;
  bench.story.*callback.hook = [&](wharf_peer* peer) {
    if (peer == bench.story.peers[0] && ++calls == 1) deed(peer);
  };
  bench.connect();
  callback.provoke(bench);
  bench.run();
  CHECK(calls >= 1);
}

}  // namespace

TEST_CASE("ws life: the state is zeroed and aligned, constructed by open, destroyed once, after closing") {
  WsBench bench;  // row::open looks at the memory
  for (int i = 0; i < 20; ++i) {
    bench.connect();
    bench.clients.back().send(text("use it"));
    bench.clients.back().send(close_frame(1000));
    CHECK(bench.story.take() == Words{"open", "text use it", "closing 1000", "destroy"});
  }
}

TEST_CASE("ws life: states of every size do not overlap") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{17}, std::size_t{100'000}}) {
    wharf_row row{};
    row.size = sizeof row;
    row.name = "sized";
    row.state_size = size;
    static std::size_t seen;
    static std::size_t expected;
    expected = size;
    row.open = [](void* state, void*, wharf_peer*, const wharf_request*) {
      std::fill_n(static_cast<char*>(state), expected, 'x');
      return 0;
    };
    row.message = [](void* state, wharf_kind, char*, size_t) {
      seen = static_cast<std::size_t>(std::count(static_cast<char*>(state), static_cast<char*>(state) + expected, 'x'));
    };
    WsBench bench(row);
    bench.connect();
    bench.connect();
    seen = 1'000'000;
    bench.clients[0].send(text("look"));
    CHECK(seen == size);
  }
}

TEST_CASE("ws life: an open() that refuses closes with 1011; nothing else of the row is called") {
  WsBench bench;
  bench.story.open_result = 1;
  bench.story.on_open = [](wharf_peer* peer) {
    send_text(peer, "sent before");
    peer->services->every(peer, 10);
  };
  bench.connect();
  bench.clients[0].send(text("not looked at") + pong());
  bench.advance(1'000);
  CHECK(bench.clients[0].read() == Words{"text sent before", "close 1011"});
  bench.clients[0].send(close_frame(1011));
  CHECK(bench.clients[0].link->closed());
  CHECK(bench.story.take() == Words{"open"});
}

TEST_CASE("ws life: an open() that refuses, with a peer that does not answer the close") {
  WsBench bench;
  bench.story.open_result = -1;
  bench.connect();
  bench.advance(5'000);
  CHECK(bench.clients[0].link->closed());
  CHECK(bench.story.take() == Words{"open"});
}

TEST_CASE("ws life: a callback may close its own peer; the peer's close ends it") {
  for (const Callback& callback : callbacks()) {
    CAPTURE(callback.name);
    WsBench bench;
    run_in(bench, callback, [](wharf_peer* peer) {
      close(peer, 4001, "from a callback");
      CHECK(send_text(peer, "late") == WHARF_CLOSED);
    });
    const Words words = bench.clients[0].read();
    REQUIRE_FALSE(words.empty());
    CHECK(words.back() == (is_end(callback) ? "close 1000" : "close 4001 from a callback"));
    bench.clients[0].send(close_frame(4001));
    CHECK(bench.story.count(is_end(callback) ? "closing 1000" : "closing 4001") == 1);
    CHECK(bench.story.count("closing") == 1);
    CHECK(bench.story.count("destroy") == 1);
    CHECK(bench.clients[0].link->closed());
  }
}

TEST_CASE("ws life: a callback may abort its own peer") {
  for (const Callback& callback : callbacks()) {
    CAPTURE(callback.name);
    WsBench bench;
    run_in(bench, callback, [](wharf_peer* peer) {
      drop(peer);
      CHECK(send_text(peer, "late") == WHARF_CLOSED);
    });
    CHECK(bench.story.count(is_end(callback) ? "closing 1000" : "closing 1006") == 1);
    CHECK(bench.story.count("closing") == 1);
    CHECK(bench.story.count("destroy") == 1);
    CHECK(bench.clients[0].link->closed());
  }
}

TEST_CASE("ws life: a callback may close or abort another peer, or all of them") {
  const std::vector<std::pair<const char*, Deed>> deeds{{"close", [](wharf_peer* peer) { close(peer, 4002); }}, {"abort", drop}};
  for (const Callback& callback : callbacks()) {
    for (const auto& entry : deeds) {
      const auto& name = entry.first;
      const auto& deed = entry.second;
      CAPTURE(callback.name);
      CAPTURE(name);
      WsBench bench;
      bench.clients.reserve(3);
      bool armed = false;
      const Deed on_each = deed;
      bench.story.*callback.hook = [&](wharf_peer*) {
        if (std::exchange(armed, false))
          for (wharf_peer* peer : bench.story.peers) on_each(peer);
      };
      for (int i = 0; i < 3; ++i) bench.connect();
      if (callback.hook == &RowStory::on_open) {
        armed = true;
        bench.connect();
      }
      armed = callback.hook != &RowStory::on_open;
      callback.provoke(bench);
      bench.run();
      CHECK_FALSE(armed);
      for (WsClient& client : bench.clients) client.send(close_frame(4002));
      const std::size_t count = bench.clients.size();
      CHECK(bench.story.count("closing") == count);
      CHECK(bench.story.count("destroy") == count);
      for (WsClient& client : bench.clients) CHECK(client.link->closed());
    }
  }
}

TEST_CASE("ws life: a callback may write to another peer; it leaves in the same turn") {
  WsBench bench;
  bench.connect();
  bench.connect();
  bench.story.on_message = [&](wharf_peer*) {
    for (wharf_peer* peer : bench.story.peers) send_text(peer, "to all");
  };
  bench.clients[0].send(text("x"));
  bench.run();
  CHECK(bench.clients[0].read() == Words{"text to all"});
  CHECK(bench.clients[1].read() == Words{"text to all"});
}

TEST_CASE("ws life: when the connection breaks inside a message's callback, the messages behind it are not delivered") {
  WsBench bench;
  bench.story.on_message = drop;
  bench.connect();
  bench.clients[0].send(text("1") + text("2"));
  CHECK(bench.story.take() == Words{"open", "text 1", "closing 1006", "destroy"});
}

TEST_CASE("ws life: closing is told before the state is destroyed, and nothing can be sent from it") {
  WsBench bench;
  wharf_flow flow = WHARF_GO;
  bench.story.on_closing = [&flow](wharf_peer* peer) { flow = send_text(peer, "late"); };
  bench.connect();
  bench.clients[0].send(close_frame(1000));
  CHECK(flow == WHARF_CLOSED);
  CHECK(bench.clients[0].read() == Words{"close 1000"});
}

TEST_CASE("ws life: closing after an abrupt end cannot send either") {
  WsBench bench;
  wharf_flow flow = WHARF_GO;
  bench.story.on_closing = [&flow](wharf_peer* peer) { flow = send_text(peer, "late"); };
  bench.connect();
  bench.clients[0].link->receive_end();
  CHECK(flow == WHARF_CLOSED);
  CHECK(bench.clients[0].read().empty());
}

// ---- Ticks ----

TEST_CASE("ws ticks: come every so often, from the call on, until stopped") {
  WsBench bench;
  bench.connect();
  bench.services.every(bench.peer(), 50);
  bench.advance(49);
  CHECK(bench.story.count("tick") == 0);
  for (int i = 1; i <= 100; ++i) {
    bench.advance(i == 1 ? 1 : 50);
    CHECK(bench.story.count("tick") == static_cast<std::size_t>(i));
  }
  bench.services.every(bench.peer(), 0);
  bench.advance(10'000);
  CHECK(bench.story.count("tick") == 100);
  bench.services.every(bench.peer(), 1);
  bench.advance(1);
  CHECK(bench.story.count("tick") == 101);
}

TEST_CASE("ws ticks: a second call replaces the first, even within a tick") {
  WsBench bench;
  bench.connect();
  bench.services.every(bench.peer(), 50);
  bench.advance(40);
  bench.services.every(bench.peer(), 20);
  bench.advance(19);
  CHECK(bench.story.count("tick") == 0);
  bench.story.on_tick = [](wharf_peer* peer) { peer->services->every(peer, 100); };
  bench.advance(1);
  CHECK(bench.story.count("tick") == 1);
  bench.advance(99);
  CHECK(bench.story.count("tick") == 1);
  bench.story.on_tick = [](wharf_peer* peer) { peer->services->every(peer, 0); };
  bench.advance(1);
  CHECK(bench.story.count("tick") == 2);
  bench.advance(1'000);
  CHECK(bench.story.count("tick") == 2);
}

TEST_CASE("ws ticks: keep their rhythm when one comes late, and do not make up for those that were missed") {
  WsBench bench;
  bench.connect();
  bench.services.every(bench.peer(), 50);
  bench.advance(60);
  CHECK(bench.story.count("tick") == 1);
  bench.advance(40);  // 100 after the call
  CHECK(bench.story.count("tick") == 2);
  bench.advance(1'000);
  CHECK(bench.story.count("tick") == 3);
  bench.advance(50);
  CHECK(bench.story.count("tick") == 4);
}

TEST_CASE("ws ticks: one that is asked for in open") {
  WsBench bench;
  bench.story.on_open = [](wharf_peer* peer) { peer->services->every(peer, 30); };
  bench.connect();
  bench.advance(30);
  CHECK(bench.story.count("tick") == 1);
}

TEST_CASE("ws ticks: go on while the peer is held, and end with the close") {
  WsBench bench;
  bench.connect();
  bench.services.every(bench.peer(), 50);
  bench.clients[0].link->set_window(0);
  send_binary(bench.peer(), std::string(above_high_water, 'x'));
  bench.advance(50);
  CHECK(bench.story.count("tick") == 1);
  close(bench.peer(), 1000);
  bench.services.every(bench.peer(), 10);
  bench.advance(4'999);
  CHECK(bench.story.count("tick") == 1);
}

// ---- What rows can ask ----

TEST_CASE("ws services: the request, the scope, the clock and the log") {
  wharf_row row{};
  row.size = sizeof row;
  row.name = "curious";
  row.open = [](void*, void*, wharf_peer* peer, const wharf_request* request) {
    const wharf_services& ask = *request->services;
    const auto view = [](wharf_text text) { return std::string(text.data, text.size); };
    CHECK(view(ask.path(request)) == "/chat");
    CHECK(view(ask.query(request)) == "room=1");
    CHECK(view(ask.address(request)) == "192.0.2.1:4711");
    CHECK(ask.field(request, "No-Such-Field").data == nullptr);
    wharf_scope* scope = ask.scope(peer);
    CHECK(std::string(ask.option(scope, "colour")) == "blue");
    CHECK(ask.option(scope, "size") == nullptr);
    CHECK(ask.now(scope) == 1'000'000);
    ask.log(scope, WHARF_WARN, "line\nbreak", 10);
    return 0;
  };
  WsBench bench(row);
  bench.protocol.options = {{"colour", "blue"}};
  bench.connect();
  CHECK(bench.log_lines == Words{"warn: curious: line\\x0abreak"});
}

TEST_CASE("ws services: from C, an empty text may come as a null pointer") {
  WsBench bench;
  bench.connect();
  CHECK(bench.services.send(bench.peer(), WHARF_TEXT, nullptr, 0) == WHARF_GO);
  CHECK(bench.services.ping(bench.peer(), nullptr, 0) == WHARF_GO);
  bench.services.close(bench.peer(), 1000, nullptr, 0);
  bench.run();
  CHECK(bench.clients[0].read() == Words{"text ", "ping ", "close 1000"});
}

TEST_CASE("ws life: if memory runs out for what a peer sends, that peer is cut and no other") {
  WsBench bench;
  bench.connect();
  bench.connect();
  wharf_peer* const unlucky = bench.story.peers[0];
  bench.story.on_message = [unlucky](wharf_peer* peer) {  // as from the decoder, which is called in the same place
    if (peer == unlucky) throw std::bad_alloc();
  };
  bench.story.take();
  bench.clients[0].send(text("x") + text("y"));
  CHECK(bench.clients[0].link->was_aborted());
  CHECK(bench.story.take() == Words{"text x", "closing 1006", "destroy"});
  CHECK(bench.clients[0].link->lost() == "std::bad_alloc");
  bench.clients[1].send(text("z"));
  CHECK(bench.story.take() == Words{"text z"});
}
