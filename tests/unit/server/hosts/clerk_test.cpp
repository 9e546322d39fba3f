#include "server/hosts/clerk.h"

#include <doctest/doctest.h>

#include <future>
#include <thread>
#include <vector>

using wharf::server::Clerk;

TEST_CASE("clerk: does everything in its order, on one thread, and all of it before it goes") {
  std::vector<int> done;
  std::vector<std::thread::id> threads;
  std::promise<void> begin;
  {
    Clerk clerk;
    REQUIRE(clerk.ask([&] { begin.get_future().wait(); }));
    for (int i = 0; i < 100; ++i)
      REQUIRE(clerk.ask([&, i] {
        done.push_back(i);
        threads.push_back(std::this_thread::get_id());
      }));
    begin.set_value();
  }
  REQUIRE(done.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(done[static_cast<std::size_t>(i)] == i);
  for (const std::thread::id id : threads) CHECK((id == threads.front() && id != std::this_thread::get_id()));
}

TEST_CASE("clerk: may be asked from within a task") {
  std::promise<int> told;
  Clerk clerk;
  REQUIRE(clerk.ask([&] { CHECK(clerk.ask([&told] { told.set_value(7); })); }));
  CHECK(told.get_future().get() == 7);
}

TEST_CASE("clerk: has no thread until it is asked") { const Clerk idle; }
