#include "access/password_queue.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/password_hash.h"
#include "unit/access/gated.h"

namespace {

using namespace wharf;
using namespace wharf::server;

/// Responds to those who are told, except the first, for whom there is no memory.
struct ShortOfMemory final : PasswordAsker {
  void found_right(const PasswordQuestion& /*question*/, base::Time /*now*/) override { throw std::bad_alloc(); }
  void tell(session::Exchange& exchange, const PasswordQuestion& /*question*/, Outcome outcome) override {
    if (std::exchange(is_short, false)) throw std::bad_alloc();
    exchange.respond(session::text_response(outcome == Outcome::right ? 200 : 401, "told"));
  }
  bool is_short = true;
};

/// Asks the queue for each request, whose path is the password.
struct AskedOnly final : session::Handler {
  explicit AskedOnly(Outside& outside) : queue(outside) {}
  void handle(session::Exchange& exchange) override {
    const codec::Credentials credentials{"alice", std::string(exchange.request().target.substr(1))};
    CHECK(queue.ask(asker, {credentials, horse, PasswordQuestion::Known::yes}, exchange) == PasswordQueue::Asked::later);
  }
  ShortOfMemory asker;
  PasswordQueue queue;
};

}  // namespace

TEST_SUITE_BEGIN("libcrypt" * doctest::skip(!has_password_hashing()));

TEST_CASE("password queue: no more at once than there are threads, and the others in their turn") {
  const Users users;
  Gated gated(users);
  check_entered(gated.get_checked(bob), "bob");
  std::vector<std::unique_ptr<MemoryLink>> links;
  for (int i = 0; i < 6; ++i) links.push_back(gated.begin(guess(i)));
  const auto late = gated.begin(alice);
  CHECK(gated.thread.waiting() == TestOutside::usual);
  check_entered(gated.get(bob), "bob");  // who needs no check does not wait
  check_refused(gated.get({}));
  for (int i = 0; i < 6; ++i) {
    CHECK(gated.thread.waiting() == std::min<std::size_t>(TestOutside::usual, 7 - static_cast<std::size_t>(i)));
    gated.thread.do_one();
    check_refused(Gated::answer_on(*links[static_cast<std::size_t>(i)]));
  }
  CHECK(Gated::answer_on(*late).status == 0);
  gated.thread.do_one();
  check_entered(Gated::answer_on(*late), "alice");
  for (const auto& link : links) Gated::leave(*link);
  Gated::leave(*late);
}

TEST_CASE("password queue: as many at once as there are threads, be they few or many") {
  const Users users;
  for (const std::size_t threads : {std::size_t{1}, std::size_t{7}}) {
    const base::Time now{1000};
    TestOutside thread(now);
    thread.most = threads;
    Gated gated(users, &thread);
    std::vector<std::unique_ptr<MemoryLink>> links;
    for (int i = 0; i < 9; ++i) links.push_back(gated.begin(guess(i)));
    for (std::size_t left = links.size(); left > 0; --left) {
      CHECK(thread.waiting() == std::min(threads, left));
      thread.do_one();
    }
    for (const auto& link : links) {
      check_refused(Gated::answer_on(*link));
      Gated::leave(*link);
    }
  }
}

TEST_CASE("password queue: one check does for all that come with the same credentials") {
  const Users users;
  Gated gated(users);
  for (const auto& [credentials, enters] : {std::pair(alice, true), std::pair(not_alice, false)}) {
    std::vector<std::unique_ptr<MemoryLink>> links;
    for (int i = 0; i < 70; ++i) links.push_back(gated.begin(credentials));
    CHECK(gated.thread.waiting() == 1);
    Gated::leave(*links.front());
    gated.thread.do_one();
    for (std::size_t i = 1; i < links.size(); ++i) {
      const Answer answer = Gated::answer_on(*links[i]);
      if (enters) check_entered(answer, "alice");
      else check_refused(answer);
      Gated::leave(*links[i]);
    }
    CHECK(gated.thread.waiting() == 0);
  }
}

TEST_CASE(
    "password queue: beyond most_of_client it is 503 with Retry-After for the crowd of that client (RFC 9110 section 15.6.4)") {
  const Users users;
  Gated gated(users);
  std::vector<std::unique_ptr<MemoryLink>> links;
  const std::size_t all = TestOutside::usual + PasswordQueue::most_of_client;
  for (std::size_t i = 0; i < all; ++i) links.push_back(gated.begin(guess(static_cast<int>(i))));
  const Answer busy = gated.get(guess(1000));
  CHECK(busy.status == 503);
  CHECK(busy.field("Retry-After") == "1");
  CHECK(busy.field("WWW-Authenticate") == "none");
  CHECK_FALSE(busy.closed);

  const auto bob_there = gated.begin(bob);  // another user of the same client: the last of the crowd makes room
  CHECK(Gated::answer_on(*links.back()).status == 503);
  CHECK(Gated::answer_on(*links[all - 2]).status == 0);
  const auto other = gated.begin(alice, "192.0.2.7:4711");  // with a name for which too many wait already: the same
  CHECK(Gated::answer_on(*links[all - 2]).status == 0);
  CHECK(gated.thread.waiting() == TestOutside::usual);
  for (std::size_t i = 0; i < TestOutside::usual + 2; ++i) gated.thread.do_one();
  check_entered(Gated::answer_on(*other), "alice");  // before the rest of it
  check_entered(Gated::answer_on(*bob_there), "bob");
  CHECK(Gated::answer_on(*links[TestOutside::usual]).status == 0);
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  for (std::size_t i = 0; i + 1 < all; ++i) check_refused(Gated::answer_on(*links[i]));
  for (const auto& link : links) Gated::leave(*link);
  Gated::leave(*bob_there);
  Gated::leave(*other);
}

TEST_CASE("password queue: beyond most_of_user, of as many clients that try one name, the last makes room for another of them") {
  const Users users;
  Gated gated(users);
  const auto from = [](std::size_t client) { return base::concat("203.0.", client / 200, ".", client % 200, ":1"); };
  std::vector<std::unique_ptr<MemoryLink>> links;
  const std::size_t all = TestOutside::usual + PasswordQueue::most_of_user;
  for (std::size_t i = 0; i < all; ++i) links.push_back(gated.begin(guess(static_cast<int>(i)), from(i)));
  links.push_back(gated.begin(bob, from(all)));
  CHECK(Gated::answer_on(*links[all - 1]).status == 0);  // with another name there is room
  links.push_back(gated.begin(guess(1000), from(all + 1)));
  CHECK(Gated::answer_on(*links[all - 1]).status == 503);
  CHECK(Gated::answer_on(*links[all - 2]).status == 0);
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  check_entered(Gated::answer_on(*links[all]), "bob");
  check_refused(Gated::answer_on(*links.back()));
  for (const auto& link : links) Gated::leave(*link);
}

TEST_CASE("password queue: beyond most_queued the largest crowd makes room; if all are as small, the newcomer gets 503") {
  const Users users;
  Gated gated(users);
  std::vector<std::unique_ptr<MemoryLink>> links;
  const auto come = [&](std::size_t client, std::size_t user) {
    links.push_back(
        gated.begin(guess(static_cast<int>(links.size()), base::concat("user", user)), base::concat("192.0.2.", client, ":1")));
    return links.size() - 1;
  };
  for (std::size_t i = 0; i < TestOutside::usual; ++i) come(200 + i, 200 + i);
  for (std::size_t i = 0; i < PasswordQueue::most_queued; ++i)
    come(i % 128 + 1, i / 4);  // four of each client, four with each name
  const Answer as_many = gated.get(guess(9000, "newcomer"));
  CHECK(as_many.status == 503);  // of 192.0.2.1, which has four like everybody
  const auto alone = come(250, 250);
  CHECK(Gated::answer_on(*links[alone]).status == 0);
  std::size_t away = 0;
  for (std::size_t i = 0; i < alone; ++i) away += Gated::answer_on(*links[i]).status == 503 ? 1U : 0U;
  CHECK(away == 1);
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  for (const auto& link : links) Gated::leave(*link);
}

TEST_CASE("password queue: behind a trusted front, the client is the one that it names") {
  const Users users;
  Gated gated(users);
  gated.trust("192.0.2.0/24");
  const auto from = [](int client) { return base::concat("X-Forwarded-For: 203.0.113.", client, "\r\n"); };
  std::vector<std::unique_ptr<MemoryLink>> links;
  for (int i = 0; i < 40; ++i) links.push_back(gated.begin(guess(i, base::concat("user", i)) + from(1)));
  const auto other = gated.begin(bob + from(2));
  for (std::size_t i = 0; i < TestOutside::usual + 1; ++i) gated.thread.do_one();
  check_entered(Gated::answer_on(*other), "bob");
  links.clear();
  while (gated.thread.waiting() != 0) gated.thread.do_one();
}

TEST_CASE("password queue: right passwords of an address are checked while forty wrong ones of it wait, and nobody gets 503") {
  const Users users;
  Gated gated(users);
  std::vector<std::unique_ptr<MemoryLink>> wrong;
  for (int i = 0; i < 40; ++i) wrong.push_back(gated.begin(guess(i)));
  const auto right = gated.begin(bob);
  for (std::size_t i = 0; i < TestOutside::usual; ++i) gated.thread.do_one();
  CHECK(Gated::answer_on(*right).status == 0);
  gated.thread.do_task();  // the one after those that ran already
  gated.thread.tell();
  check_entered(Gated::answer_on(*right), "bob");
  check_entered(gated.get(bob), "bob");  // known by now, and at once
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  for (const auto& link : wrong) {
    check_refused(Gated::answer_on(*link));
    Gated::leave(*link);
  }
  Gated::leave(*right);
}

TEST_CASE("password queue: a password that was right before goes before those that never were, even for the same user") {
  const Users users;
  Gated gated(users);
  check_entered(gated.get_checked(alice), "alice");
  gated.now += CredentialCache::default_keep;  // to be checked again
  std::vector<std::unique_ptr<MemoryLink>> wrong;
  for (int i = 0; i < 200; ++i) wrong.push_back(gated.connect("192.0.2." + std::to_string(i % 4) + ":1"));
  for (std::size_t i = 0; i < wrong.size(); ++i) wrong[i]->receive(Gated::request(guess(static_cast<int>(i))));
  const auto right = gated.begin(alice, "198.51.100.1:1");
  for (std::size_t i = 0; i < TestOutside::usual + 1; ++i) gated.thread.do_one();
  check_entered(Gated::answer_on(*right), "alice");
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  for (const auto& link : wrong) Gated::leave(*link);
  Gated::leave(*right);
}

TEST_CASE("password queue: a user goes before others, every other time, from a client from which the user came in before") {
  const Users users;
  Gated gated(users);
  check_entered(gated.get_checked(alice), "alice");
  users.set("alice:" + passwort + "\nbob:" + passwort + "\n");  // her password is another now
  gated.now += PasswordFile::look_every;
  const std::string renewed = "Authorization: Basic YWxpY2U6cMOkc3N3w7ZyZA==\r\n";
  std::vector<std::unique_ptr<MemoryLink>> others;
  for (std::size_t i = 0; i < TestOutside::usual; ++i) others.push_back(gated.begin(guess(static_cast<int>(i)), "203.0.113.1:1"));
  for (int i = 0; i < 3; ++i) others.push_back(gated.begin(bob, base::concat("203.0.113.", i + 2, ":1")));
  others.push_back(gated.begin(carol, "203.0.113.9:1"));
  const auto first = gated.begin(guess(100));
  const auto second = gated.begin(renewed);
  for (std::size_t i = 0; i < TestOutside::usual; ++i) gated.thread.do_one();
  gated.thread.do_one();
  check_refused(Gated::answer_on(*first));  // favoured, as it came in her name from where she is
  gated.thread.do_one();
  check_entered(Gated::answer_on(*others[TestOutside::usual]), "bob");
  gated.thread.do_one();
  check_entered(Gated::answer_on(*second), "alice");
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  for (const auto& link : others) Gated::leave(*link);
  Gated::leave(*first);
  Gated::leave(*second);
}

TEST_CASE("password queue: addresses of one IPv6 network are one client, whatever names they try") {
  const Users users;
  Gated gated(users);
  std::vector<std::unique_ptr<MemoryLink>> wrong;
  for (int i = 0; i < 40; ++i)
    wrong.push_back(gated.begin(guess(i, base::concat("user", i)), base::concat("[2001:db8:0:1::", i + 1, "]:1")));
  const auto other = gated.begin(bob, "[2001:db8:0:2::1]:1");
  for (std::size_t i = 0; i < TestOutside::usual + 1; ++i) gated.thread.do_one();
  check_entered(Gated::answer_on(*other), "bob");
  Gated::leave(*other);
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  for (const auto& link : wrong) Gated::leave(*link);
}

TEST_CASE("password queue: newcomers without end keep nobody waiting for ever, with one name for all or each with its own") {
  for (const bool one_name : {true, false}) {
    CAPTURE(one_name);
    const Users users;
    Gated gated(users);
    std::vector<std::unique_ptr<MemoryLink>> before;
    for (int i = 0; i < 40; ++i) before.push_back(gated.begin(guess(i), base::concat("[2001:db8:0:1::", i + 1, "]:1")));
    while (gated.thread.waiting() != 0) gated.thread.do_one();

    const auto newcomer = [&](int number) {
      return gated.begin(guess(1000 + number, one_name ? "alice" : base::concat("user", number)),
                         base::concat("203.0.", number / 200, ".", number % 200, ":1"));
    };
    std::vector<std::unique_ptr<MemoryLink>> crowd;
    for (int i = 0; i < 8; ++i) crowd.push_back(newcomer(i));
    const auto patient = gated.begin(guess(999), "[2001:db8:0:1::9]:1");  // of a client, and with a name, that had many turns
    int turns = 0;
    for (; Gated::answer_on(*patient).status == 0 && turns < 100; ++turns) {
      crowd.push_back(newcomer(8 + turns));
      gated.thread.do_one();
    }
    CHECK(turns < 60);
    while (gated.thread.waiting() != 0) gated.thread.do_one();
    for (const auto& link : before) Gated::leave(*link);
    for (const auto& link : crowd) Gated::leave(*link);
    Gated::leave(*patient);
  }
}

TEST_CASE("password queue: if there was no memory to tell one, nobody else was told, and no further check was begun") {
  base::Time now{1000};
  TestOutside thread(now);
  AskedOnly asked(thread);
  base::Log log{base::LogLevel::quiet, [](base::LogLevel, std::string_view) {}};
  base::ChunkPool pool;
  session::OutputLimits output;
  session::HttpContext context(asked, session::HttpLimits{}, log);
  std::vector<std::unique_ptr<MemoryLink>> links;
  for (const char* path : {"/1", "/1", "/2", "/3", "/4", "/5"}) {
    links.push_back(std::make_unique<MemoryLink>(pool, output, now));
    links.back()->open(std::make_unique<session::H1>(*links.back(), context));
    links.back()->receive(Mounted::head("GET", path));
  }
  CHECK(thread.waiting() == TestOutside::usual);
  thread.do_one();
  CHECK(Gated::answer_on(*links[0]).status == 0);
  CHECK(links[0]->was_aborted());
  CHECK(Gated::answer_on(*links[1]).status == 401);
  CHECK(thread.waiting() == TestOutside::usual);
  while (thread.waiting() != 0) thread.do_one();
  for (std::size_t i = 2; i < links.size(); ++i) CHECK(Gated::answer_on(*links[i]).status == 401);
  for (const auto& link : links) Gated::leave(*link);
}

TEST_CASE("password queue: if the threads for passwords accept no more, it is 503, or waits for a check that runs") {
  for (const bool is_memory_short : {false, true}) {  // there may be none to give them one
    CAPTURE(is_memory_short);
    const Users users;
    Gated gated(users);
    const auto set_full = [&](std::optional<Executor> executor) {
      if (is_memory_short) gated.thread.has_no_memory = executor == Executor::passwords;
      else gated.thread.full = executor;
    };
    set_full(Executor::passwords);
    const Answer busy = gated.get(alice);
    CHECK(busy.status == 503);
    CHECK(busy.field("Retry-After") == "1");
    set_full({});
    const auto first = gated.begin(bob);
    set_full(Executor::passwords);
    const auto second = gated.begin(alice);
    set_full(Executor::files);
    gated.thread.do_one();
    check_entered(Gated::answer_on(*first), "bob");
    REQUIRE(gated.thread.waiting() == 1);
    gated.thread.do_one();
    check_entered(Gated::answer_on(*second), "alice");
    Gated::leave(*first);
    Gated::leave(*second);
  }
}

TEST_SUITE_END();
