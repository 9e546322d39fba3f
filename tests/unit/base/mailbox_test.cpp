#include "base/mailbox.h"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

using wharf::base::Mailbox;

TEST_CASE("mailbox: tasks run in the order of posting, once") {
  Mailbox mailbox;
  int wakes = 0;
  std::vector<int> ran;
  mailbox.open([&wakes] { ++wakes; });
  for (int i = 0; i < 3; ++i) CHECK(mailbox.post([&ran, i] { ran.push_back(i); }));
  CHECK(ran.empty());
  mailbox.run();
  CHECK(ran == std::vector<int>{0, 1, 2});
  mailbox.run();
  CHECK(ran.size() == 3);
}

TEST_CASE("mailbox: the loop is woken for the first task after each run, and no more") {
  Mailbox mailbox;
  int wakes = 0;
  mailbox.open([&wakes] { ++wakes; });
  CHECK(wakes == 0);
  mailbox.post([] {});
  mailbox.post([] {});
  CHECK(wakes == 1);
  mailbox.run();
  mailbox.post([] {});
  CHECK(wakes == 2);
}

TEST_CASE("mailbox: a task that another posts waits for the next run, and wakes the loop for it") {
  Mailbox mailbox;
  int wakes = 0;
  int ran = 0;
  mailbox.open([&wakes] { ++wakes; });
  mailbox.post([&] {
    ++ran;
    mailbox.post([&ran] { ran += 10; });
  });
  mailbox.run();
  CHECK(ran == 1);
  CHECK(wakes == 2);
  mailbox.run();
  CHECK(ran == 11);
}

TEST_CASE("mailbox: takes nothing before it was opened and after it was closed") {
  Mailbox mailbox;
  int ran = 0;
  CHECK_FALSE(mailbox.post([&ran] { ran += 100; }));
  mailbox.open([] {});
  CHECK(mailbox.post([&ran] { ++ran; }));
  mailbox.close();
  CHECK_FALSE(mailbox.post([&ran] { ran += 100; }));
  mailbox.run();
  CHECK(ran == 1);  // what was posted in time still runs
}

TEST_CASE("mailbox: a task may close it") {
  Mailbox mailbox;
  int ran = 0;
  mailbox.open([] {});
  mailbox.post([&] { mailbox.close(); });
  mailbox.post([&ran] { ++ran; });
  mailbox.run();
  CHECK(ran == 1);
  CHECK_FALSE(mailbox.post([] {}));
}

TEST_CASE("mailbox: four threads post, each in its order, and nothing is lost") {
  constexpr int each = 1000;
  Mailbox mailbox;
  std::atomic<int> wakes{0};
  mailbox.open([&wakes] { ++wakes; });
  std::array<std::vector<int>, 4> ran;
  std::vector<std::thread> posters;
  for (std::vector<int>& mine : ran)
    posters.emplace_back([&mailbox, &mine] {
      for (int i = 0; i < each; ++i) mailbox.post([&mine, i] { mine.push_back(i); });
    });
  std::size_t total = 0;
  while (total < ran.size() * each) {
    if (wakes.exchange(0) == 0) std::this_thread::yield();
    mailbox.run();
    total = 0;
    for (const std::vector<int>& mine : ran) total += mine.size();
  }
  for (std::thread& poster : posters) poster.join();
  for (const std::vector<int>& mine : ran)
    for (int i = 0; i < each; ++i) CHECK(mine[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("mailbox: a task that threw kept those behind it from running, and its exception was passed on") {
  Mailbox mailbox;
  mailbox.open([] {});
  int ran = 0;
  mailbox.post([&ran] { ++ran; });
  mailbox.post([] { throw 1; });
  mailbox.post([&ran] { ++ran; });
  CHECK(mailbox.run() == 1);
  CHECK(ran == 2);
  CHECK(mailbox.run() == 0);
}
