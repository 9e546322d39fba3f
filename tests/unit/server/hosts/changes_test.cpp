#include <doctest/doctest.h>
#include <uv.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "unit/server/blocking_socket.h"
#include "wharf/server.hpp"

namespace {

using namespace wharf;
using namespace std::chrono_literals;
using test::BlockingSocket;

/// Does on the loop's thread what the test says; cannot start if its option is `fail`, on the loop that is asked last.
struct Changer {
  static inline std::function<void()> deed;
  static inline std::atomic<int> starts{0};
  static inline std::atomic<int> alive{0};
  struct Shared {
    explicit Shared(Scope scope) {
      ++starts;
      if (scope.option("word") == "fail" && starts >= 2) throw std::runtime_error("asked to fail");
      ++alive;
    }
    ~Shared() { --alive; }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
  };
  Peer peer;
  Shared& shared;
  void message(Kind kind, std::string_view data) {
    deed();
    peer.send(kind, data);
  }
};

VirtualHost host(const std::string& name, const std::string& word = "") {
  VirtualHost made;
  made.name = name;
  made.options["changer"]["word"] = word;
  made.mounts.push_back({"/", Fixed{200, "text/plain", name + word}});
  return made;
}

ServerOptions options(unsigned threads = 1) {
  ServerOptions options;
  options.threads = threads;
  options.quiet = true;
  options.unknown_hosts = UnknownHosts::misdirected;
  options.limits.stop_grace = 2000ms;
  return options;
}

/// The status and the body.
std::string ask(const std::string& address, const std::string& name) {
  const BlockingSocket socket(address);
  socket.send("GET / HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n");
  const std::string answer = socket.receive_all();
  return answer.substr(9, 3) + " " + answer.substr(answer.find("\r\n\r\n") + 4);
}

void wait_for(const std::function<bool()>& so) {
  const auto end = std::chrono::steady_clock::now() + 60s;
  while (!so() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  REQUIRE(so());
}

/// A server that runs, with the host one.example.
struct Serving {
  explicit Serving(unsigned threads = 1) : server(options(threads)) {
    Changer::starts = 0;
    REQUIRE_FALSE(server.add(protocol<Changer>("changer")));
    REQUIRE_FALSE(server.add(host("one.example")));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    address = server.addresses().front();
    std::promise<void> ready;
    thread = std::thread([this, &ready] { CHECK_FALSE(server.run([&ready] { ready.set_value(); })); });
    ready.get_future().get();
  }
  ~Serving() {
    server.stop();
    thread.join();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  Server server;
  std::string address;
  std::thread thread;
};

}  // namespace

TEST_CASE("changes of hosts: before the start they are in the list") {
  Server server(options());
  REQUIRE_FALSE(server.add(protocol<Changer>("changer")));
  REQUIRE_FALSE(server.add(host("one.example")));
  VirtualHost two = host("two.example");
  two.aliases = {"ONE.example."};
  CHECK(server.add(two).message == "there are two virtual hosts 'ONE.example.'");
  two.aliases = {"two.example"};
  CHECK(server.add(two).message == "there are two virtual hosts 'two.example'");
  two.aliases = {"three.example"};
  CHECK_FALSE(server.add(two));
  CHECK(server.change(host("three.example")).message == "there is no virtual host 'three.example'");  // an alias is no name
  CHECK(server.change(host("one.example", "new")).message.empty());
  CHECK(server.remove("none.example").message == "there is no virtual host 'none.example'");
  CHECK(server.remove("a b").message.find("'a b'") != std::string::npos);
  std::string told = "nothing";
  server.remove("TWO.example.", {}, [&told](const Error& error) { told = error.message; });
  CHECK(told.empty());
  CHECK_FALSE(server.add(host("three.example")));
}

TEST_CASE("changes of hosts: while the server runs, from a thread that serves no loop") {
  for (const unsigned threads : {1U, 3U}) {
    {
      Serving serving(threads);
      Server& server = serving.server;
      CHECK(ask(serving.address, "two.example").starts_with("421 "));
      CHECK_FALSE(server.add(host("two.example")));
      CHECK(ask(serving.address, "two.example") == "200 two.example");
      CHECK_FALSE(server.change(host("two.example", " changed")));
      CHECK(ask(serving.address, "two.example") == "200 two.example changed");
      CHECK(server.add(host("two.example")).message == "there are two virtual hosts 'two.example'");
      CHECK_FALSE(server.remove("two.example"));
      CHECK(ask(serving.address, "two.example").starts_with("421 "));
      CHECK(ask(serving.address, "one.example") == "200 one.example");
      CHECK_FALSE(server.remove("one.example"));
      CHECK(ask(serving.address, "one.example").starts_with("421 "));
      CHECK_FALSE(server.add(host("one.example", " again")));
      CHECK(ask(serving.address, "one.example") == "200 one.example again");
      CHECK(server.add(protocol<Changer>("late")).message == "the server runs: rows and plugins are added before");
    }
    CHECK(Changer::alive == 0);
  }
}

TEST_CASE("changes of hosts: all loops or none") {
  Serving serving(3);
  CHECK(Changer::alive == 3);
  Changer::starts = 0;  // the second and third loop fail
  CHECK(serving.server.change(host("one.example", "fail")).message == "protocol 'changer' could not start; the log says why");
  CHECK(serving.server.add(host("two.example", "fail")).message == "protocol 'changer' could not start; the log says why");
  CHECK(Changer::alive == 3);
  for (int i = 0; i < 10; ++i) CHECK(ask(serving.address, "one.example") == "200 one.example");
  CHECK(ask(serving.address, "two.example").starts_with("421 "));
  CHECK_FALSE(serving.server.add(host("two.example")));  // the name is free
}

TEST_CASE("changes of hosts: a loop's thread does not wait for itself, and hears of the outcome elsewhere") {
  Serving serving(2);
  std::promise<void> told;
  std::vector<std::string> outcomes;
  std::thread::id loop;
  std::thread::id elsewhere;
  Changer::deed = [&] {
    loop = std::this_thread::get_id();
    outcomes.push_back(serving.server.add(host("two.example")).message);
    serving.server.add(host("two.example"), [&](const Error& error) {
      outcomes.push_back(error.message);
      elsewhere = std::this_thread::get_id();
      outcomes.push_back(serving.server.change(host("two.example", " twice")).message);  // may wait here
    });
    serving.server.add(host("two.example"), [&](const Error& error) {
      outcomes.push_back(error.message);
      told.set_value();
      throw std::runtime_error("a line of the log");
    });
  };
  const BlockingSocket socket(serving.address);
  CHECK(socket.handshake("changer", "one.example") == "HTTP/1.1 101");
  socket.send_text("go");
  CHECK(socket.receive_until("go") == "\x81\x02go");
  told.get_future().get();
  REQUIRE(outcomes.size() == 4);
  CHECK(outcomes[0].find("the thread of a loop cannot wait") == 0);
  CHECK(outcomes[1].empty());
  CHECK(outcomes[2].empty());
  CHECK(outcomes[3] == "there are two virtual hosts 'two.example'");
  CHECK(elsewhere != loop);
  CHECK(ask(serving.address, "two.example") == "200 two.example twice");
}

TEST_CASE("changes of hosts: after the end, and while the server stops, there is an error, exactly once") {
  std::atomic<int> told = 0;
  {
    Serving serving(2);
    std::thread other([&] {
      for (int i = 0; i < 100; ++i) serving.server.add(host("x" + std::to_string(i)), [&](const Error&) { ++told; });
    });
    wait_for([&] { return told > 3; });
    serving.server.stop();
    CHECK(serving.server.add(host("two.example")).message.find("the server stops") == 0);
    other.join();
  }
  CHECK(told == 100);
}

TEST_CASE("changes of hosts: on a caller's loop") {
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    std::string outcome = "none";  // longer than the server, which tells the last outcome as it ends
    Server server(options());
    REQUIRE_FALSE(server.add(protocol<Changer>("changer")));
    REQUIRE_FALSE(server.add(host("one.example")));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    REQUIRE_FALSE(server.start(&loop));
    CHECK(server.add(host("two.example")).message.find("the thread of a loop cannot wait") == 0);
    server.add(host("two.example"), [&](const Error& error) {
      outcome = error.message;
      server.stop();
    });
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(outcome.empty());
    server.add(host("three.example"), [&](const Error& error) { outcome = error.message; });
  }
  CHECK(uv_loop_close(&loop) == 0);
}
