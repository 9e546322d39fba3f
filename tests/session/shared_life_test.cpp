#include <doctest/doctest.h>
#include <pthread.h>
#include <uv.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "session/site.h"
#include "wharf/server.hpp"

// Where and when rows' shared states are made and destroyed; to be run under the thread sanitizer.

namespace {

using namespace wharf;
using namespace wharf::test;

/// What all shared states of a test have said.
struct Book {
  std::mutex mutex;
  std::vector<std::thread::id> made_on;
  int destroyed = 0;
  bool elsewhere = false;  // one was used or destroyed on a thread other than the one that made it
  int fail_at = -1;        // this one, counted from 0, does not start
  std::function<void()> at_end;
};
Book* book = nullptr;

/// Uses everything that its scope offers, as long as it lives.
class Asks {
 public:
  struct Shared {
    explicit Shared(Scope of) : scope(of) {
      const std::lock_guard lock(book->mutex);
      if (static_cast<int>(book->made_on.size()) == book->fail_at) throw std::runtime_error("not this one");
      book->made_on.push_back(std::this_thread::get_id());
      ask();
    }
    ~Shared() {
      const std::function<void()> at_end = [this] {
        const std::lock_guard lock(book->mutex);
        ask();
        book->elsewhere |= std::this_thread::get_id() != own;
        ++book->destroyed;
        return book->at_end;
      }();
      if (at_end) at_end();
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    void ask() {
      CHECK(scope.now() >= begin);
      CHECK(scope.server_statistics().rows == 1);
      CHECK_FALSE(scope.option("none"));
      scope.log(Level::info, "asked");
    }

    Scope scope;
    std::chrono::milliseconds begin = scope.now();
    std::thread::id own = std::this_thread::get_id();
  };

  Asks(Peer peer, Shared& shared) : peer_(peer), shared_(shared) {}
  ~Asks() { in_place(); }
  Asks(const Asks&) = delete;
  Asks& operator=(const Asks&) = delete;
  void message(Kind kind, std::string_view data) {
    in_place();
    peer_.send(kind, data);
  }

 private:
  void in_place() {
    const std::lock_guard lock(book->mutex);
    book->elsewhere |= std::this_thread::get_id() != shared_.own;
    shared_.ask();
  }

  Peer peer_;
  Shared& shared_;
};

struct Site {
  explicit Site(unsigned threads = 1) : server(options(threads)) {
    book = &pages;
    REQUIRE_FALSE(server.add(protocol<Asks>("asks")));
    address = listen_anywhere(server);
  }
  static ServerOptions options(unsigned threads) {
    ServerOptions options;
    options.threads = threads;
    options.log_level = Level::debug;
    options.log = [](Level, std::string_view) {};
    options.limits.stop_grace = std::chrono::milliseconds(50);
    return options;
  }

  DescriptorCheck descriptors;
  Book pages;
  Server server;
  io::Address address;
};

}  // namespace

TEST_CASE(
    "shared state: made, used and destroyed on the thread of its loop; until the end it may ask for the time and the counts") {
  for (const unsigned threads : {1U, 4U}) {
    CAPTURE(threads);
    {
      Site site(threads);
      std::thread runner([&site] { CHECK_FALSE(site.server.run()); });
      std::vector<std::unique_ptr<SocketWire>> wires;
      for (int i = 0; i < 12; ++i) {
        wires.push_back(std::make_unique<SocketWire>(site.address));
        WsTalk talk(*wires.back(), "asks", text("hello"));
        CHECK(talk.next() == "text hello");
      }
      site.server.stop();
      runner.join();
      const std::set<std::thread::id> loops(site.pages.made_on.begin(), site.pages.made_on.end());
      CHECK(loops.size() == threads);
      CHECK(site.pages.destroyed == static_cast<int>(threads));
      CHECK_FALSE(site.pages.elsewhere);
      wires.clear();
    }
  }
}

TEST_CASE("shared state: on a caller's loop too") {
  Site site;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  REQUIRE_FALSE(site.server.start(&loop));
  site.server.stop();
  CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
  CHECK(site.pages.destroyed == 1);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("shared state: its destructor may call Server::stop() and reopen_logs()") {
  for (const unsigned threads : {1U, 3U}) {
    Site site(threads);
    site.pages.at_end = [&site] {
      site.server.stop();
      site.server.reopen_logs();
    };
    CHECK_FALSE(site.server.run([&site] { site.server.stop(); }));
    CHECK(site.pages.destroyed == static_cast<int>(threads));
  }
}

TEST_CASE(
    "shared state: if one of several does not start, run() says so, the others end on their own threads, and ports are closed") {
  for (const int failing : {0, 1, 3}) {
    CAPTURE(failing);
    Site site(4);
    site.pages.fail_at = failing;
    CHECK(site.server.run([] { FAIL("it is not ready"); }).message == "protocol 'asks' could not start; the log says why");
    CHECK(site.pages.destroyed == failing);
    CHECK_FALSE(site.pages.elsewhere);
    CHECK_THROWS(SocketWire(site.address));
    CHECK(site.server.run().message == "the server runs already, or has run; make another one");
  }
}

TEST_CASE("shared state: if it does not start, a caller's loop has nothing of the server, which may be destroyed at once") {
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    Site site;
    site.pages.fail_at = 0;
    CHECK(site.server.start(&loop).message == "protocol 'asks' could not start; the log says why");
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
  }
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("shared state: what `ready` throws ends the workers on their threads") {
  Site site(3);
  CHECK_THROWS_AS(static_cast<void>(site.server.run([] { throw std::runtime_error("no"); })), std::runtime_error);
  CHECK(site.pages.destroyed == 3);
  CHECK_FALSE(site.pages.elsewhere);
}

namespace {

/// As long as it exists, the system cannot make a thread: there is no room for such a stack.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t vast;
    pthread_attr_init(&vast);
    pthread_attr_setstacksize(&vast, std::size_t{1} << 46);
    REQUIRE(pthread_setattr_default_np(&vast) == 0);
    pthread_attr_destroy(&vast);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_{};
};

}  // namespace

TEST_CASE("shared state: if the system has no thread for a loop, run() says so and does not throw") {
  Site site(3);
  const NoThreads none;
  CHECK(site.server.run([] { FAIL("it is not ready"); }).message.starts_with("the system has no thread for loop 2 of 3: "));
  CHECK(site.pages.destroyed == 1);
  CHECK_THROWS(SocketWire(site.address));
}

TEST_CASE("threads: logs are reopened from four threads while the server starts and stops") {
  Site site(3);
  std::atomic<bool> end{false};
  std::array<std::thread, 4> others;
  for (std::thread& other : others)
    other = std::thread([&] {
      while (!end) site.server.reopen_logs();
    });
  std::atomic<bool> ready{false};
  std::thread stopper([&] {
    wait_until([&ready] { return ready.load(); });
    site.server.stop();
  });
  CHECK_FALSE(site.server.run([&ready] { ready = true; }));
  end = true;
  stopper.join();
  for (std::thread& other : others) other.join();
}
