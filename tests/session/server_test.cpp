#include "wharf/server.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "io/listener.h"
#include "session/site.h"
#include "temporary_folder.h"
#include "unit/http/h1_bench.h"

// Whole servers through their public interface, with clients on sockets.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;
namespace fs = std::filesystem;

ServerOptions silent(unsigned threads = 1) {
  ServerOptions options;
  options.quiet = true;
  options.threads = threads;
  options.limits.stop_grace = milliseconds(100);
  return options;
}

/// With the actor's row, listening on a free port.
struct Listening {
  explicit Listening(const ServerOptions& options) : server(options) {
    actor_record().clear();
    REQUIRE_FALSE(server.add(protocol<Actor>("actor")));
    address = listen_anywhere(server);
  }

  DescriptorCheck descriptors;
  Server server;
  io::Address address;
};

std::string ask(const io::Address& address, std::string_view target) {
  SocketWire wire(address);
  wire.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  return wire.read_all();
}

/// A temporary folder with the folder www in it, and the working folder is put back at the end.
struct Place {
  Place() {
    fs::create_directory(root / "www");
    folder.write("www/page.txt", "page");
  }
  ~Place() { fs::current_path(before); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  fs::path before = fs::current_path();
  TemporaryFolder folder;
  fs::path root = folder.path;
};

VirtualHost with_files(const std::string& folder) {
  VirtualHost host;
  host.mounts.push_back({"/", Files{folder}});
  return host;
}

}  // namespace

TEST_CASE("server: a folder given by a relative path is the one that was there when it was given") {
  const Place place;
  Listening one(silent());
  fs::current_path(place.root);
  REQUIRE_FALSE(one.server.add(with_files("www")));
  fs::current_path("/");  // as programs do that go into the background
  const Running running(one.server);
  CHECK(ask(one.address, "/page.txt").ends_with("\r\n\r\npage"));
  REQUIRE(fs::exists("/etc/passwd"));
  CHECK(ask(one.address, "/etc/passwd").starts_with("HTTP/1.1 404 "));
}

TEST_CASE("server: a password file and an access log given by relative names are those of the folder that the program was in") {
  const Place place;
  Listening one(silent());
  fs::create_directory(place.root / "elsewhere");
  // htpasswd -nbBC 4 alice 'correct horse'
  std::ofstream(place.root / "users") << "alice:$2y$04$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312\n";
  // another user, whom nobody asked for
  std::ofstream(place.root / "elsewhere" / "users") << "bob:$2y$05$K9U.Op9ub7s.8Hrtbe/mausMcJzd3JNDmgM4aZXKzlmyqo4BKrdw2\n";
  fs::current_path(place.root);
  VirtualHost host = with_files("www");
  host.mounts.front().access = PasswordAccess{"users"};
  host.access_log.file = "access.log";
  REQUIRE_FALSE(one.server.add(host));
  fs::current_path(place.root / "elsewhere");
  {
    const Running running(one.server);
    CHECK(ask(one.address, "/page.txt").starts_with("HTTP/1.1 401 "));
    const std::string fields = "Host: a\r\nConnection: close\r\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==\r\n\r\n";
    SocketWire wire(one.address);
    wire.send("GET /page.txt HTTP/1.1\r\n" + fields);
    CHECK(wire.read_all().ends_with("\r\n\r\npage"));
  }
  std::ifstream log(place.root / "access.log");
  std::vector<std::string> lines;
  for (std::string line; std::getline(log, line);) lines.push_back(line);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("\"GET /page.txt HTTP/1.1\" 401 ") != std::string::npos);
  CHECK(lines[1].find("\"GET /page.txt HTTP/1.1\" 200 4 ") != std::string::npos);
  CHECK_FALSE(fs::exists(place.root / "elsewhere" / "access.log"));
}

TEST_CASE("server: a folder that went between being given and the start is a fault at the start") {
  const Place place;
  Listening one(silent());
  REQUIRE_FALSE(one.server.add(with_files(place.root / "www")));
  fs::remove_all(place.root / "www");
  CHECK(one.server.run([] { FAIL("it is not ready"); }).message.find("www") != std::string::npos);
}

TEST_CASE("server: limits of time as large as there are mean never") {
  ServerOptions options = silent();
  for (milliseconds* limit : {&options.limits.request_head_time, &options.limits.keep_alive_idle, &options.limits.close_handshake,
                              &options.limits.write_stall, &options.limits.stop_grace})
    *limit = milliseconds::max();
  Listening one(options);
  REQUIRE_FALSE(one.server.add(with_files(files_folder())));
  Running running(one.server);
  const auto pause = [] { std::this_thread::sleep_for(milliseconds(30)); };
  {
    const std::string big = big_file();
    SocketWire wire(one.address, 32 * 1024);
    for (int i = 0; i < 2; ++i) {
      pause();
      wire.send("GET /big HTTP/1.1\r\n");
      pause();
      wire.send("Host: a\r\n\r\n");
      pause();
      CHECK(wire.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
      CHECK(wire.read(big.size()) == big);
    }
  }
  SocketWire closed(one.address);
  WsTalk to_be_closed(closed, "actor", text("close me"));
  CHECK(to_be_closed.next() == "close 4000 asked");
  pause();
  to_be_closed.send(close_frame(4000));
  CHECK(to_be_closed.next() == "end");
  SocketWire stopped(one.address);
  WsTalk to_be_stopped(stopped, "actor");
  one.server.stop();
  CHECK(to_be_stopped.next() == "close 1001 server is stopping");
  pause();
  to_be_stopped.send(close_frame(1001));
  CHECK(to_be_stopped.next() == "end");
  stopped.close();
  closed.close();
  running.join();
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 4000", "destroyed", "closing 1001", "destroyed"});
}

TEST_CASE("server: limits of output that are out of order are refused by run() and start()") {
  const auto refusal = [](std::size_t low, std::size_t high, std::size_t cap) {
    ServerOptions options = silent();
    options.limits.output_low_water = low;
    options.limits.output_high_water = high;
    options.limits.output_hard_cap = cap;
    Server server(options);
    server.stop();  // if it is not refused, it ends at once
    return server.run([] {}).message;
  };
  const std::string message = "the output limits must be in order: low water, high water (at least 1), hard cap";
  CHECK(refusal(101, 100, 1000) == message);
  CHECK(refusal(10, 1001, 1000) == message);
  CHECK(refusal(10, 100, 0) == message);
  CHECK(refusal(0, 0, 1000) == message);
  CHECK(refusal(0, 0, 0) == message);
  CHECK(refusal(0, 1, 1).empty());
  CHECK(refusal(100, 100, 100).empty());

  ServerOptions options = silent();
  options.limits.output_hard_cap = 1;
  Server server(options);
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  CHECK(server.start(&loop).message == message);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: a log that throws stops nothing") {
  int lines = 0;
  ServerOptions options = silent();
  options.quiet = false;
  options.log_level = Level::debug;
  options.log = [&lines](Level, std::string_view) {
    ++lines;
    throw std::runtime_error("the disk is full");
  };
  Listening one(options);
  Running running(one.server);
  for (int i = 0; i < 3; ++i) {
    SocketWire wire(one.address);
    WsTalk talk(wire, "actor", text("\xFF"));
    CHECK(talk.next().starts_with("close 1007"));
    CHECK(talk.next() == "end");
  }
  one.server.stop();
  running.join();
  CHECK(lines >= 3);
}

TEST_CASE("server: what `ready` throws comes out of run(), and the whole server has ended") {
  for (const unsigned threads : {1U, 2U}) {
    CAPTURE(threads);
    Listening one(silent(threads));
    CHECK_THROWS_WITH_AS(static_cast<void>(one.server.run([] { throw std::runtime_error("not ready after all"); })),
                         "not ready after all", std::runtime_error);
    CHECK_THROWS(SocketWire(one.address));
    CHECK(one.server.run().message == "the server runs already, or has run; make another one");
  }
}

namespace {

/// From here on, the descriptor that listens on the address is one that cannot be waited for.
void spoil_listening_socket(const io::Address& address) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    io::Address own;
    if (getsockname(descriptor, own.get(), &own.size) == 0 && own.text() == address.text()) dup2(null, descriptor);
  }
  close(null);
}

}  // namespace

TEST_CASE("server: if the system does not watch a port, the start fails and leaves nothing in the caller's loop") {
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    Listening one(silent());
    spoil_listening_socket(one.address);
    CHECK(one.server.start(&loop).message == "the system refuses to watch a listening socket");
    for (int turn = 0; turn < 5; ++turn) uv_run(&loop, UV_RUN_NOWAIT);
    CHECK(uv_loop_alive(&loop) == 0);  // while the server is still there
  }
  for (int turn = 0; turn < 5; ++turn) uv_run(&loop, UV_RUN_NOWAIT);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: if the system does not watch a port, run() fails") {
  for (const unsigned threads : {1U, 2U}) {
    Listening one(silent(threads));
    spoil_listening_socket(one.address);
    CHECK(one.server.run([] { FAIL("it is not ready"); }).message == "the system refuses to watch a listening socket");
  }
}

namespace {

/// The keep-alive options of a connected socket of this process; nothing if there is none.
std::vector<int> keep_alive_of(const std::function<bool(const io::Address& own, const io::Address& other)>& wanted) {
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    io::Address own;
    io::Address other;
    if (getsockname(descriptor, own.get(), &own.size) != 0 || getpeername(descriptor, other.get(), &other.size) != 0) continue;
    if (!wanted(own, other)) continue;
    const auto option = [descriptor](int level, int name) {
      int value = -1;
      socklen_t size = sizeof value;
      getsockopt(descriptor, level, name, &value, &size);
      return value;
    };
    return {option(SOL_SOCKET, SO_KEEPALIVE), option(IPPROTO_TCP, TCP_KEEPIDLE), option(IPPROTO_TCP, TCP_KEEPINTVL),
            option(IPPROTO_TCP, TCP_KEEPCNT)};
  }
  return {};
}

}  // namespace

TEST_CASE("limits: tcp_keep_alive_idle, tcp_keep_alive_interval and tcp_keep_alive_count, towards clients and servers behind") {
  const auto behind = io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 9, io::ListeningSocket::Sharing::alone);
  REQUIRE(behind);
  const std::string target = behind->address().text();
  ServerOptions options = silent();
  options.limits.tcp_keep_alive_idle = milliseconds(7'000);
  options.limits.tcp_keep_alive_interval = milliseconds(3'000);
  options.limits.tcp_keep_alive_count = 5;
  Listening one(options);
  VirtualHost host;
  host.mounts.push_back({"/", Proxy{"http://" + target + "/"}});
  REQUIRE_FALSE(one.server.add(host));
  const Running running(one.server);
  SocketWire wire(one.address);
  wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  std::vector<int> made;
  wait_until([&] {
    made = keep_alive_of([&target](const io::Address&, const io::Address& other) { return other.text() == target; });
    return !made.empty();
  });
  const std::vector<int> as_told{1, 7, 3, 5};
  CHECK(made == as_told);
  CHECK(keep_alive_of([&one](const io::Address& own, const io::Address&) { return own.text() == one.address.text(); }) == as_told);
}

TEST_CASE("server: conversations that are open when a loop is destroyed end while their shared state exists") {
  SiteParts parts(room_limits());
  server::OpenDoor door;
  auto worker = std::move(*server::Worker::create(nullptr, parts.limits, parts.for_worker()));
  auto listening =
      std::move(*io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 511, io::ListeningSocket::Sharing::alone));
  const io::Address address = listening.address();
  door.address = address;
  REQUIRE_FALSE(worker->accept_from(std::move(listening), door));
  SocketWire wire(address);
  wire.send(upgrade_request("actor") + text("hello"));
  for (int turn = 0; turn < 20; ++turn) uv_run(worker->loop().uv(), UV_RUN_NOWAIT);
  wire.read_until("what is hello");
  worker.reset();
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}
