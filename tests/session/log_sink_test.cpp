#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "io/listener.h"
#include "session/site.h"
#include "wharf/server.hpp"

// Sinks of a program that use the library while they are called.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

/// A page that shows the log: each of its clients gets every line of its loop. It logs what clients say.
class Viewer {
 public:
  explicit Viewer(Peer of) : peer(of) {}
  void opened(const Request&) {
    viewers.push_back(this);
    peer.send_text("welcome");
  }
  void message(Kind, std::string_view text) { peer.log(Level::info, text); }
  void closing(std::uint16_t, std::string_view) { std::erase(viewers, this); }

  Peer peer;
  static inline thread_local std::vector<Viewer*> viewers;
};

/// A running server whose sink is the test's.
class Site {
 public:
  explicit Site(LogSink sink, unsigned threads = 1) : server_(options(std::move(sink), threads)) {
    REQUIRE_FALSE(server_.add(protocol<Viewer>("viewer")));
    address_ = listen_anywhere(server_);
    running_.emplace(server_);
  }

  void join() { running_->join(); }
  Server& server() { return server_; }
  [[nodiscard]] const io::Address& address() const { return address_; }

 private:
  static ServerOptions options(LogSink sink, unsigned threads) {
    ServerOptions options;
    options.threads = threads;
    options.log_level = Level::info;
    options.log = std::move(sink);
    options.limits.output_hard_cap = 100'000;
    options.limits.stop_grace = milliseconds(500);
    return options;
  }

  Server server_;
  io::Address address_;
  std::optional<Running> running_;
};

void send_to_viewers(std::string_view text) {
  for (const Viewer* viewer : std::vector(Viewer::viewers)) viewer->peer.send_text(text);
}

/// The response to a request, as a sign of life.
std::string ask(const io::Address& address) {
  SocketWire wire(address);
  wire.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  return wire.read_all();
}

}  // namespace

TEST_CASE("log sink: it may send to peers, log and post, within the callback whose line it is handed") {
  std::atomic<int> posted{0};
  Site site([&posted](Level, std::string_view line) {
    if (Viewer::viewers.empty()) return;
    send_to_viewers(line);
    const Peer first = Viewer::viewers.front()->peer;
    first.log(Level::info, "the sink was here");
    first.handle<Viewer>().post([&posted](Viewer&) { ++posted; });
  });
  SocketWire wire(site.address());
  WsTalk talk(wire, "viewer");
  CHECK(talk.next() == "text welcome");
  talk.send(text("hello"));
  CHECK(talk.next() == "text viewer: hello");
  CHECK(talk.next() == "text viewer: the sink was here");
  wait_until([&posted] { return posted >= 2; });
  CHECK(ask(site.address()).starts_with("HTTP/1.1 404 "));
}

TEST_CASE("log sink: a line about a peer that is cut may be sent to that peer") {
  std::atomic<int> cuts{0};
  Site site([&cuts](Level, std::string_view line) {
    send_to_viewers(std::string(line) + std::string(60'000, '.'));
    if (line.find(": cut, ") != std::string_view::npos) ++cuts;
  });
  SocketWire wire(site.address(), 4096);  // and it reads nothing
  WsTalk talk(wire, "viewer");
  try {
    while (cuts == 0) talk.send(text("more"));
  } catch (const std::runtime_error&) {  // it is cut
  }
  wait_until([&cuts] { return cuts != 0; });
  CHECK(ask(site.address()).starts_with("HTTP/1.1 404 "));
}

TEST_CASE("log sink: it may stop the server, and its exceptions go no further") {
  std::string last;
  Server* server = nullptr;
  Site site([&](Level, std::string_view line) {
    last = line;
    if (line == "viewer: stop") server->stop();
    throw std::runtime_error("nobody may hear of this");
  });
  server = &site.server();
  SocketWire wire(site.address());
  WsTalk talk(wire, "viewer");
  CHECK(talk.next() == "text welcome");
  talk.send(text("hello") + text("stop"));
  CHECK(talk.next() == "close 1001 server is stopping");
  talk.send(close_frame(1001));
  site.join();
  CHECK(last == "viewer: stop");
}

TEST_CASE("log sink: lines of all loops come to it, one at a time") {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> lines{0};
  constexpr int clients = 8;
  constexpr int each = 20;
  Site site(
      [&](Level, std::string_view) {
        most = std::max(most.load(), ++inside);
        ++lines;
        std::this_thread::yield();
        --inside;
      },
      4);
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&site] {
      SocketWire wire(site.address());
      WsTalk talk(wire, "viewer");
      for (int line = 0; line < each; ++line) talk.send(text("a line"));
      talk.send(close_frame(1000));
      while (talk.next() != "end") {
      }
    });
  for (std::thread& thread : threads) thread.join();
  wait_until([&lines] { return lines == clients * each; });
  CHECK(most == 1);
}
