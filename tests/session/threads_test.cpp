#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "session/site.h"
#include "wharf/server.hpp"

// What crosses threads; to be run under the thread sanitizer.

namespace {

using namespace wharf;
using namespace wharf::test;

class Posted;

/// Names of peers, living and gone.
struct Names {
  std::mutex mutex;
  std::vector<Handle<Posted>> all;
  std::set<std::thread::id> loops;

  std::optional<Handle<Posted>> any(std::mt19937& random) {
    const std::lock_guard lock(mutex);
    if (all.empty()) return std::nullopt;
    return all[random() % all.size()];
  }
};

Names& names() {
  static Names the;
  return the;
}

/// Gives its name away, and sends what is posted to it.
class Posted {
 public:
  explicit Posted(Peer peer) : peer_(peer) {}
  void opened(const Request&) {
    const std::lock_guard lock(names().mutex);
    names().all.push_back(peer_.handle<Posted>());
    names().loops.insert(std::this_thread::get_id());
  }
  void message(Kind kind, std::string_view data) { peer_.send(kind, data); }
  void say(std::string_view text) { peer_.send_text(text); }
  void close() { peer_.close(4000, "posted"); }

 private:
  Peer peer_;
};

/// A server with that many loops, on threads of its own.
class Site {
 public:
  explicit Site(unsigned threads) : server_(options(threads)) {
    names().all.clear();
    names().loops.clear();
    REQUIRE_FALSE(server_.add(protocol<Posted>("posted")));
    address_ = listen_anywhere(server_);
    running_.emplace(server_);
  }

  void stop() {
    server_.stop();
    running_->join();
  }
  [[nodiscard]] const io::Address& address() const { return address_; }
  Server& server() { return server_; }

 private:
  static ServerOptions options(unsigned threads) {
    ServerOptions options;
    options.threads = threads;
    options.log_level = Level::debug;
    options.log = [count = 0](Level, std::string_view) mutable { ++count; };  // by one thread at a time, or the sanitizer tells
    options.limits.stop_grace = std::chrono::milliseconds(100);
    return options;
  }

  DescriptorCheck descriptors_;
  Server server_;
  io::Address address_;
  std::optional<Running> running_;
};

/// Counts tasks that were made and destroyed.
struct Tally {
  std::atomic<int> taken{0};
  std::atomic<int> ran{0};
  std::atomic<int> alive{0};
};

struct Token {
  explicit Token(Tally& of) : tally(of) { ++tally.alive; }
  ~Token() { --tally.alive; }
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  Tally& tally;
};

/// Posts to peers at random until told to end.
void post_away(unsigned seed, const std::atomic<bool>& end, Tally& tally) {
  std::mt19937 random(seed);
  while (!end) {
    const auto handle = names().any(random);
    if (!handle) {
      std::this_thread::yield();
      continue;
    }
    const bool closes = random() % 64 == 0;
    const bool taken = handle->post([token = std::make_shared<Token>(tally), closes](Posted& peer) {
      ++token->tally.ran;
      if (closes) peer.close();
      else peer.say("posted");
    });
    if (taken) ++tally.taken;
    if (random() % 4 == 0) std::this_thread::yield();
  }
}

/// Opens a conversation, hears a few words, and ends it one way or the other.
void come_and_go(const io::Address& address, unsigned how) {
  SocketWire wire(address);
  WsTalk talk(wire, "posted");
  talk.send(text("mine"));
  std::string word = talk.next();
  for (int i = 0; i < 20 && word == "text posted"; ++i) word = talk.next();
  if (how % 3 == 0) return wire.reset();
  if (how % 3 == 1) return wire.close();
  talk.send(close_frame(1000));
  while (word != "end" && !word.starts_with("close")) word = talk.next();
}

}  // namespace

TEST_CASE("threads: four threads post while peers come and go") {
  Tally tally;
  {
    Site running(2);
    std::atomic<bool> end{false};
    std::vector<std::thread> posters;
    for (unsigned seed = 1; seed <= 4; ++seed) posters.emplace_back([&, seed] { post_away(seed, end, tally); });
    for (unsigned i = 0; i < 60; ++i) come_and_go(running.address(), i);
    wait_until([&tally] { return tally.ran > 0; });
    running.stop();  // while they still post
    end = true;
    for (std::thread& poster : posters) poster.join();
  }
  CHECK(tally.taken > 0);
  CHECK(tally.ran <= tally.taken);
  CHECK(tally.alive == 0);  // each task was let go, run or not
}

TEST_CASE("threads: a server with four loops serves clients of four threads on one port") {
  Site running(4);
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client)
    clients.emplace_back([&running, client] {
      for (int i = 0; i < 16; ++i) {
        SocketWire wire(running.address());
        WsTalk talk(wire, "posted");
        for (int message = 0; message < 10; ++message) {
          const std::string word = std::to_string(client * 1000 + i * 10 + message);
          talk.send(text(word));
          CHECK(talk.next() == "text " + word);
        }
      }
    });
  for (std::thread& client : clients) client.join();
  const std::lock_guard lock(names().mutex);
  CHECK(names().all.size() == 64);
  CHECK(names().loops.size() > 1);  // the system spreads connections over the loops
}

TEST_CASE("threads: stop from several threads at once, with conversations open") {
  Site running(4);
  std::vector<std::unique_ptr<SocketWire>> wires;
  for (int i = 0; i < 12; ++i) {
    wires.push_back(std::make_unique<SocketWire>(running.address()));
    WsTalk(*wires.back(), "posted");
  }
  std::vector<std::thread> stoppers;
  for (int i = 0; i < 4; ++i) stoppers.emplace_back([&running] { running.server().stop(); });
  for (std::thread& stopper : stoppers) stopper.join();
  running.stop();
  for (const auto& wire : wires) wire->read_all();
  wires.clear();
}

TEST_CASE("threads: a name outlives its server") {
  std::optional<Handle<Posted>> handle;
  {
    Site running(1);
    SocketWire wire(running.address());
    WsTalk(wire, "posted");
    std::mt19937 random(1);
    handle = names().any(random);
    REQUIRE(handle);
    CHECK(handle->post([](Posted& peer) { peer.say("x"); }));
  }
  CHECK_FALSE(handle->post([](Posted&) { FAIL("the peer has gone"); }));
}
