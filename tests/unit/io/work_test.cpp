#include "io/work.h"

#include <doctest/doctest.h>
#include <uv.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "unit/io/blocked_pool.h"
#include "unit/io/turns.h"

namespace {

using namespace wharf;
using std::chrono::milliseconds;
using test::BlockedPool;
using test::Turns;

}  // namespace

TEST_CASE("work: the task runs on another thread, then done on the loop's, on a fresh stack") {
  Turns turns;
  std::thread::id task_thread;
  std::thread::id done_thread;
  io::work(
      turns.loop(), [&] { task_thread = std::this_thread::get_id(); }, [&] { done_thread = std::this_thread::get_id(); });
  CHECK(done_thread == std::thread::id());
  REQUIRE(turns.until([&] { return done_thread != std::thread::id(); }));
  CHECK(done_thread == std::this_thread::get_id());
  CHECK(task_thread != std::thread::id());
  CHECK(task_thread != done_thread);
}

TEST_CASE("work: the task goes before done is called, on the loop's thread") {
  Turns turns;
  std::thread::id destroyed_on;
  const std::shared_ptr<int> owned(new int(7), [&](const int* value) {
    destroyed_on = std::this_thread::get_id();
    delete value;
  });
  std::weak_ptr<int> seen = owned;
  bool gone = false;
  bool done = false;
  auto given = std::make_unique<std::shared_ptr<int>>(owned);
  io::work(
      turns.loop(), [kept = *given] { static_cast<void>(*kept); },
      [&] {
        gone = seen.use_count() == 1;
        done = true;
      });
  given.reset();
  REQUIRE(turns.until([&] { return done; }));
  CHECK(gone);
}

TEST_CASE("work: done may have more work done") {
  Turns turns;
  int left = 5;
  std::function<void()> next;
  next = [&] {
    if (--left > 0)
      io::work(
          turns.loop(), [] {}, next);
  };
  io::work(
      turns.loop(), [] {}, next);
  REQUIRE(turns.until([&] { return left == 0; }));
}

TEST_CASE("work: when the loop stops, what has not begun does not run, and nothing is done") {
  bool ran = false;
  bool done = false;
  {
    Turns turns;
    BlockedPool pool(turns.callers());
    io::work(
        turns.loop(), [&ran] { ran = true; }, [&done] { done = true; });
    bool stopped = false;
    turns.loop().stop(base::Time{0}, [&stopped] { stopped = true; });
    REQUIRE(turns.until([&] { return stopped; }));  // while the pool is busy still
    pool.unblock();
    turns.for_a_while(milliseconds(20));
  }
  CHECK_FALSE(ran);
  CHECK_FALSE(done);
}

TEST_CASE("work: when the loop stops, a task that runs is waited for, and nothing is done") {
  std::promise<void> begun;
  std::promise<void> go_on;
  std::atomic<bool> ran = false;
  bool done = false;
  bool stopped = false;
  Turns turns;
  io::work(
      turns.loop(),
      [&] {
        begun.set_value();
        go_on.get_future().wait();
        ran = true;
      },
      [&done] { done = true; });
  begun.get_future().wait();
  turns.loop().stop(base::Time{0}, [&] {
    CHECK(ran);
    stopped = true;
  });
  turns.for_a_while(milliseconds(20));
  CHECK_FALSE(stopped);
  CHECK(turns.loop().in_use_by_caller());
  go_on.set_value();
  REQUIRE(turns.until([&] { return stopped; }));
  CHECK_FALSE(done);
}

TEST_CASE("work: done may stop the loop; what else was to be done is not") {
  Turns turns;
  int done = 0;
  std::promise<void> go_on;
  const std::shared_future<void> gate = go_on.get_future().share();
  for (int i = 0; i < 2; ++i)
    io::work(
        turns.loop(), [gate] { gate.wait(); },
        [&] {
          ++done;
          turns.loop().stop(base::Time{0}, nullptr);
        });
  go_on.set_value();
  REQUIRE(turns.until([&] { return turns.loop().ended() && !turns.loop().in_use_by_caller(); }));
  CHECK(done == 1);
}

TEST_CASE("work: a loop that has ended takes none") {
  Turns turns;
  turns.loop().stop(base::Time{0}, nullptr);
  bool ran = false;
  io::work(
      turns.loop(), [&ran] { ran = true; }, [&ran] { ran = true; });
  turns.for_a_while(milliseconds(20));
  CHECK_FALSE(ran);
  CHECK_FALSE(turns.loop().in_use_by_caller());
}

TEST_CASE("work: a loop of its own waits for what runs when it is destroyed") {
  base::Log log{base::LogLevel::quiet, nullptr};
  std::atomic<bool> ran = false;
  std::promise<void> begun;
  {
    const auto loop = std::move(*io::Loop::create(nullptr, io::LoopLimits{}, log));
    io::work(
        *loop,
        [&] {
          begun.set_value();
          std::this_thread::sleep_for(milliseconds(30));
          ran = true;
        },
        [] { FAIL("done was called"); });
    begun.get_future().wait();
  }
  CHECK(ran);
}
