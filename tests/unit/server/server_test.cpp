#include "wharf/server.hpp"

#include <doctest/doctest.h>
#include <uv.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "temporary_folder.h"
#include "unit/server/blocking_socket.h"

namespace {

using namespace wharf;
using namespace std::chrono_literals;
using test::BlockingSocket;

/// Echoes; `stop` stops the server, `stop twice` does it twice.
struct Stopper {
  static inline Server* server = nullptr;
  static inline std::function<void()> stopped;
  Peer peer;
  void message(Kind kind, std::string_view data) {
    peer.send(kind, data);
    if (data == "stop") server->stop(stopped);
    if (data == "stop twice") {
      server->stop(stopped);
      server->stop([] { FAIL("the first call counts"); });
    }
  }
};

/// It cannot start if its option `fail` is given.
struct Unable {
  struct Shared {
    explicit Shared(Scope scope) {
      if (scope.option("fail")) throw std::runtime_error("asked to fail");
    }
  };
  Peer peer;
  Shared& shared;
  void message(Kind, std::string_view) {}
};

struct Lines {
  LogSink sink() {
    return [this](Level, std::string_view text) { lines.emplace_back(text); };
  }
  std::vector<std::string> lines;
};

ServerOptions options(Lines& log, unsigned threads = 1) {
  ServerOptions options;
  options.threads = threads;
  options.log = log.sink();
  options.limits.stop_grace = 2000ms;
  return options;
}

std::uint16_t port_of(const std::string& address) {
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

bool works(const std::string& address) {
  const BlockingSocket socket(address);
  if (!socket.connected() || socket.handshake("stopper") != "HTTP/1.1 101") return false;
  socket.send_text("hi");
  return socket.receive_until("hi") == std::string("\x81\x02hi");
}

const std::string close_1001 = std::string("\x88\x14\x03\xE9", 4) + "server is stopping";

}  // namespace

TEST_CASE("server: faults in rows and plugins are errors, and leave the table as it was") {
  Lines log;
  Server server(options(log));
  CHECK_FALSE(server.add(protocol<Stopper>("one")));
  CHECK(server.add(protocol<Stopper>("one")).message == "protocol 'one' is already in the table");
  CHECK(server.add(protocol<Stopper>("http")).message == "protocol name 'http' is reserved: HTTP is protocol zero");
  CHECK(server.add(protocol<Stopper>("a b")).message.find("not a token") != std::string::npos);
  const Protocol rows[] = {protocol<Stopper>("two"), protocol<Stopper>("one")};
  const auto pointers = detail::pointers_to(rows);
  const wharf_plugin plugin{WHARF_ABI_NUMBER, 2, sizeof(wharf_plugin), pointers.rows, WHARF_ABI_MINOR, WHARF_ABI_LEAST};
  CHECK(server.add(plugin).message == "protocol 'one' is already in the table");
  CHECK(server.protocols() == std::vector<std::string>{"one"});
  CHECK(log.lines.empty());
}

TEST_CASE("server: a built-in plugin of another ABI is refused as a loaded one is") {
  Lines log;
  Server server(options(log));
  const Protocol rows[] = {protocol<Stopper>("two")};
  const auto pointers = detail::pointers_to(rows);
  const Error error =
      server.add(wharf_plugin{WHARF_ABI_NUMBER + 1, 1, sizeof(wharf_plugin), pointers.rows, WHARF_ABI_MINOR, WHARF_ABI_LEAST});
  CHECK(error.message.find("ABI") != std::string::npos);
  CHECK(server.add(wharf_plugin{WHARF_ABI_NUMBER, 0, sizeof(wharf_plugin), nullptr, WHARF_ABI_MINOR, WHARF_ABI_LEAST}));
  CHECK(server.protocols().empty());
}

TEST_CASE("server: faults of virtual hosts") {
  Lines log;
  Server server(options(log));
  REQUIRE_FALSE(server.add(protocol<Stopper>("one")));
  VirtualHost host;
  host.name = "one.example";
  REQUIRE_FALSE(server.add(host));
  host.name = "ONE.example";
  CHECK(server.add(host).message == "there are two virtual hosts 'ONE.example'");
  REQUIRE_FALSE(server.add(VirtualHost{}));
  CHECK(server.add(VirtualHost{}).message == "there are two virtual hosts ''");

  const auto fault = [&server](auto change) {
    VirtualHost changed;
    changed.name = "other.example";
    change(changed);
    return server.add(changed).message;
  };
  const std::string unknown = "there is no protocol 'tow'; there are: one";
  CHECK(fault([](VirtualHost& h) { h.protocols = {"one", "tow"}; }) == unknown);
  CHECK(fault([](VirtualHost& h) { h.default_protocol = "tow"; }) == unknown);
  CHECK(fault([](VirtualHost& h) { h.options["tow"]["a"] = "b"; }) == unknown);
  CHECK(fault([](VirtualHost& h) {
          h.mounts.push_back({"/", Files{"/no/such/folder"}});
        }) == "cannot serve files from '/no/such/folder': No such file or directory; name a folder that exists and can be read");
  CHECK(fault([](VirtualHost& h) {
          h.mounts.push_back({"files", Files{"/tmp"}});
        }) == "mount prefix 'files' must start and end with '/'");
  CHECK(fault([](VirtualHost& h) { h.protocols = {"one"}; }).empty());  // none of these took the name
}

TEST_CASE("server: a port that is in use is refused in one line that says how to mend it") {
  Lines log;
  Server first(options(log));
  REQUIRE_FALSE(first.listen("127.0.0.1", 0));
  const std::string address = first.addresses().front();
  for (const unsigned threads : {1U, 2U}) {
    Server second(options(log, threads));
    CHECK(second.listen("127.0.0.1", port_of(address)).message ==
          "cannot listen on " + address + ": Address already in use; stop the other program or choose another port");
    CHECK(second.addresses().empty());
  }
  Server several(options(log, 3));
  REQUIRE_FALSE(several.listen("127.0.0.1", 0));
  for (const unsigned threads : {1U, 3U}) {
    Server second(options(log, threads));
    CHECK(second.listen("127.0.0.1", port_of(several.addresses().front())).message.find("already in use") != std::string::npos);
  }
}

TEST_CASE("server: interfaces by address, by name, and those that are not there") {
  Lines log;
  Server server(options(log));
  CHECK_FALSE(server.listen("127.0.0.1", 0));
  CHECK_FALSE(server.listen("lo", 0));
  CHECK_FALSE(server.listen("localhost", 0));
  const std::vector<std::string> addresses = server.addresses();
  REQUIRE(addresses.size() >= 3);
  CHECK(addresses[0].starts_with("127.0.0.1:"));
  CHECK(addresses[1].starts_with("127.0.0.1:"));
  CHECK(
      server.listen("no.such.interface.invalid", 0).message ==
      "cannot listen on 'no.such.interface.invalid': no network interface, address or host of that name; try 127.0.0.1, ::1 or lo");
  CHECK(server.listen("192.0.2.1", 0).message ==
        "cannot listen on 192.0.2.1:0: Cannot assign requested address; this machine does not have that address");
  CHECK(server.addresses() == addresses);
}

TEST_CASE("server: all addresses of a name have one port") {
  Lines log;
  for (const unsigned threads : {1U, 3U}) {
    Server server(options(log, threads));
    REQUIRE_FALSE(server.listen("*", 0));
    const std::string port = std::to_string(port_of(server.addresses().front()));
    CHECK(server.addresses().front() == "0.0.0.0:" + port);
    if (server.addresses().size() > 1) CHECK(server.addresses() == std::vector<std::string>{"0.0.0.0:" + port, "[::]:" + port});
  }
}

TEST_CASE("server: a unix socket whose file cannot be as the door says is refused in one line") {
  Lines log;
  Server server(options(log));
  Door door;
  door.mode = 010'660;
  CHECK(server.listen_unix("/no/such/wharf-refused", door).message ==
        "cannot listen on the unix socket '/no/such/wharf-refused': the mode of its file must be from 0 to 0777");
  door.mode = 0660;
  door.group = "no-such-group";
  CHECK(server.listen_unix("/no/such/wharf-refused", door).message ==
        "cannot listen on the unix socket '/no/such/wharf-refused': there is no group 'no-such-group'");
  CHECK(server.addresses().empty());
}

TEST_CASE("server: serves every port until it is stopped from another thread") {
  Lines log;
  Server server(options(log));
  REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  std::string error = "not run";
  std::atomic<bool> stopped = false;
  std::thread thread([&] { error = server.run().message; });
  for (const std::string& address : server.addresses()) CHECK(works(address));
  const BlockingSocket open(server.addresses().front());
  CHECK(open.handshake("stopper") == "HTTP/1.1 101");
  server.stop([&stopped] { stopped = true; });
  CHECK(open.receive_until("stopping") == close_1001);
  open.send(std::string("\x88\x80\0\0\0\0", 6));
  CHECK(open.receive_all().empty());
  thread.join();
  CHECK(error.empty());
  CHECK(stopped);
  for (const std::string& address : server.addresses()) CHECK_FALSE(BlockingSocket(address).connected());
}

TEST_CASE("server: stopped before it runs, it returns at once") {
  Lines log;
  for (const unsigned threads : {1U, 4U}) {
    Server server(options(log, threads));
    REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    int stopped = 0;
    server.stop([&stopped] { ++stopped; });
    CHECK_FALSE(server.run());
    CHECK(stopped == 1);
    CHECK_FALSE(BlockingSocket(server.addresses().front()).connected());
  }
}

TEST_CASE("server: stopped from a callback") {
  for (const std::string_view word : {"stop", "stop twice"}) {
    Lines log;
    Server server(options(log));
    REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    Stopper::server = &server;
    int stopped = 0;
    Stopper::stopped = [&stopped] { ++stopped; };
    std::thread thread([&] { CHECK_FALSE(server.run()); });
    const BlockingSocket socket(server.addresses().front());
    CHECK(socket.handshake("stopper") == "HTTP/1.1 101");
    socket.send_text(word);
    const std::string echo = "\x81" + std::string(1, static_cast<char>(word.size())) + std::string(word);
    CHECK(socket.receive_until("stopping") == echo + close_1001);
    socket.send(std::string("\x88\x80\0\0\0\0", 6));
    CHECK(socket.receive_all().empty());
    thread.join();
    CHECK(stopped == 1);
  }
}

TEST_CASE("server: a client that does not answer the close is cut after the grace") {
  Lines log;
  ServerOptions hasty = options(log);
  hasty.limits.stop_grace = 100ms;
  Server server(hasty);
  REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  std::thread thread([&] { CHECK_FALSE(server.run()); });
  const BlockingSocket socket(server.addresses().front());
  CHECK(socket.handshake("stopper") == "HTTP/1.1 101");
  const auto begin = std::chrono::steady_clock::now();
  server.stop();
  thread.join();
  CHECK(std::chrono::steady_clock::now() - begin < 1500ms);
  CHECK(socket.receive_all() == close_1001);
}

TEST_CASE("server: run() says when it is ready, once, and not if it cannot start") {
  Lines log;
  Server server(options(log));
  REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  int ready = 0;
  CHECK_FALSE(server.run([&] {
    ++ready;
    CHECK(BlockingSocket(server.addresses().front()).connected());
    server.stop();
  }));
  CHECK(ready == 1);

  Server unable(options(log));
  REQUIRE_FALSE(unable.add(protocol<Unable>("unable")));
  VirtualHost host;
  host.options["unable"]["fail"] = "yes";
  REQUIRE_FALSE(unable.add(host));
  CHECK(unable.run([] { FAIL("it is not"); }));
}

TEST_CASE("server: a second run is refused") {
  Lines log;
  Server server(options(log));
  REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  server.stop();
  REQUIRE_FALSE(server.run());
  CHECK(server.run().message == "the server runs already, or has run; make another one");
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  CHECK(server.start(&loop).message == "the server runs already, or has run; make another one");
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: port 0 with 4 threads is one port for all of them") {
  Lines log;
  Server server(options(log, 4));
  REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
  REQUIRE_FALSE(server.listen("127.0.0.1", 0));
  REQUIRE(server.addresses().size() == 1);
  CHECK(port_of(server.addresses().front()) != 0);
  std::thread thread([&] { CHECK_FALSE(server.run()); });
  for (int i = 0; i < 40; ++i) CHECK(works(server.addresses().front()));
  server.stop();
  thread.join();
}

TEST_CASE("server: a row that cannot start") {
  Lines log;
  for (const unsigned threads : {1U, 4U}) {
    log.lines.clear();
    Server server(options(log, threads));
    REQUIRE_FALSE(server.add(protocol<Unable>("unable")));
    VirtualHost host;
    host.options["unable"]["fail"] = "yes";
    REQUIRE_FALSE(server.add(host));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    CHECK(server.run().message == "protocol 'unable' could not start; the log says why");
    REQUIRE(log.lines.size() == 1);
    CHECK(log.lines.front() == "unable: an exception left the constructor of Shared: asked to fail");
  }
}

TEST_CASE("server: on a caller's loop, after the stop nothing of it is left there") {
  Lines log;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  auto server = std::make_unique<Server>(options(log));
  REQUIRE_FALSE(server->add(protocol<Stopper>("stopper")));
  REQUIRE_FALSE(server->listen("127.0.0.1", 0));
  REQUIRE_FALSE(server->start(&loop));
  CHECK(server->start(&loop).message == "the server runs already, or has run; make another one");
  std::thread client([&] {
    CHECK(works(server->addresses().front()));
    server->stop([&] {
      int handles = 0;
      uv_walk(
          &loop, [](uv_handle_t* handle, void* count) { *static_cast<int*>(count) += uv_is_closing(handle) == 0; }, &handles);
      CHECK(handles == 0);
      server.reset();  // legal here: it is the last that is heard of it
    });
  });
  uv_run(&loop, UV_RUN_DEFAULT);
  client.join();
  CHECK(server == nullptr);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: reopen_logs() reaches a server on a caller's loop, and after the stop nobody, from any thread") {
  const TemporaryFolder folder;
  const std::string file = folder.file("access.log");
  Lines log;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  Server server(options(log));
  VirtualHost host;
  host.access_log.file = file;
  REQUIRE_FALSE(server.add(host));
  REQUIRE_FALSE(server.start(&loop));
  std::filesystem::remove(file);
  server.reopen_logs();
  for (int turn = 0; turn < 10'000 && !std::filesystem::exists(file); ++turn) {  // another thread opens it
    uv_run(&loop, UV_RUN_NOWAIT);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(std::filesystem::exists(file));

  std::atomic<bool> stopped = false;
  std::thread other([&] {
    while (!stopped) server.reopen_logs();
    server.reopen_logs();
  });
  server.stop([&stopped] { stopped = true; });
  uv_run(&loop, UV_RUN_DEFAULT);
  CHECK(stopped);
  other.join();
  std::filesystem::remove(file);
  server.reopen_logs();
  std::thread([&server] { server.reopen_logs(); }).join();
  CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(log.lines.empty());
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: on a caller's loop, stopped before the start") {
  Lines log;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  int stopped = 0;
  {
    Server server(options(log));
    REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
    server.stop([&stopped] { ++stopped; });
    REQUIRE_FALSE(server.start(&loop));
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  CHECK(stopped == 1);
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: start() takes a loop and one thread") {
  Lines log;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  Server several(options(log, 2));
  CHECK(several.start(&loop).message == "a server on a caller's loop has one thread");
  Server one(options(log));
  CHECK(one.start(nullptr).message == "start() takes a loop; use run() for one of the server's own");
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: a row that cannot start leaves the caller's loop as it was") {
  Lines log;
  uv_loop_t loop;
  REQUIRE(uv_loop_init(&loop) == 0);
  {
    Server server(options(log));
    REQUIRE_FALSE(server.add(protocol<Unable>("unable")));
    VirtualHost host;
    host.options["unable"]["fail"] = "yes";
    REQUIRE_FALSE(server.add(host));
    CHECK(server.start(&loop).message == "protocol 'unable' could not start; the log says why");
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  CHECK(uv_loop_close(&loop) == 0);
}

TEST_CASE("server: made and never run, it leaves nothing") {
  Lines log;
  std::string address;
  {
    Server server(options(log, 3));
    REQUIRE_FALSE(server.add(protocol<Stopper>("stopper")));
    REQUIRE_FALSE(server.listen("127.0.0.1", 0));
    address = server.addresses().front();
    server.stop([] { FAIL("it was never run"); });
  }
  CHECK_FALSE(BlockingSocket(address).connected());
}

TEST_CASE("server: log levels, and quiet") {
  const auto lines_of = [](ServerOptions given) {
    Lines log;
    given.log = log.sink();
    given.limits.stop_grace = 100ms;
    Server server(given);
    CHECK_FALSE(server.add(protocol<Unable>("unable")));
    VirtualHost host;
    host.options["unable"]["fail"] = "yes";
    CHECK_FALSE(server.add(host));
    CHECK(server.run());
    return log.lines.size();
  };
  ServerOptions given;
  CHECK(lines_of(given) == 1);
  given.log_level = Level::error;
  CHECK(lines_of(given) == 1);
  given.quiet = true;
  CHECK(lines_of(given) == 0);
}
