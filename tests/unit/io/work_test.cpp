#include "io/work.h"

#include <doctest/doctest.h>
#include <uv.h>

#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <thread>
#include <utility>

#include "unit/io/blocked_threads.h"
#include "unit/io/turns.h"

namespace {

using namespace wharf;
using std::chrono::milliseconds;
using test::BlockedThreads;
using test::Gate;
using test::Turns;

/// A loop and an executor for it, which outlives it.
struct Bench {
  io::Executor executor{{.threads = 2, .waiting = 4}};
  Turns turns;

  bool work(std::function<void()> task, std::function<void()> done) {
    return io::work(turns.loop(), executor, std::move(task), std::move(done));
  }
  void stop() {
    bool stopped = false;
    turns.loop().stop(base::Time{0}, [&stopped] { stopped = true; });
    REQUIRE(turns.until([&] { return stopped; }));
  }
};

}  // namespace

TEST_CASE("work: the task runs on another thread, then done on the loop's, on a fresh stack") {
  Bench bench;
  const auto task_thread = std::make_shared<std::thread::id>();
  std::thread::id done_thread;
  REQUIRE(
      bench.work([task_thread] { *task_thread = std::this_thread::get_id(); }, [&] { done_thread = std::this_thread::get_id(); }));
  CHECK(done_thread == std::thread::id());
  REQUIRE(bench.turns.until([&] { return done_thread != std::thread::id(); }));
  CHECK(done_thread == std::this_thread::get_id());
  CHECK(*task_thread != std::thread::id());
  CHECK(*task_thread != done_thread);
}

TEST_CASE("work: the task is destroyed before done is called, on the loop's thread") {
  Bench bench;
  std::thread::id destroyed_on;
  std::shared_ptr<int> owned(new int(7), [&](const int* value) {
    destroyed_on = std::this_thread::get_id();
    delete value;
  });
  bool gone = false;
  bool done = false;
  const std::weak_ptr<int> seen = owned;
  REQUIRE(bench.work([kept = std::exchange(owned, nullptr)] { static_cast<void>(*kept); },
                     [&] {
                       gone = seen.expired();
                       done = true;
                     }));
  REQUIRE(bench.turns.until([&] { return done; }));
  CHECK(gone);
  CHECK(destroyed_on == std::this_thread::get_id());
}

TEST_CASE("work: done may have more work done") {
  Bench bench;
  int left = 5;
  std::function<void()> next;
  next = [&] {
    if (--left > 0) REQUIRE(bench.work([] {}, next));
  };
  REQUIRE(bench.work([] {}, next));
  REQUIRE(bench.turns.until([&] { return left == 0; }));
}

TEST_CASE("work: if the task throws, done is called all the same") {
  Bench bench;
  bool done = false;
  REQUIRE(bench.work([] { throw std::bad_alloc(); }, [&done] { done = true; }));
  REQUIRE(bench.turns.until([&done] { return done; }));
}

TEST_CASE("work: if too many wait it is refused, and nobody is called") {
  Bench bench;
  const auto held = std::make_shared<int>(0);
  BlockedThreads blocked(bench.executor, 2);
  int done = 0;
  for (int i = 0; i < 4; ++i) REQUIRE(bench.work([held] {}, [&done] { ++done; }));
  CHECK_FALSE(bench.work([held] {}, [held] { FAIL("done was called"); }));
  CHECK(held.use_count() == 5);
  blocked.unblock();
  REQUIRE(bench.turns.until([&done] { return done == 4; }));
  REQUIRE(bench.work([] {}, [&done] { ++done; }));
  REQUIRE(bench.turns.until([&done] { return done == 5; }));
}

TEST_CASE("work: when the loop stops, tasks that no thread has begun are destroyed, and done is not called") {
  const auto held = std::make_shared<int>(0);
  Bench bench;
  BlockedThreads blocked(bench.executor, 2);
  REQUIRE(bench.work([held] { ++*held; }, [held] { FAIL("done was called"); }));
  bench.stop();
  CHECK(held.use_count() == 1);  // while the threads are busy still
  blocked.unblock();
}

TEST_CASE("work: when the loop stops, it does not wait for a running task, which is destroyed at its end; done is not called") {
  const Gate gate;
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> seen = held;
  {
    Bench bench;
    REQUIRE(bench.work([task = gate.task(), held = std::exchange(held, nullptr)] { task(); }, [] { FAIL("done was called"); }));
    gate.wait_for();
    bench.stop();
    CHECK_FALSE(bench.turns.loop().in_use_by_caller());
  }
  CHECK_FALSE(seen.expired());
  gate.let_go();
  while (!seen.expired()) std::this_thread::yield();
}

TEST_CASE("work: an errand that comes back while the loop ends is dropped on the loop's thread") {
  const Gate gate;
  Bench bench;
  bool done = false;
  REQUIRE(bench.work(gate.task(), [&done] { done = true; }));
  gate.wait_for();
  gate.let_go();
  while (gate.over() == 0) std::this_thread::yield();
  bench.stop();
  CHECK_FALSE(done);
}

TEST_CASE("work: done may stop the loop; other work is not done then") {
  const Gate gate;
  Bench bench;
  int done = 0;
  for (int i = 0; i < 2; ++i)
    REQUIRE(bench.work(gate.task(), [&] {
      ++done;
      bench.turns.loop().stop(base::Time{0}, nullptr);
    }));
  gate.wait_for(2);
  gate.let_go(2);
  while (gate.over() != 2) std::this_thread::yield();
  REQUIRE(bench.turns.until([&] { return bench.turns.loop().ended() && !bench.turns.loop().in_use_by_caller(); }));
  CHECK(done == 1);
}

TEST_CASE("work: a loop that has ended takes none") {
  Bench bench;
  bench.turns.loop().stop(base::Time{0}, nullptr);
  CHECK_FALSE(bench.work([] { FAIL("the task ran"); }, [] { FAIL("done was called"); }));
  bench.turns.for_a_while(milliseconds(20));
  CHECK_FALSE(bench.turns.loop().in_use_by_caller());
}

TEST_CASE("work: an own loop that is destroyed does not wait for tasks that run") {
  const Gate gate;
  base::Log log{base::LogLevel::quiet, nullptr};
  io::Executor executor({.threads = 1});
  {
    const auto loop = std::move(*io::Loop::create(nullptr, io::LoopLimits{}, log));
    REQUIRE(io::work(*loop, executor, gate.task(), [] { FAIL("done was called"); }));
    gate.wait_for();
  }
  CHECK(gate.over() == 0);
  gate.let_go();
}

TEST_CASE("work: a caller's loop has nothing on libuv's own threads, which are the program's") {
  Bench bench;
  const Gate gate;
  REQUIRE(bench.work(gate.task(), [] {}));
  gate.wait_for();
  bench.turns.one();
  CHECK(bench.turns.callers()->active_reqs.count == 0);
  gate.let_go();
}
