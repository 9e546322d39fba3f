#include "io/loop.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>
#include <vector>

namespace {

using namespace wharf;

struct LoopBench {
  explicit LoopBench(uv_loop_t* foreign = nullptr) : loop(std::move(*io::Loop::create(foreign, io::LoopLimits{}, log))) {}

  base::Log log{base::LogLevel::quiet, nullptr};
  std::unique_ptr<io::Loop> loop;
};

}  // namespace

TEST_CASE("loop: runs what was posted, in order, and stops when told; the callback is the last thing") {
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

TEST_CASE("loop: what was posted before the loop took no more runs before the callback") {
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

TEST_CASE("loop: one that never ran, and was not stopped, goes quietly") {
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
  bench.loop->on_termination_signal([] {});
  bench.loop->stop(base::Time{0}, [&bench] { bench.loop.reset(); });
  uv_run(&callers, UV_RUN_DEFAULT);
  CHECK(bench.loop == nullptr);
  CHECK(uv_loop_close(&callers) == 0);
}
