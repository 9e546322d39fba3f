#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "session/site.h"
#include "unit/http/h1_bench.h"

// Things that only a real socket has: buffers of the system, resets, descriptors.

namespace {

using namespace wharf;
using namespace wharf::test;

constexpr int small_buffer = 32 * 1024;

server::RoomLimits with(const std::function<void(io::LoopLimits&)>& change) {
  server::RoomLimits limits = room_limits();
  change(limits.loop);
  return limits;
}

/// As long as it lives, the process may open that many more descriptors and no others.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t more) {
    const int lowest_free = dup(0);
    ::close(lowest_free);
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(lowest_free) + more;
    REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("socket: a client that does not read is not read from; when it reads, everything comes in order") {
  SocketSite site;
  SocketWire wire(site.address(), small_buffer);
  WsTalk talk(wire, "echo");
  const std::string chunk = [] {
    std::string all;
    for (int i = 0; i < 64; ++i) all += binary(std::string(16'000, static_cast<char>('a' + i % 26)));
    return all;
  }();
  std::size_t sent = 0;
  std::size_t taken = chunk.size();
  for (; taken == chunk.size() && sent < 100'000'000; sent += taken) taken = wire.send_what_fits(chunk, 200);
  CHECK(sent < 60'000'000);  // the buffers of the system are full, and the server's memory is not the next
  const std::size_t whole = sent / chunk.size() * 64 + sent % chunk.size() / (chunk.size() / 64);
  for (std::size_t i = 0; i < whole; ++i) {
    REQUIRE(talk.next() == "binary 16000 bytes");
    REQUIRE(talk.payload()[0] == static_cast<char>('a' + i % 64 % 26));
  }
}

TEST_CASE("socket: a row that floods a slow reader holds no more than high water for it") {
  SocketSite site;
  SocketWire wire(site.address(), small_buffer);
  WsTalk talk(wire, "actor");
  talk.send(text("flood 2000"));
  for (int i = 0; i < 2000; ++i) {
    REQUIRE(talk.next() == "binary 10000 bytes");
    REQUIRE(talk.payload()[0] == static_cast<char>('a' + (2000 - i) % 26));
  }
  talk.send(close_frame(1000));
  CHECK(talk.next() == "close 1000");
  CHECK(site.log().count("cut") == 0);
}

TEST_CASE("socket: a reset in the middle of a message ends the conversation with 1006") {
  SocketSite site;
  SocketWire wire(site.address());
  WsTalk talk(wire, "actor", text("whole"));
  CHECK(talk.next() == "text what is whole");
  talk.send(text("cut in two").substr(0, 9));
  wire.reset();
  site.wait_for_connections(0);
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}

TEST_CASE("socket: a reset while responses wait to be read") {
  SocketSite site;
  SocketWire flooded(site.address(), small_buffer);
  WsTalk talk(flooded, "actor", text("flood 1000"));
  CHECK(talk.next() == "binary 10000 bytes");
  flooded.reset();
  SocketWire reader(site.address(), small_buffer);
  reader.send(get("/big"));
  reader.read(100'000);
  reader.reset();
  site.wait_for_connections(0);
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}

TEST_CASE("socket: an end without a close frame is 1006, and the server ends too") {
  SocketSite site;
  SocketWire wire(site.address());
  WsTalk talk(wire, "actor", text("it"));
  CHECK(talk.next() == "text what is it");
  wire.finish();
  CHECK(talk.next() == "end");
  CHECK_FALSE(wire.was_reset());
  wait_until([] { return actor_record().count("destroyed") == 1; });
  CHECK(actor_record().count("closing 1006") == 1);
}

TEST_CASE("socket: the response to a bad request is not lost although the client goes on sending") {
  SocketSite site(with([](io::LoopLimits& limits) { limits.linger = base::Time{60'000}; }));
  SocketWire wire(site.address());
  wire.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
  for (int i = 0; i < 100; ++i) wire.send(std::string(100'000, 'x'));
  const std::string answer = wire.read_all();
  CHECK(answer.starts_with("HTTP/1.1 400 "));
  CHECK(answers(answer).size() == 1);
  wire.send("still there");
  CHECK_FALSE(wire.was_reset());
  wire.close();
  site.wait_for_connections(0);  // at once, not after the time to linger
}

TEST_CASE("socket: if a client does not close after the server, the server leaves it after a while") {
  SocketSite site(with([](io::LoopLimits& limits) { limits.linger = base::Time{50}; }));
  SocketWire wire(site.address());
  wire.send("GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(answers(wire.read_all()).size() == 1);
  site.wait_for_connections(0);
}

TEST_CASE("socket: at the end of a server, clients that it has sent nothing were waited for as if something could be lost") {
  SocketSite site(with([](io::LoopLimits& limits) { limits.linger = base::Time{600'000}; }));
  SocketWire silent(site.address());
  SocketWire half(site.address());
  half.send("GET / HTTP/1.1\r\n");
  site.wait_for_connections(2);
  site.stop(base::Time{600'000});
  site.join();
  CHECK(silent.read_all().empty());
  CHECK(half.read_all().empty());
}

TEST_CASE("socket: a peer that takes nothing for the time of a write stall is cut, and the log says so") {
  SocketSite site(with([](io::LoopLimits& limits) { limits.write_stall = base::Time{100}; }));
  SocketWire wire(site.address(), small_buffer);
  WsTalk talk(wire, "actor", text("flood 3000"));
  CHECK(talk.next() == "binary 10000 bytes");
  site.wait_for_connections(0);
  CHECK(site.log().count("cut, the peer took next to nothing for 100 ms with ") == 1);
  CHECK(actor_record().lines() == std::vector<std::string>{"closing 1006", "destroyed"});
}

TEST_CASE("socket: a peer that does not take its last output is cut after the time for it") {
  SocketSite site(with([](io::LoopLimits& limits) { limits.closing_flush = base::Time{100}; }));
  SocketWire wire(site.address(), small_buffer);
  WsTalk talk(wire, "actor", text("flood 3000"));
  CHECK(talk.next() == "binary 10000 bytes");
  site.on_loop([](io::Loop&) {});  // the flood has been sent as far as it goes
  site.stop(base::Time{60'000});
  talk.send(close_frame(1000));
  site.join();
  CHECK(actor_record().count("destroyed") == 1);
}

TEST_CASE("socket: beyond the limit of connections clients wait until another ends") {
  SocketSite site(with([](io::LoopLimits& limits) {
    limits.connections = 2;
    limits.accept_pause = base::Time{60'000};
  }));
  const auto first = site.connect();
  const auto second = site.connect();
  for (const auto& wire : {first.get(), second.get()}) {
    wire->send(get("/small"));
    CHECK(wire->read_until("small").ends_with("small"));
    wire->send("G");  // so that it is not idle
  }
  const auto third = site.connect();
  const auto fourth = site.connect();
  third->send(get("/small"));
  fourth->send(get("/small"));
  wait_until([&] { return site.log().count("not accepting") == 1; });
  CHECK(site.connections() == 2);
  first->close();
  CHECK(third->read_until("small").ends_with("small"));
  third->send("G");
  CHECK(site.connections() == 2);
  second->close();
  CHECK(fourth->read_until("small").ends_with("small"));
  CHECK(site.log().count("warn: not accepting connections for now: the limit of connections is reached (2 open)") == 1);
  CHECK(site.log().count("not accepting") == 1);
}

TEST_CASE("socket: without descriptors the server pauses, says so once, and goes on when a connection ends") {
  SocketSite site(with([](io::LoopLimits& limits) { limits.accept_pause = base::Time{60'000}; }), Begin::later);
  std::vector<std::unique_ptr<SocketWire>> wires;
  for (int i = 0; i < 6; ++i) {
    wires.push_back(site.connect());
    wires.back()->send("GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  }
  {
    const FewDescriptors few(2);
    site.begin();
    wait_until([&] { return site.log().count("not accepting") == 1; });
    for (const auto& wire : wires) {
      CHECK(answers(wire->read_all()).size() == 1);  // of the last as well, two at a time
      wire->close();
    }
    site.wait_for_connections(0);
  }
  CHECK(site.log().count("warn: not accepting connections for now: the system is out of resources: Too many open files") == 1);
  CHECK(site.log().count("warn:") == 1);
}

TEST_CASE("socket: without descriptors and without a connection that could end, the server tries again after the pause") {
  SocketSite site(with([](io::LoopLimits& limits) { limits.accept_pause = base::Time{30}; }), Begin::later);
  const auto wire = site.connect();
  {
    const FewDescriptors none(0);
    site.begin();
    wait_until([&] { return site.log().count("not accepting") == 1; });
    CHECK(site.connections() == 0);
  }
  wire->send(get("/small"));
  CHECK(wire->read_until("small").ends_with("small"));
  CHECK(site.log().count("not accepting") == 1);
}

TEST_CASE("socket: connections dropped at every stage of the handshake leave nothing behind") {
  SocketSite site;
  const std::string bytes = upgrade_request("actor") + text("half");
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    SocketWire wire(site.address());
    wire.send(bytes.substr(0, size));
    if (size % 3 == 0) wire.reset();
    else if (size % 3 == 1) wire.close();
    else wire.finish();
  }
  site.wait_for_connections(0);
  CHECK(actor_record().count("closing 1006") == actor_record().count("destroyed"));
}

TEST_CASE("socket: the address of the other end is known over IPv4") {
  SocketSite site;
  SocketWire wire(site.address());
  WsTalk talk(wire, "actor", text("\xFF"));
  CHECK(talk.next().starts_with("close 1007"));
  CHECK(site.log().count("info: 127.0.0.1:") == 1);
}
