#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "session/site.h"

// Everything that was sent arrives, however slowly it is read and however roughly the connection ends.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

constexpr int small_buffer = 32 * 1024;

}  // namespace

TEST_CASE("delivery: a peer that reads slowly gets everything that was sent before the close, and then the close frame") {
  Limits limits;
  limits.close_handshake = milliseconds(50);
  limits.output_high_water = 16'000'000;  // so that all of it is queued at once
  limits.output_hard_cap = 32'000'000;
  server::RoomLimits rooms = room_limits(limits);
  rooms.loop.closing_flush = base::Time{50};
  SocketSite site(rooms);
  SocketWire wire(site.address(), small_buffer);
  WsTalk talk(wire, "actor", text("flood 700") + text("close me"));
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 700; ++i) {
    REQUIRE(talk.next() == "binary 10000 bytes");
    REQUIRE(talk.payload()[0] == static_cast<char>('a' + (700 - i) % 26));
    if (i % 10 == 0) std::this_thread::sleep_for(milliseconds(10));
  }
  CHECK(std::chrono::steady_clock::now() - begin > 5 * (limits.close_handshake + rooms.loop.closing_flush));
  CHECK(talk.next() == "close 4000 asked");
  CHECK(talk.next() == "end");
  CHECK(site.log().count("cut") == 0);
}

TEST_CASE("delivery: what a peer sent before a reset is read, its close frame too") {
  constexpr std::size_t peers = 50;
  server::RoomLimits limits = room_limits();
  limits.loop.receive_buffer = 256;  // so that one read is not enough
  SocketSite site(limits);
  std::vector<std::unique_ptr<SocketWire>> wires;
  for (std::size_t i = 0; i < peers; ++i) {
    wires.push_back(site.connect());
    WsTalk(*wires.back(), "actor");
  }
  const std::string last_words = binary(std::string(1'000, 'x')) + close_frame(1000);
  site.on_loop([&](io::Loop&) {  // while this runs the server sees nothing
    for (const auto& wire : wires) {
      wire->send(last_words);
      wire->reset();
    }
  });
  site.wait_for_connections(0);
  CHECK(actor_record().count("closing 1000") == peers);
  CHECK(actor_record().count("destroyed") == peers);
}
