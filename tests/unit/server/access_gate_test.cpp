#include "server/access_gate.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mounted.h"
#include "server/loop_outside.h"
#include "server/password_hash.h"
#include "unit/io/blocked_threads.h"
#include "unit/io/turns.h"
#include "www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;
using session::MemoryLink;

// As in password_hash_test.cpp.
const std::string horse = "$2y$04$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312";     // correct horse
const std::string passwort = "$2y$05$K9U.Op9ub7s.8Hrtbe/mausMcJzd3JNDmgM4aZXKzlmyqo4BKrdw2";  // p\xC3\xA4ssw\xC3\xB6rd

const std::string alice = "Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n";  // correct horse
const std::string not_alice = "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n";          // wrong
const std::string bob = "Authorization: Basic Ym9iOnDDpHNzd8O2cmQ=\r\n";            // p\xC3\xA4ssw\xC3\xB6rd
const std::string carol = "Authorization: Basic Y2Fyb2w6Y29ycmVjdCBob3JzZQ==\r\n";  // correct horse; no user

/// Alice's name with another wrong password each.
std::string guess(int number) {
  const std::string plain = "alice:" + std::to_string(number);
  std::string text((plain.size() + 2) / 3 * 4 + 1, '\0');
  const auto* from = reinterpret_cast<const unsigned char*>(plain.data());
  text.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), from, static_cast<int>(plain.size()))));
  return "Authorization: Basic " + text + "\r\n";
}

/// A password file with alice and bob.
struct Users : WwwFolder {
  Users() { set("alice:" + horse + "\nbob:" + passwort + "\n"); }
  void set(std::string_view text) const { write("users", text); }
  [[nodiscard]] PasswordAccess access() const { return {www() / "users", "the house"}; }
};

/// The test's thread, with the clock of its links.
class Elsewhere final : public Outside {
 public:
  Elsewhere(TestThread& thread, const base::Time& now) : thread_(thread), now_(now) {}
  void connect(const Endpoint& to, base::Time limit, SessionMaker made, std::function<void(std::string_view)> failed) override {
    thread_.connect(to, limit, std::move(made), std::move(failed));
  }
  [[nodiscard]] bool work(Executor on, std::function<void()> task, std::function<void()> done) override {
    return thread_.work(on, std::move(task), std::move(done));
  }
  void at_turn_end(std::function<void()> call) override { thread_.at_turn_end(std::move(call)); }
  [[nodiscard]] base::Time now() const override { return now_; }

 private:
  TestThread& thread_;
  const base::Time& now_;
};

/// A gate that all requests go through; who has come in is told so.
class Gated final : private session::Handler {
 public:
  /// Passwords are checked on `thread`.
  explicit Gated(const Users& users) { open(users, &elsewhere_); }
  /// nullptr: passwords are checked on the loop's thread.
  Gated(const Users& users, Outside* outside) { open(users, outside); }

  std::unique_ptr<MemoryLink> connect(const std::string& address = "192.0.2.1:4711") {
    auto link = std::make_unique<MemoryLink>(pool_, output_, now);
    link->set_address(address);
    link->open(std::make_unique<session::H1>(*link, context_));
    return link;
  }
  /// A new connection with a request that is not answered yet.
  std::unique_ptr<MemoryLink> begin(std::string_view fields, const std::string& address = "192.0.2.1:4712") {
    auto link = connect(address);
    link->receive(request(fields));
    CHECK(link->take().empty());
    return link;
  }
  /// What came back on a connection, after its turn.
  static Answer answer_on(MemoryLink& link) {
    link.run();
    return Mounted::answer_on(link);
  }
  /// A new connection, this on it, and what came back at once.
  Answer get(std::string_view fields) {
    const auto link = connect();
    link->receive(request(fields));
    Answer answer = answer_on(*link);
    leave(*link);
    return answer;
  }
  /// The same, when its password has been checked.
  Answer get_checked(std::string_view fields) {
    const auto link = begin(fields);
    REQUIRE(thread.waiting() == 1);
    thread.do_one();
    Answer answer = answer_on(*link);
    leave(*link);
    return answer;
  }
  static std::string request(std::string_view fields) { return Mounted::head("GET", "/", fields); }
  static void leave(MemoryLink& link) {
    link.abort();
    link.run();
  }

  /// Requests must not come any more.
  void lose_gate() { gate_.reset(); }

  base::Time now{1000};
  TestThread thread;
  std::vector<std::string> log_lines;
  int handled = 0;

 private:
  void open(const Users& users, Outside* outside) {
    auto opened = AccessGate::open(users.access(), outside, log_);
    REQUIRE_MESSAGE(opened, opened.error());
    gate_ = std::move(*opened);
  }
  void handle(session::Exchange& exchange) override {
    ++handled;
    std::string user;
    if (gate_->check(exchange, user) == AccessGate::Verdict::enters)
      exchange.respond(session::text_response(200, "welcome " + user));
    else CHECK(user.empty());
  }

  base::Log log_{base::LogLevel::debug, [this](base::LogLevel level, std::string_view text) {
                   log_lines.push_back(base::concat(base::name_of(level), ": ", text));
                 }};
  base::ChunkPool pool_;
  session::OutputLimits output_;
  session::HttpContext context_{*this, session::HttpLimits{}, log_};
  Elsewhere elsewhere_{thread, now};
  std::unique_ptr<AccessGate> gate_;
};

void check_refused(const Answer& answer) {
  CHECK(answer.status == 401);
  CHECK(answer.field("WWW-Authenticate") == R"(Basic realm="the house", charset="UTF-8")");
  CHECK_FALSE(answer.closed);
}

void check_entered(const Answer& answer, std::string_view user) {
  CHECK(answer.status == 200);
  CHECK(answer.body == base::concat("welcome ", user, "\n"));
  CHECK(answer.field("WWW-Authenticate") == "none");
}

}  // namespace

TEST_SUITE_BEGIN("libcrypt" * doctest::skip(!has_password_hashing()));

TEST_CASE("access gate: what it can not be opened with is told in one line") {
  const Users users;
  base::Log log{base::LogLevel::quiet, nullptr};
  PasswordAccess access = users.access();
  access.realm = "two\nlines";
  CHECK(AccessGate::open(access, nullptr, log).error() == "a realm of basic authentication is UTF-8 without control characters");
  access = users.access();
  access.file += "-of-nobody";
  CHECK(AccessGate::open(access, nullptr, log).error().find("there is none") != std::string::npos);
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

TEST_CASE("access gate: on the loop's thread, who is right enters and all others are refused") {
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

TEST_CASE("access gate: passwords are checked on another thread, and the request is handled again") {
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

TEST_CASE("access gate: who was right enters without a check, for a while") {
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

TEST_CASE("access gate: a change of the file counts at the next look, also for who was right before") {
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

TEST_CASE("access gate: no more than most_checks at once, and the others in their turn") {
  const Users users;
  Gated gated(users);
  check_entered(gated.get_checked(bob), "bob");
  std::vector<std::unique_ptr<MemoryLink>> links;
  for (int i = 0; i < 6; ++i) links.push_back(gated.begin(guess(i)));
  const auto late = gated.begin(alice);
  CHECK(gated.thread.waiting() == AccessGate::most_checks);
  check_entered(gated.get(bob), "bob");  // who needs no check does not wait
  check_refused(gated.get({}));
  for (int i = 0; i < 6; ++i) {
    CHECK(gated.thread.waiting() == std::min<std::size_t>(AccessGate::most_checks, 7 - static_cast<std::size_t>(i)));
    gated.thread.do_one();
    check_refused(Gated::answer_on(*links[static_cast<std::size_t>(i)]));
  }
  CHECK(Gated::answer_on(*late).status == 0);
  gated.thread.do_one();
  check_entered(Gated::answer_on(*late), "alice");
  for (const auto& link : links) Gated::leave(*link);
  Gated::leave(*late);
}

TEST_CASE("access gate: one check does for all that come with the same credentials") {
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

TEST_CASE("access gate: beyond most_queued it is 503 with Retry-After for the client with the most (RFC 9110 section 15.6.4)") {
  const Users users;
  Gated gated(users);
  std::vector<std::unique_ptr<MemoryLink>> links;
  const std::size_t all = AccessGate::most_checks + AccessGate::most_queued;
  for (std::size_t i = 0; i < all; ++i) links.push_back(gated.begin(guess(static_cast<int>(i))));
  const Answer busy = gated.get(guess(1000));
  CHECK(busy.status == 503);
  CHECK(busy.field("Retry-After") == "1");
  CHECK(busy.field("WWW-Authenticate") == "none");
  CHECK_FALSE(busy.closed);

  const auto other = gated.begin(alice, "192.0.2.7:4711");
  CHECK(Gated::answer_on(*links.back()).status == 503);  // the last of the crowd makes room
  CHECK(Gated::answer_on(*links[all - 2]).status == 0);
  CHECK(gated.thread.waiting() == AccessGate::most_checks);
  for (std::size_t i = 0; i < AccessGate::most_checks + 1; ++i) gated.thread.do_one();
  check_entered(Gated::answer_on(*other), "alice");  // before the rest of it
  CHECK(Gated::answer_on(*links[AccessGate::most_checks]).status == 0);
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  for (std::size_t i = 0; i + 1 < all; ++i) check_refused(Gated::answer_on(*links[i]));
  for (const auto& link : links) Gated::leave(*link);
  Gated::leave(*other);
}

TEST_CASE("access gate: where the threads for passwords take no more, it is 503, or waits for a check that runs") {
  const Users users;
  Gated gated(users);
  gated.thread.full = Executor::passwords;
  const Answer busy = gated.get(alice);
  CHECK(busy.status == 503);
  CHECK(busy.field("Retry-After") == "1");
  gated.thread.full.reset();
  const auto first = gated.begin(bob);
  gated.thread.full = Executor::passwords;
  const auto second = gated.begin(alice);
  gated.thread.full = Executor::files;
  gated.thread.do_one();
  check_entered(Gated::answer_on(*first), "bob");
  REQUIRE(gated.thread.waiting() == 1);
  gated.thread.do_one();
  check_entered(Gated::answer_on(*second), "alice");
  Gated::leave(*first);
  Gated::leave(*second);
}

TEST_CASE("access gate: a client that has gone holds its place until the thread is free, and one that waited none") {
  const Users users;
  Gated gated(users);
  for (std::size_t i = 0; i < AccessGate::most_checks - 1; ++i) Gated::leave(*gated.begin(guess(static_cast<int>(i))));
  Gated::leave(*gated.begin(alice));
  CHECK(gated.thread.waiting() == AccessGate::most_checks);
  Gated::leave(*gated.begin(guess(1000)));
  while (gated.thread.waiting() != 0) gated.thread.do_one();
  CHECK(gated.handled == 5);
  check_entered(gated.get(alice), "alice");  // remembered, though nobody was there to hear it
  check_refused(gated.get_checked(not_alice));
}

TEST_CASE("access gate: a check that takes longer than an answer may is 503, and what comes of it is for nobody") {
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
  LoopOutside outside(turns.loop(), executors);
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
