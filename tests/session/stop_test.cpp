#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "session/site.h"
#include "unit/http/h1_bench.h"
#include "wharf/server.hpp"

// How loops and servers end, on threads of their own and on a caller's loop.

namespace {

using namespace wharf;
using namespace wharf::test;

/// The public server with the row "actor", that listens.
struct Listening {
  explicit Listening(ServerOptions options = {}) : server(std::make_unique<Server>(quietened(std::move(options)))) {
    actor_record().clear();
    REQUIRE_FALSE(server->add(protocol<Actor>("actor")));
    address = listen_anywhere(*server);
  }
  static ServerOptions quietened(ServerOptions options) {
    options.quiet = true;
    return options;
  }

  DescriptorCheck descriptors;
  std::unique_ptr<Server> server;
  io::Address address;
};

/// A caller's loop, which after the server must be as it was before.
struct CallersLoop {
  CallersLoop() { uv_loop_init(&loop); }
  void run_until_nothing_is_left() {
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
  }
  uv_loop_t loop{};
};

}  // namespace

TEST_CASE("stop: WebSocket peers get 1001, and the loop ends when they have answered") {
  SocketSite site;
  const auto first = site.connect();
  const auto second = site.connect();
  WsTalk a(*first, "actor");
  WsTalk b(*second, "echo");
  site.stop(base::Time{60'000});
  for (WsTalk* talk : {&a, &b}) {
    CHECK(talk->next() == "close 1001 server is stopping");
    talk->send(close_frame(1001));
    CHECK(talk->next() == "end");
  }
  first->close();
  second->close();
  site.join();
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1001", "destroyed"});
}

TEST_CASE("stop: connections that are left after the grace are cut") {
  SocketSite site;
  const auto silent = site.connect();
  WsTalk talk(*silent, "actor");
  const auto idle = site.connect();
  site.wait_for_connections(2);
  site.stop(base::Time{50});
  site.join();
  CHECK(talk.next() == "close 1001 server is stopping");
  CHECK(talk.next() == "end");
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}

TEST_CASE("stop: a response in progress is finished, and no new client is accepted") {
  SocketSite site;
  SocketWire wire(site.address(), 32 * 1024);
  wire.send(get("/big") + get("/small"));
  std::string bytes = wire.read(1000);
  site.stop(base::Time{60'000});
  wait_until([&site] {
    try {
      SocketWire late(site.address());
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  });
  bytes += wire.read_all();
  CHECK_FALSE(wire.was_reset());
  const auto all = answers(bytes);
  REQUIRE_FALSE(all.empty());  // how much of the second is in progress depends on the system's buffers
  CHECK((all[0].body == big_file()));
  wire.close();
  site.join();
}

TEST_CASE("stop: a loop to which nothing ever came") {
  SocketSite site;
  site.stop(base::Time{60'000});
  site.join();
}

TEST_CASE("stop: a second stop changes nothing") {
  SocketSite site;
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo");
  site.stop(base::Time{60'000});
  site.stop(base::Time{0});
  CHECK(talk.next() == "close 1001 server is stopping");
  talk.send(close_frame(1001));
  CHECK(talk.next() == "end");
  wire->close();
  site.join();
}

TEST_CASE("stop: a callback stops the server") {
  Listening listening;
  std::atomic<int> stopped{0};
  stop_deed() = [&] { listening.server->stop([&stopped] { ++stopped; }); };
  std::thread runner([&] { CHECK_FALSE(listening.server->run()); });
  {
    SocketWire wire(listening.address);
    WsTalk talk(wire, "actor", text("stop"));
    CHECK(talk.next() == "close 1001 server is stopping");
    talk.send(close_frame(1001));
    CHECK(talk.next() == "end");
  }
  runner.join();
  CHECK(stopped == 1);
}

TEST_CASE("stop: a server that is stopped before it runs ends at once") {
  Listening listening;
  listening.server->stop();
  CHECK_FALSE(listening.server->run());
}

TEST_CASE("stop: nothing of the server is left in a caller's loop when stop() calls back") {
  Listening listening;
  CallersLoop callers;
  REQUIRE_FALSE(listening.server->start(&callers.loop));
  int stopped = 0;
  stop_deed() = [&] {
    listening.server->stop([&] {
      ++stopped;
      CHECK(uv_loop_alive(&callers.loop) == 0);
    });
  };
  std::thread client([&listening] {
    SocketWire bystander(listening.address);
    SocketWire wire(listening.address);
    WsTalk talk(wire, "actor", text("it") + text("stop"));
    CHECK(talk.next() == "text what is it");
    CHECK(talk.next() == "close 1001 server is stopping");
    talk.send(close_frame(1001));
    CHECK(talk.next() == "end");
  });
  callers.run_until_nothing_is_left();
  client.join();
  CHECK(stopped == 1);
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1001", "destroyed"});
}

TEST_CASE("stop: a caller's loop that has work of its own goes on with it") {
  Listening listening;
  CallersLoop callers;
  uv_timer_t own{};
  uv_timer_init(&callers.loop, &own);
  bool stopped = false;
  own.data = &stopped;
  REQUIRE_FALSE(listening.server->start(&callers.loop));
  listening.server->stop([&] {
    stopped = true;
    uv_timer_start(
        &own,
        [](uv_timer_t* timer) {
          CHECK(*static_cast<bool*>(timer->data));
          uv_close(reinterpret_cast<uv_handle_t*>(timer), nullptr);
        },
        1, 0);
  });
  callers.run_until_nothing_is_left();
  CHECK(stopped);
  CHECK(uv_is_closing(reinterpret_cast<uv_handle_t*>(&own)) != 0);
}

TEST_CASE("stop: peers that do not answer are cut after the grace, on a caller's loop too") {
  ServerOptions options;
  options.limits.stop_grace = std::chrono::milliseconds(50);
  Listening listening(options);
  CallersLoop callers;
  REQUIRE_FALSE(listening.server->start(&callers.loop));
  stop_deed() = [&] { listening.server->stop(); };
  std::atomic<bool> ended{false};
  std::thread client([&] {
    SocketWire wire(listening.address);
    WsTalk talk(wire, "actor", text("stop"));
    CHECK(talk.next() == "close 1001 server is stopping");
    wait_until([&ended] { return ended.load(); });
  });
  callers.run_until_nothing_is_left();
  ended = true;
  client.join();
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}

TEST_CASE("stop: the server may be destroyed when stop() calls back") {
  Listening listening;
  CallersLoop callers;
  REQUIRE_FALSE(listening.server->start(&callers.loop));
  listening.server->stop([&] { listening.server.reset(); });
  callers.run_until_nothing_is_left();
  CHECK(listening.server == nullptr);
}

TEST_CASE("stop: a server that was set up and never run leaves nothing behind") {
  { const Listening listening; }
  const Listening again;
}

TEST_CASE("stop: the rest of the grace may be taken away, but not from a loop that does not stop") {
  SocketSite site;
  const auto silent = site.connect();
  WsTalk talk(*silent, "actor");
  site.on_loop([](io::Loop& loop) { loop.cut(); });
  talk.send(text("here"));
  CHECK(talk.next() == "text what is here");
  site.stop(base::Time{600'000});
  CHECK(talk.next() == "close 1001 server is stopping");
  site.on_loop([](io::Loop& loop) { loop.cut(); });
  CHECK(talk.next() == "end");
  site.join();
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}

TEST_CASE("stop: a server that is destroyed while it runs on a caller's loop says what is wrong and aborts") {
  for (const bool stop_called : {false, true}) {
    CAPTURE(stop_called);
    std::array<int, 2> pipe_ends{};
    REQUIRE(pipe(pipe_ends.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      dup2(pipe_ends[1], STDERR_FILENO);
      std::signal(SIGABRT, SIG_DFL);
      const rlimit no_core{};
      setrlimit(RLIMIT_CORE, &no_core);
      uv_loop_t loop;
      uv_loop_init(&loop);
      {
        Server server;
        if (server.start(&loop)) _exit(1);
        if (stop_called) server.stop();
      }
      _exit(2);
    }
    close(pipe_ends[1]);
    std::string said;
    std::array<char, 256> room{};
    for (ssize_t size = 0; (size = read(pipe_ends[0], room.data(), room.size())) > 0;)
      said.append(room.data(), static_cast<std::size_t>(size));
    close(pipe_ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
    CHECK(said.find("wharf: a Server is destroyed while it runs on a caller's loop; call stop()") != std::string::npos);
  }
}

TEST_CASE("stop: a caller's loop serves with one thread, and must be there") {
  ServerOptions options;
  options.threads = 2;
  Listening listening(options);
  CallersLoop callers;
  CHECK(listening.server->start(&callers.loop).message.find("one thread") != std::string::npos);
  CHECK(listening.server->start(nullptr));
  callers.run_until_nothing_is_left();
}

TEST_CASE("drain: WebSocket peers get 1001 one after the other, on a caller's loop too") {
  ServerOptions options;
  options.limits.drain_time = std::chrono::milliseconds(400);
  Listening listening(options);
  CallersLoop callers;
  REQUIRE_FALSE(listening.server->start(&callers.loop));
  std::atomic<int> stopped{0};
  stop_deed() = [&] { listening.server->drain([&stopped] { ++stopped; }); };
  std::thread client([&listening] {
    SocketWire first(listening.address);
    SocketWire second(listening.address);
    WsTalk waits(first, "actor");
    WsTalk asks(second, "actor", text("stop"));
    for (WsTalk* talk : {&waits, &asks}) {
      CHECK(talk->next() == "close 1001 server is stopping");
      talk->send(close_frame(1001));
      CHECK(talk->next() == "end");
    }
  });
  callers.run_until_nothing_is_left();
  client.join();
  CHECK(stopped == 1);
}

TEST_CASE("limits: drain_time: what is left at its end is cut") {
  ServerOptions options;
  options.limits.drain_time = std::chrono::milliseconds(20);
  Listening listening(options);
  Running running(*listening.server);
  SocketWire wire(listening.address);
  WsTalk talk(wire, "actor", text("it"));
  CHECK(talk.next() == "text what is it");
  listening.server->drain();
  running.join();  // the peer has not answered the close
  CHECK(talk.next() == "close 1001 server is stopping");
  CHECK(talk.next() == "end");
}

TEST_CASE("drain: a stop that follows counts too, and both are told") {
  ServerOptions options;
  options.limits.drain_time = std::chrono::milliseconds(600'000);
  Listening listening(options);
  std::atomic<int> told{0};
  std::thread runner([&] { CHECK_FALSE(listening.server->run()); });
  {
    SocketWire wire(listening.address);
    WsTalk talk(wire, "actor", text("it"));
    CHECK(talk.next() == "text what is it");
    listening.server->drain([&told] { ++told; });
    listening.server->drain([] { FAIL("the first counts"); });
    CHECK(talk.next() == "close 1001 server is stopping");  // the only one, so its turn is at once
    listening.server->stop([&told] { ++told; });
    talk.send(close_frame(1001));
    CHECK(talk.next() == "end");
  }
  runner.join();
  CHECK(told == 2);
}

TEST_CASE("hand over: only a server that runs can, and only with a program for its arguments") {
  Listening listening;
  CHECK(listening.server->hand_over().message == "only a server that runs, by run(), can hand over");
  CHECK(listening.server->hand_over({"", {"--option"}}).message == "a successor's arguments need its program");
  CHECK(listening.server->listen_inherited("web").message == "no socket 'web' was passed to this process; there are: none");
}

TEST_CASE("hand over: a program that fails leaves the server as it was, and it may be tried again") {
  Listening listening;
  Running running(*listening.server);
  for (int i = 0; i < 3; ++i) {
    wait_until([&listening] { return listening.server->hand_over({"/bin/sh", {"-c", "exit 3"}}).message.empty(); });
    SocketWire wire(listening.address);
    WsTalk talk(wire, "actor", text("it"));
    CHECK(talk.next() == "text what is it");
  }
}

TEST_CASE("hand over: when the new process serves, this server ends, and does not touch its sockets") {
  Listening listening;
  Running running(*listening.server);
  wait_until([&listening] {
    return listening.server->hand_over({"/bin/sh", {"-c", "printf 1 >&4; exec sleep 1"}}).message.empty();
  });
  running.join();
  SocketWire late(listening.address);  // the other process has the socket, and does not accept
}
