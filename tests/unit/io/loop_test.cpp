#include "io/loop.h"

#include <doctest/doctest.h>

#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "unit/io/turns.h"

namespace {

using namespace wharf;

struct LoopBench {
  explicit LoopBench(uv_loop_t* foreign = nullptr) : loop(std::move(*io::Loop::create(foreign, io::LoopLimits{}, log))) {}

  base::Log log{base::LogLevel::quiet, nullptr};
  std::unique_ptr<io::Loop> loop;
};

}  // namespace

TEST_CASE("loop: it runs posted tasks in order, and stops when told; the callback comes last") {
  LoopBench bench;
  std::vector<int> done;
  io::Loop& loop = *bench.loop;
  loop.mailbox().post([&] { done.push_back(1); });
  loop.mailbox().post([&] { loop.stop(base::Time{0}, [&done] { done.push_back(3); }); });
  loop.mailbox().post([&] { done.push_back(2); });
  loop.run();
  CHECK(done == std::vector<int>{1, 2, 3});
  CHECK(loop.stopping());
  CHECK_FALSE(loop.mailbox().post([] {}));
}

TEST_CASE("loop: tasks that were posted before the loop accepted no more run before the callback") {
  LoopBench bench;
  std::vector<int> done;
  io::Loop& loop = *bench.loop;
  loop.mailbox().post([&] {
    loop.mailbox().post([&done] { done.push_back(1); });
    loop.stop(base::Time{0}, [&done] { done.push_back(2); });
  });
  loop.run();
  CHECK(done == std::vector<int>{1, 2});
}

TEST_CASE("loop: another thread wakes it") {
  LoopBench bench;
  io::Loop& loop = *bench.loop;
  std::thread other([&loop] { loop.mailbox().post([&loop] { loop.stop(base::Time{0}, nullptr); }); });
  loop.run();
  other.join();
  CHECK(loop.stopping());
}

TEST_CASE("loop: one that never ran, and was not stopped, is destroyed quietly") {
  const LoopBench bench;
  CHECK_FALSE(bench.loop->stopping());
}

TEST_CASE("loop: a second stop is not called back") {
  LoopBench bench;
  int first = 0;
  int second = 0;
  bench.loop->stop(base::Time{0}, [&first] { ++first; });
  bench.loop->stop(base::Time{0}, [&second] { ++second; });
  bench.loop->run();
  CHECK(first == 1);
  CHECK(second == 0);
}

TEST_CASE("loop: on a caller's loop, it may be destroyed within the callback, and leaves nothing") {
  uv_loop_t callers;
  REQUIRE(uv_loop_init(&callers) == 0);
  LoopBench bench(&callers);
  bench.loop->on_signals({[](int) {}, [] {}, [] {}});
  bench.loop->stop(base::Time{0}, [&bench] { bench.loop.reset(); });
  uv_run(&callers, UV_RUN_DEFAULT);
  CHECK(bench.loop == nullptr);
  CHECK(uv_loop_close(&callers) == 0);
}

// ---- The end of a turn ----

TEST_CASE("loop: at the end of a turn, each call comes once, in the order of asking") {
  std::vector<int> done;
  test::Turns turns;
  for (const int i : {1, 2, 3}) turns.loop().at_turn_end([&done, i] { done.push_back(i); });
  CHECK(done.empty());
  turns.one();
  CHECK(done == std::vector<int>{1, 2, 3});
  turns.one();
  CHECK(done.size() == 3);
}

TEST_CASE("loop: a call that is asked for at the end of a turn comes with the next turn, which does not wait") {
  LoopBench bench;
  io::Loop& loop = *bench.loop;
  int calls = 0;
  std::function<void()> again;
  again = [&] {
    if (++calls < 5) loop.at_turn_end(again);
    else loop.stop(base::Time{0}, nullptr);
  };
  loop.mailbox().post([&] { loop.at_turn_end(again); });
  loop.run();  // with nothing that would wake it
  CHECK(calls == 5);
}

TEST_CASE("loop: calls at the end of a turn are dropped when the loop has ended, with what they hold") {
  test::Turns turns;
  const auto held = std::make_shared<int>(0);
  turns.loop().at_turn_end([&turns] { turns.loop().stop(base::Time{0}, nullptr); });
  turns.loop().at_turn_end([held] { ++*held; });
  turns.one();
  CHECK(turns.loop().ended());
  turns.loop().at_turn_end([held] { ++*held; });
  turns.one();
  CHECK(*held == 0);
  CHECK(held.use_count() == 1);
  test::Turns others;
  others.loop().at_turn_end([held] { ++*held; });
  others.loop().stop(base::Time{0}, nullptr);
  CHECK(held.use_count() == 1);
}

TEST_CASE("loop: an exception of a task, or of a call at the end of a turn, passed through libuv and ended the process") {
  test::Turns turns;
  int done = 0;
  turns.loop().mailbox().post([] { throw std::bad_alloc(); });
  turns.loop().mailbox().post([&done] { ++done; });
  turns.loop().at_turn_end([] { throw std::bad_alloc(); });
  turns.loop().at_turn_end([&done] { ++done; });
  REQUIRE(turns.until([&done] { return done == 2; }));
  CHECK(turns.log_lines.size() == 2);
}
