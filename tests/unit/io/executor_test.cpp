#include "io/executor.h"

#include <doctest/doctest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "unit/io/blocked_threads.h"

namespace {

using namespace wharf;
using io::Executor;
using test::BlockedThreads;
using test::Gate;

constexpr int alice = 1;
constexpr int bob = 2;

void wait_until(const std::function<bool()>& so) {
  while (!so()) std::this_thread::yield();
}

/// The work that was done, on several threads. Its entries may outlive it.
class Diary {
 public:
  [[nodiscard]] Executor::Task entry(char what) const {
    return [pages = pages_, what] {
      const std::lock_guard lock(pages->mutex);
      pages->text += what;
      pages->threads.insert(std::this_thread::get_id());
    };
  }
  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(pages_->mutex);
    return pages_->text;
  }
  [[nodiscard]] std::size_t size() const { return text().size(); }
  [[nodiscard]] std::set<std::thread::id> threads() const {
    const std::lock_guard lock(pages_->mutex);
    return pages_->threads;
  }

 private:
  struct Pages {
    std::mutex mutex;
    std::string text;
    std::set<std::thread::id> threads;
  };
  std::shared_ptr<Pages> pages_ = std::make_shared<Pages>();
};

}  // namespace

TEST_CASE("executor: tasks run on other threads, as many at once as it has threads and no more") {
  Executor executor({.threads = 3, .waiting = 8});
  const Gate gate;
  const Diary diary;
  for (int i = 0; i < 3; ++i) REQUIRE(executor.run(&alice, gate.task()));
  gate.wait_for(3);  // at the same time
  REQUIRE(executor.run(&alice, diary.entry('a')));
  CHECK(diary.size() == 0);
  gate.let_go();
  wait_until([&diary] { return diary.size() == 1; });
  CHECK(diary.threads().count(std::this_thread::get_id()) == 0);
  gate.let_go(2);
  wait_until([&gate] { return gate.over() == 3; });
}

TEST_CASE("executor: a thread that is free takes the next; none is made for it") {
  Executor executor({.threads = 4, .waiting = 8});
  const Diary diary;
  for (std::size_t i = 1; i <= 20; ++i) {
    REQUIRE(executor.run(&alice, diary.entry('a')));
    wait_until([&diary, i] { return diary.size() == i; });
  }
  CHECK(diary.threads().size() <= 4);
}

TEST_CASE("executor: parties come in turn, so that one with much to do keeps others waiting for no more than one task") {
  Executor executor({.threads = 1, .waiting = 8});
  const Diary diary;
  {
    BlockedThreads blocked(executor, 1);
    for (int i = 0; i < 4; ++i) REQUIRE(executor.run(&alice, diary.entry('a')));
    for (int i = 0; i < 2; ++i) REQUIRE(executor.run(&bob, diary.entry('b')));
    REQUIRE(executor.run(&alice, diary.entry('a')));
  }
  wait_until([&diary] { return diary.size() == 7; });
  CHECK(diary.text() == "ababaaa");
}

TEST_CASE("executor: a bounded number of tasks of one party waits; that does not count for another") {
  Executor executor({.threads = 1, .waiting = 2});
  const Diary diary;
  BlockedThreads blocked(executor, 1);
  CHECK(executor.run(&alice, diary.entry('a')));
  CHECK(executor.run(&alice, diary.entry('a')));
  CHECK_FALSE(executor.run(&alice, diary.entry('x')));
  CHECK(executor.run(&bob, diary.entry('b')));
  executor.forget(&alice);
  CHECK(executor.run(&alice, diary.entry('A')));
  blocked.unblock();
  wait_until([&diary] { return diary.size() == 2; });
  CHECK(diary.text() == "bA");
}

TEST_CASE("executor: forgotten tasks, or those that wait at its end, are destroyed on the thread that does that") {
  const auto held = std::make_shared<int>(0);
  const Gate gate;
  {
    Executor executor({.threads = 1});
    REQUIRE(executor.run(&alice, gate.task()));
    gate.wait_for();
    REQUIRE(executor.run(&bob, [held] { ++*held; }));
    executor.forget(&bob);
    CHECK(held.use_count() == 1);
    REQUIRE(executor.run(&bob, [held] { ++*held; }));
  }
  CHECK(held.use_count() == 1);
  CHECK(*held == 0);
  gate.let_go();
  wait_until([&gate] { return gate.over() == 1; });
}

TEST_CASE("executor: a task that does not end holds up nobody at its end, and ends alone with what it owns") {
  const Gate gate;
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> seen = held;
  {
    Executor executor({.threads = 2});
    REQUIRE(executor.run(&alice, [task = gate.task(), held = std::exchange(held, nullptr)] { task(); }));
    gate.wait_for();
  }
  CHECK_FALSE(seen.expired());
  gate.let_go();
  wait_until([&seen] { return seen.expired(); });
}

TEST_CASE("executor: exceptions of a task are dropped, and its thread goes on") {
  Executor executor({.threads = 1});
  const Diary diary;
  REQUIRE(executor.run(&alice, [] { throw std::runtime_error("nobody hears this"); }));
  REQUIRE(executor.run(&alice, diary.entry('a')));
  wait_until([&diary] { return diary.size() == 1; });
}

TEST_CASE("executor: no threads at all are one, and signals are not for them") {
  Executor executor({.threads = 0});
  const auto blocked = std::make_shared<std::atomic<int>>(-1);
  REQUIRE(executor.run(&alice, [blocked] {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    int count = 0;
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) count += sigismember(&mask, number);
    *blocked = count - 10 * sigismember(&mask, SIGSEGV);
  }));
  wait_until([&blocked] { return *blocked != -1; });
  CHECK(*blocked == 5);
  sigset_t own;
  pthread_sigmask(SIG_BLOCK, nullptr, &own);
  CHECK(sigismember(&own, SIGTERM) == 0);
}

TEST_CASE("executor: four threads give it work, and it is destroyed in the middle of that") {
  const Diary diary;
  std::atomic<int> taken{0};
  {
    Executor executor({.threads = 3, .waiting = 4});
    std::array<std::thread, 4> givers;
    for (std::thread& giver : givers)
      giver = std::thread([&, party = &giver] {
        for (int i = 0; i < 200; ++i)
          if (executor.run(party, diary.entry('a'))) ++taken;
        if (party == &givers.front()) executor.forget(party);
      });
    for (std::thread& giver : givers) giver.join();
  }
  CHECK(taken >= 12);
}

TEST_CASE("executor: a thing that does not answer takes a part of the threads, whoever uses it, and the others go on") {
  Executor executor({.threads = 4, .waiting = 8, .of_one = 3});
  const Gate hung;
  const Diary diary;
  for (const int* party : {&alice, &bob})
    for (int i = 0; i < 4; ++i) REQUIRE(executor.run(party, hung.task(), "a mount"));
  hung.wait_for(3);
  for (const int* party : {&alice, &bob}) {
    REQUIRE(executor.run(party, diary.entry('x'), "another"));
    REQUIRE(executor.run(party, diary.entry('y')));
  }
  wait_until([&diary] { return diary.size() == 4; });
  CHECK(hung.over() == 0);
  hung.let_go(8);
  wait_until([&hung] { return hung.over() == 8; });
}
