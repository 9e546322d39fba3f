#include "protocol/handles.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "unit/protocol/ws_bench.h"

namespace {

using namespace wharf;
using test::WsBench;
using Events = std::vector<std::string>;

/// The arguments of a task.
struct Visit {
  int count = 0;
  wharf_peer* peer = nullptr;
  void* state = nullptr;
};

void visit(wharf_peer* peer, void* state, void* argument) {
  auto& seen = *static_cast<Visit*>(argument);
  ++seen.count;
  seen.peer = peer;
  seen.state = state;
}

int post(wharf_handle handle, Visit& seen) { return session::service_table().post(handle, visit, &seen); }

}  // namespace

TEST_CASE("handles: a posted task runs on the loop with the peer and its state, not at once") {
  WsBench bench;
  bench.connect();
  Visit seen;
  CHECK(post(bench.services.handle(bench.peer()), seen) == 1);
  CHECK(seen.count == 0);
  bench.run();
  CHECK(seen.count == 1);
  CHECK(seen.peer == bench.peer());
  CHECK(static_cast<test::RowState*>(seen.state)->peer == bench.peer());
  bench.run();
  CHECK(seen.count == 1);
}

TEST_CASE("handles: a peer keeps its name") {
  WsBench bench;
  bench.connect();
  const wharf_handle first = bench.services.handle(bench.peer());
  const wharf_handle again = bench.services.handle(bench.peer());
  CHECK(first.loop == again.loop);
  CHECK(first.slot == again.slot);
  CHECK(first.generation == again.generation);
}

TEST_CASE("handles: after the peer has gone the task runs without one, even if another has its slot") {
  WsBench bench;
  bench.connect();
  const wharf_handle old = bench.services.handle(bench.peer());
  Visit late;
  CHECK(post(old, late) == 1);
  bench.clients[0].link->abort();
  bench.clients[0].link->run();
  bench.run();
  CHECK(late.count == 1);
  CHECK(late.peer == nullptr);
  CHECK(late.state == nullptr);

  bench.connect();
  const wharf_handle fresh = bench.services.handle(bench.peer());
  CHECK(fresh.slot == old.slot);
  CHECK(fresh.generation != old.generation);
  Visit stale;
  Visit right;
  CHECK(post(old, stale) == 1);
  CHECK(post(fresh, right) == 1);
  bench.run();
  CHECK(stale.count == 1);
  CHECK(stale.peer == nullptr);
  CHECK(right.peer == bench.peer());
}

TEST_CASE("handles: many peers come and go, and each name finds its own or none") {
  WsBench bench;
  std::vector<wharf_handle> names;
  std::vector<wharf_peer*> peers;
  for (int i = 0; i < 30; ++i) {
    bench.connect();
    names.push_back(bench.services.handle(bench.peer()));
    peers.push_back(bench.peer());
  }
  for (std::size_t i = 0; i < peers.size(); i += 3) bench.clients[i].link->abort();
  bench.run();
  std::vector<Visit> seen(peers.size());
  for (std::size_t i = 0; i < peers.size(); ++i) CHECK(post(names[i], seen[i]) == 1);
  bench.run();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    CHECK(seen[i].count == 1);
    CHECK(seen[i].peer == (i % 3 == 0 ? nullptr : peers[i]));
  }
}

TEST_CASE("handles: a name from elsewhere finds nothing") {
  WsBench bench;
  bench.connect();
  const wharf_handle real = bench.services.handle(bench.peer());
  Visit seen;
  CHECK(post({real.loop + 1'000'000, real.slot, real.generation}, seen) == 0);
  CHECK(post({0, 0, 0}, seen) == 0);
  CHECK(post({real.loop, real.slot + 1000, real.generation}, seen) == 1);
  CHECK(post({real.loop, real.slot, real.generation + 1}, seen) == 1);
  bench.run();
  CHECK(seen.count == 2);
  CHECK(seen.peer == nullptr);
}

TEST_CASE("handles: when the loop has stopped taking tasks, and when it has gone, the task is not taken") {
  auto bench = std::make_unique<WsBench>();
  bench->connect();
  const wharf_handle handle = bench->services.handle(bench->peer());
  Visit before;
  Visit after;
  CHECK(post(handle, before) == 1);
  bench->mailbox.close();
  CHECK(post(handle, after) == 0);
  bench->run();
  CHECK(before.count == 1);
  bench.reset();
  CHECK(post(handle, after) == 0);
  CHECK(after.count == 0);
}

TEST_CASE("handles: a task may close, abort or write to its peer") {
  WsBench bench;
  bench.connect();
  const wharf_handle handle = bench.services.handle(bench.peer());
  const wharf_task speak = [](wharf_peer* peer, void*, void*) { test::send_text(peer, "posted"); };
  const wharf_task end = [](wharf_peer* peer, void*, void*) {
    test::close(peer, 1000);
    test::drop(peer);
  };
  bench.services.post(handle, speak, nullptr);
  bench.run();
  CHECK(bench.clients[0].read() == Events{"text posted"});
  bench.services.post(handle, end, nullptr);
  bench.services.post(handle, speak, &bench);  // the peer is still there, but not to be talked to
  bench.run();
  bench.run();
  CHECK(bench.story.events.back() == "destroy");
  CHECK(bench.clients[0].read().empty());
}

TEST_CASE("handles: a name taken by an open() that then refused finds nothing") {
  WsBench bench;
  wharf_handle handle{};
  bench.story.on_open = [&](wharf_peer* peer) { handle = peer->services->handle(peer); };
  bench.story.open_result = 1;
  bench.connect();
  Visit seen;
  CHECK(post(handle, seen) == 1);
  bench.run();
  CHECK(seen.count == 1);
  CHECK(seen.peer == nullptr);
}
