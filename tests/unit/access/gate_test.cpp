#include "access/gate.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "access/password_hash.h"
#include "server/loop_outside.h"
#include "unit/access/gated.h"
#include "unit/io/blocked_threads.h"
#include "unit/io/turns.h"

namespace {

using namespace wharf;
using namespace wharf::server;

}  // namespace

TEST_SUITE_BEGIN("libcrypt" * doctest::skip(!has_password_hashing()));

TEST_CASE("access gate: an error in one line says why it cannot be opened") {
  const Users users;
  base::Log log{base::LogLevel::quiet, nullptr};
  PasswordAccess access = users.access();
  access.realm = "two\nlines";
  CHECK(AccessGate::open(access, nullptr, log).error() == "a realm of basic authentication is UTF-8 without control characters");
  access = users.access();
  access.file += "-of-nobody";
  CHECK(AccessGate::open(access, nullptr, log).error().find("there is no such file") != std::string::npos);
}

TEST_CASE("access gate: without credentials that can be read it is 401 at once (RFC 7617 section 2)") {
  const Users users;
  Gated gated(users);
  for (const std::string& fields :
       {std::string(), std::string("Authorization:\r\n"), std::string("Authorization: Basic\r\n"),
        std::string("Authorization: Basic \r\n"), std::string("Authorization: Bearer YWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n"),
        std::string("Authorization: BasicYWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n"), std::string("Authorization: Basic YWxpY2U=\r\n"),
        std::string("Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ\r\n"),
        std::string("Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==, x\r\n"), std::string("Authorization: Basic !\r\n"),
        std::string("Proxy-Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n"), alice + alice, alice + not_alice}) {
    CAPTURE(fields);
    check_refused(gated.get(fields));
  }
  CHECK(gated.thread.waiting() == 0);
  CHECK(gated.log_lines.empty());
}

TEST_CASE("access gate: on the loop's thread, right credentials enter and all others are refused") {
  const Users users;
  Gated gated(users, nullptr);
  for (int again = 0; again < 2; ++again) {
    check_entered(gated.get(alice), "alice");
    check_entered(gated.get("authorization: bASIC   YWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n"), "alice");
    check_entered(gated.get(bob), "bob");
    check_refused(gated.get(not_alice));
    check_refused(gated.get(carol));
  }
}

TEST_CASE("access gate: passwords are checked on another thread, and the request goes on") {
  const Users users;
  Gated gated(users);
  const auto link = gated.begin(alice);
  gated.now += base::Time{29'000};
  link->receive(Gated::request({}));  // behind it; it waits
  link->run();
  CHECK(link->take().empty());
  CHECK(gated.handled == 1);
  REQUIRE(gated.thread.waiting() == 1);
  gated.thread.do_task();
  link->run();
  CHECK(link->take().empty());  // not before the loop knows
  gated.thread.tell();
  CHECK(gated.handled == 1);  // on a fresh stack
  link->run();
  CHECK(gated.handled == 3);
  const std::string answers = link->take();
  CHECK(answers.starts_with("HTTP/1.1 200 "));
  CHECK(answers.find("welcome alice\nHTTP/1.1 401 ") != std::string::npos);
  Gated::leave(*link);
}

TEST_CASE("access gate: strangers cost as much as users with a wrong password") {
  const Users users;
  Gated gated(users);
  check_refused(gated.get_checked(not_alice));
  check_refused(gated.get_checked(carol));
  check_refused(gated.get_checked(not_alice));  // what was wrong is not remembered
  check_entered(gated.get_checked(bob), "bob");
  CHECK(gated.thread.waiting() == 0);
}

TEST_CASE("access gate: credentials that were right enter without a check, for a while") {
  const Users users;
  Gated gated(users);
  check_entered(gated.get_checked(alice), "alice");
  gated.now += CredentialCache::default_keep - base::Time{1};
  check_entered(gated.get(alice), "alice");
  check_refused(gated.get_checked(not_alice));
  check_entered(gated.get(alice), "alice");
  CHECK(gated.thread.waiting() == 0);
  gated.now += base::Time{1};
  check_entered(gated.get_checked(alice), "alice");
}

TEST_CASE("access gate: a change of the file counts at its next check, even for credentials that were right before") {
  const Users users;
  Gated gated(users);
  check_entered(gated.get_checked(alice), "alice");
  users.set("alice:" + passwort + "\ncarol:" + horse + "\n");
  check_entered(gated.get(alice), "alice");  // nobody has looked yet
  gated.now += PasswordFile::look_every;
  check_refused(gated.get_checked(alice));
  check_refused(gated.get_checked(bob));
  check_entered(gated.get_checked(carol), "carol");
  CHECK(gated.log_lines.empty());
}

TEST_CASE("access gate: a change of the file while a password is checked counts") {
  const Users users;
  Gated gated(users);
  const auto link = gated.begin(alice);
  users.set("alice:" + passwort + "\n");
  gated.now += PasswordFile::look_every;
  gated.thread.do_one();  // right, by the file as it was
  link->run();
  CHECK(link->take().empty());
  REQUIRE(gated.thread.waiting() == 1);
  gated.thread.do_one();
  check_refused(Gated::answer_on(*link));
  CHECK(gated.handled == 2);
  Gated::leave(*link);
}

TEST_CASE("access gate: a file that is broken leaves the users as they were, and the log says so once") {
  const Users users;
  Gated gated(users);
  CHECK(gated.get({}).status == 401);
  users.set("alice:secret\n");
  check_entered(gated.get_checked(alice), "alice");
  for (int second = 0; second < 3; ++second) {
    gated.now += PasswordFile::look_every;
    check_entered(gated.get(alice), "alice");
  }
  REQUIRE(gated.log_lines.size() == 1);
  CHECK(gated.log_lines[0].starts_with("error: password file '"));
  CHECK(gated.log_lines[0].find("the users known before stay") != std::string::npos);
  CHECK(gated.log_lines[0].find("secret") == std::string::npos);
}

TEST_CASE("access gate: a client that has gone holds its place until the thread is free, and one that waited none") {
  const Users users;
  Gated gated(users);
  for (std::size_t i = 0; i < TestOutside::usual - 1; ++i) Gated::leave(*gated.begin(guess(static_cast<int>(i))));
  Gated::leave(*gated.begin(alice));
  CHECK(gated.thread.waiting() == TestOutside::usual);
  Gated::leave(*gated.begin(guess(1000)));
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  CHECK(gated.handled == 5);
  check_entered(gated.get(alice), "alice");  // remembered, though nobody was there to hear it
  check_refused(gated.get_checked(not_alice));
}

TEST_CASE("access gate: a check that takes longer than a response may is 503, and nobody hears of its outcome") {
  const Users users;
  Gated gated(users);
  const auto link = gated.begin(not_alice);
  gated.now += session::HttpLimits{}.answer_time;
  CHECK(Gated::answer_on(*link).status == 503);
  gated.thread.do_one();
  link->run();
  CHECK(link->take().empty());
  CHECK(gated.handled == 1);
  Gated::leave(*link);
}

TEST_CASE("access gate: the loop ends during a check, before its task, or between that and the news of it") {
  for (const bool begun : {false, true}) {
    CAPTURE(begun);
    const Users users;
    Gated gated(users);
    const auto link = gated.begin(alice);
    REQUIRE(gated.thread.waiting() == 1);
    Gated::leave(*link);
    gated.lose_gate();
    if (begun) gated.thread.do_task();  // a task that runs is waited for, whatever has gone
    gated.thread.drop_all();
    CHECK(gated.handled == 1);
    CHECK(link->take().empty());
  }
}

TEST_CASE("access gate: on the threads of a loop, which may end before they have begun") {
  const Users users;
  Executors executors{Limits{}};
  test::Turns turns;
  Certificates certificates(turns.loop().log());
  LoopOutside outside(turns.loop(), executors, certificates);
  Gated gated(users, &outside);
  gated.now = outside.now();
  const auto first = gated.begin(alice);
  REQUIRE(turns.until([&first] { return first->scheduled(); }));
  check_entered(Gated::answer_on(*first), "alice");
  Gated::leave(*first);

  bool stopped = false;
  {
    const test::BlockedThreads blocked(executors.passwords, Limits{}.password_threads);
    const auto second = gated.begin(bob);
    turns.loop().stop(base::Time{0}, [&stopped] { stopped = true; });
    REQUIRE(turns.until([&stopped] { return stopped; }));
    second->run();
    CHECK(second->take().empty());
    Gated::leave(*second);
  }
  CHECK(gated.handled == 3);
}

TEST_SUITE_END();
