#include <dlfcn.h>
#include <doctest/doctest.h>
#include <netdb.h>
#include <uv.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "session/site.h"
#include "wharf/server.hpp"

// A name server that does not answer, and a server that stops all the same; to be run under the thread sanitizer too.

namespace {

using namespace wharf;
using namespace wharf::test;

/// Those who wait for a name that begins with "hangs". Never destroyed: they may come late.
class Hung {
 public:
  static Hung& names() {
    static auto* const the = new Hung;
    return *the;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    ++came_;
    changed_.wait(lock, [this] { return open_; });
    ++went_;
  }
  void let_go(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  [[nodiscard]] int waiting() const {
    const std::lock_guard lock(mutex_);
    return came_ - went_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int came_ = 0;
  int went_ = 0;
};

}  // namespace

/// Replaces the system's, for all of this program and the libraries that it uses.
extern "C" [[gnu::visibility("default")]] int getaddrinfo(const char* name, const char* service, const addrinfo* req,
                                                          addrinfo** pai) {
  const bool asks = req == nullptr || (req->ai_flags & AI_NUMERICHOST) == 0;
  if (asks && name != nullptr && std::string_view(name).starts_with("hangs")) {
    Hung::names().wait();
    return EAI_AGAIN;
  }
  static auto* const system = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return system(name, service, req, pai);
}

namespace {

/// A server that proxies everything to a name, and clients that wait for it.
class Proxying {
 public:
  explicit Proxying(unsigned threads) : server_(std::make_unique<Server>(options(threads))) {
    Hung::names().let_go(false);
    VirtualHost host;
    host.mounts.push_back({"/", Proxy{"http://hangs.example:80/"}});
    REQUIRE_FALSE(server_->add(host));
    address_ = listen_anywhere(*server_);
  }
  Server& server() { return *server_; }

  /// Has `serve` run on another thread, stops the server when the name is being looked up, and waits for the end.
  void stop_while_looking_up(const std::function<void()>& serve) {
    std::atomic<bool> ended{false};
    std::thread runner([&] {
      serve();
      ended = true;
    });
    SocketWire wire(address_);
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(comes_true([] { return Hung::names().waiting() != 0; }));
    server_->stop();
    CHECK(comes_true([&ended] { return ended.load(); }));
    if (!ended) Hung::names().let_go(true);
    runner.join();
    CHECK(wire.read_all().empty());
    server_.reset();
    CHECK(Hung::names().waiting() == 1);  // and is looked up still
    Hung::names().let_go(true);
    wait_until([] { return Hung::names().waiting() == 0; });
  }

 private:
  static bool comes_true(const std::function<bool()>& so) {
    try {
      wait_until(so);
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }
  static ServerOptions options(unsigned threads) {
    ServerOptions options;
    options.threads = threads;
    options.quiet = true;
    options.limits.stop_grace = std::chrono::milliseconds(50);
    return options;
  }

  std::unique_ptr<Server> server_;
  io::Address address_;
};

}  // namespace

TEST_CASE("slow names: a stop does not wait for a name that is being looked up") {
  for (const unsigned threads : {1U, 4U}) {
    CAPTURE(threads);
    Proxying proxying(threads);
    proxying.stop_while_looking_up([&proxying] { CHECK_FALSE(proxying.server().run()); });
  }
}

TEST_CASE("slow names: a caller's loop has nothing left of the server while a name is being looked up") {
  Proxying proxying(1);
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  REQUIRE_FALSE(proxying.server().start(&loop));
  proxying.stop_while_looking_up([&loop] { CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0); });
  CHECK(uv_loop_close(&loop) == 0);
}
