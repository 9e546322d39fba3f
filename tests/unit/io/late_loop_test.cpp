#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/connection.h"
#include "io/listener.h"
#include "unit/http/h1_bench.h"
#include "unit/io/peer.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

// A loop that could not look at its sockets for longer than its peers had time: it was stopped, or a callback took its time.

namespace {

using namespace wharf;
using namespace wharf::test;
using Events = std::vector<std::string>;

constexpr base::Time patience{40};
void be_late() { std::this_thread::sleep_for(std::chrono::milliseconds(60)); }

}  // namespace

TEST_CASE("late loop: bytes that had come in time were read after the deadline was judged") {
  Story story;
  story.deeds["session start"] = [](session::Link& link) { link.set_deadline(link.now() + patience); };
  story.deeds["session input"] = [](session::Link& link) { link.set_deadline(base::never); };
  Turns turns;
  const Peer peer(turns, scripted(story, "session"));
  turns.one();
  peer.send("x");
  be_late();
  REQUIRE(turns.until([&] { return story.events.size() > 1; }));
  turns.for_a_while(std::chrono::milliseconds(20));
  CHECK(story.take() == Events{"session start", "session input x"});
}

TEST_CASE("late loop: a deadline that the bytes do not move is judged right after them") {
  Story story;
  story.deeds["session start"] = [](session::Link& link) { link.set_deadline(link.now() + patience); };
  Turns turns;
  const Peer peer(turns, scripted(story, "session"));
  turns.one();
  peer.send("x");
  be_late();
  REQUIRE(turns.until([&] { return story.count("session deadline") == 1; }));
  CHECK(story.take() == Events{"session start", "session input x", "session deadline"});
}

TEST_CASE("late loop: tasks that were posted in time run before a deadline that has passed") {
  Story story;
  story.deeds["session start"] = [](session::Link& link) { link.set_deadline(link.now() + patience); };
  Turns turns;
  const Peer peer(turns, scripted(story, "session"));
  turns.one();
  REQUIRE(turns.loop().mailbox().post([&] { story.events.emplace_back("task"); }));
  be_late();
  REQUIRE(turns.until([&] { return story.count("session deadline") == 1; }));
  CHECK(story.take() == Events{"session start", "task", "session deadline"});
}

TEST_CASE("late loop: a client that was accepted behind a callback which took its time had none itself") {
  constexpr base::Time enough{1'000};
  Story story;
  story.deeds["session start"] = [&](session::Link& link) { link.set_deadline(link.now() + enough); };
  story.deeds["busy input"] = [&](session::Link&) { std::this_thread::sleep_for(enough + patience); };
  Turns turns;
  const Peer busy(turns, scripted(story, "busy"));
  auto socket = io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 100, io::ListeningSocket::Sharing::alone);
  REQUIRE(socket);
  const io::Address address = socket->address();
  turns.loop().add(io::Listener::create(turns.loop(), std::move(*socket), scripted(story, "session")));
  turns.one();
  busy.send("x");
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(connect(client, address.get(), address.size) == 0);
  turns.one();
  REQUIRE(story.events == Events{"busy start", "busy input x", "session start"});
  for (int i = 0; i < 4; ++i) turns.one();
  CHECK(story.count("session deadline") == 0);
  REQUIRE(turns.until([&] { return story.count("session deadline") == 1; }));
  ::close(client);
}

TEST_CASE("late loop: the deadline of a peer heard after a slow callback counts from then") {
  constexpr base::Time enough{1'000};
  Story story;
  story.deeds["session input"] = [&](session::Link& link) { link.set_deadline(link.now() + enough); };
  story.deeds["busy input"] = [&](session::Link&) { std::this_thread::sleep_for(enough + patience); };
  Turns turns;
  const Peer busy(turns, scripted(story, "busy"));
  const Peer peer(turns, scripted(story, "session"));
  turns.one();
  busy.send("x");
  peer.send("y");
  turns.one();
  REQUIRE(story.events == Events{"busy start", "session start", "busy input x", "session input y"});
  for (int i = 0; i < 4; ++i) turns.one();
  CHECK(story.count("session deadline") == 0);
  REQUIRE(turns.until([&] { return story.count("session deadline") == 1; }));
}

TEST_CASE("late loop: bytes that came during a slow callback are read before a deadline that passed meanwhile is judged") {
  constexpr base::Time enough{1'000};
  Story story;
  Turns turns;
  const auto named = [&story](const char* name) -> session::SessionMaker {
    return [&story, name](session::Link& link) { return std::make_unique<Scripted>(link, story, name); };
  };
  story.deeds["waiting start"] = [&](session::Link& link) { link.set_deadline(link.now() + enough); };
  story.deeds["waiting input"] = [](session::Link& link) { link.set_deadline(base::never); };
  const Peer waiting(turns, named("waiting"));
  story.deeds["busy start"] = [](session::Link& link) { link.set_deadline(link.now()); };  // so that deadlines are judged
  story.deeds["busy input"] = [&](session::Link&) {
    std::this_thread::sleep_for(enough + patience);
    waiting.send("y");
  };
  const Peer busy(turns, named("busy"));
  const Peer other(turns, named("other"));
  turns.one();
  busy.send("x");
  other.send("z");  // after it the loop knows what time it is
  be_late();
  REQUIRE(turns.until([&] { return story.count("busy deadline") == 1; }));  // in that turn or the next: libuv 1.45 moved its timers
  REQUIRE(turns.until([&] { return story.count("waiting input y") + story.count("waiting deadline") != 0; }));
  CHECK(story.count("waiting deadline") == 0);
}

TEST_CASE("late loop: requests and rests of heads that wait are served, and only a client that was late gets 408") {
  ScriptedHandler handler;
  session::HttpLimits limits;
  limits.head_time = patience;
  base::Log log{base::LogLevel::quiet, [](base::LogLevel, std::string_view) {}};
  session::HttpContext context(handler, limits, log);
  const session::SessionMaker make = [&](session::Link& link) { return std::make_unique<session::H1>(link, context); };
  Turns turns;
  const Peer whole(turns, make);
  const Peer rest(turns, make);
  const Peer part(turns, make);
  const Peer silent(turns, make);
  rest.send("GET / HTTP/1.1\r\n");
  part.send("GET / HTTP/1.1\r\n");
  turns.one();
  turns.one();
  whole.send(get("/"));
  rest.send("Host: a\r\n\r\n");
  part.send("Host: a\r\n");
  be_late();
  std::string answer_to_part;
  REQUIRE(turns.until([&] { return !(answer_to_part += part.read(65536).value_or("")).empty(); }));
  CHECK(answer_to_part.starts_with("HTTP/1.1 408 "));
  CHECK(whole.read(65536).value_or("").starts_with("HTTP/1.1 200 "));
  CHECK(rest.read(65536).value_or("").starts_with("HTTP/1.1 200 "));
  CHECK(silent.read(65536).value_or("").empty());
}
