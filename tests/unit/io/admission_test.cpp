#include "io/admission.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/listener.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

// Room for connections: one budget for all loops, and idle connections that make room.

namespace {

using namespace wharf;
using namespace wharf::test;

/// A client that has connected, which takes no server's doing.
class Client {
 public:
  explicit Client(const io::Address& to) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(connect(socket_, to.get(), to.size) == 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(const std::string& bytes) const { REQUIRE(::send(socket_, bytes.data(), bytes.size(), 0) > 0); }
  /// The server has closed it, without a reset.
  [[nodiscard]] bool was_closed() const {
    char byte = 0;
    return ::recv(socket_, &byte, 1, MSG_DONTWAIT) == 0;
  }

 private:
  int socket_;
};

/// A loop with a listening socket whose sessions are idle at once, except those of which the story says otherwise.
struct Served {
  explicit Served(const io::LoopLimits& limits) : turns(limits) {
    auto socket = io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 100, io::ListeningSocket::Sharing::alone);
    REQUIRE(socket);
    address = socket->address();
    turns.loop().add(io::Listener::create(turns.loop(), std::move(*socket), [this](session::Link& link) {
      if (refuses) {
        ++refused;
        return std::unique_ptr<Scripted>();
      }
      if (idle) link.now_idle();
      return std::make_unique<Scripted>(link, story, "session");
    }));
  }
  void connect() {
    const std::size_t before = story.count("session start");
    clients.push_back(std::make_unique<Client>(address));
    REQUIRE(turns.until([&] { return story.count("session start") > before; }));
  }

  Story story;
  Turns turns;
  io::Address address;
  bool idle = true;
  bool refuses = false;
  int refused = 0;
  std::vector<std::unique_ptr<Client>> clients;
};

io::LoopLimits three() {
  io::LoopLimits limits;
  limits.connections = 3;
  limits.accept_pause = base::Time{60'000};
  return limits;
}

}  // namespace

TEST_CASE("admission: idle connections at the limit kept a new client waiting; the one idle for longest makes room") {
  Served served(three());
  for (int i = 0; i < 5; ++i) served.connect();
  CHECK(served.turns.loop().accepted_count() == 3);
  CHECK(served.clients[0]->was_closed());
  CHECK(served.clients[1]->was_closed());
  for (const std::size_t i : {2U, 3U, 4U}) CHECK_FALSE(served.clients[i]->was_closed());
}

TEST_CASE("admission: a connection that is not idle is not closed for another; a new client waits until one ends") {
  Served served(three());
  served.idle = false;
  for (int i = 0; i < 3; ++i) served.connect();
  served.clients.push_back(std::make_unique<Client>(served.address));
  REQUIRE(served.turns.until([&] { return !served.turns.log_lines.empty(); }));
  CHECK(served.turns.loop().accepted_count() == 3);
  CHECK(served.story.count("session start") == 3);
  CHECK(served.turns.log_lines.front().find("the limit of connections is reached") != std::string::npos);
  served.story.deeds["session end of input"] = [](session::Link& link) { link.finish(); };
  served.clients.erase(served.clients.begin());
  CHECK(served.turns.until([&] { return served.story.count("session start") == 4; }));
}

TEST_CASE("admission: an idle connection on which something has come is left alone, and the next one is closed") {
  Served served(three());
  for (int i = 0; i < 3; ++i) served.connect();
  served.clients[0]->send("x");
  served.connect();
  CHECK_FALSE(served.clients[0]->was_closed());
  CHECK(served.clients[1]->was_closed());
}

TEST_CASE("admission: sixteen idle connections that could not go kept a new client waiting, however many others could") {
  io::LoopLimits limits = three();
  limits.connections = 41;
  Served served(limits);
  served.story.deeds["session start"] = [](session::Link& link) { link.hold_input(); };
  for (int i = 0; i < 40; ++i) {
    served.connect();
    served.clients.back()->send("x");
  }
  served.story.deeds.clear();
  served.connect();
  served.connect();
  CHECK(served.clients[40]->was_closed());
  for (std::size_t i = 0; i < 40; ++i) CHECK_FALSE(served.clients[i]->was_closed());
}

TEST_CASE("admission: if nobody waits, nothing is closed") {
  Served served(three());
  for (int i = 0; i < 3; ++i) served.connect();
  for (int i = 0; i < 10; ++i) served.turns.one();
  for (const auto& client : served.clients) CHECK_FALSE(client->was_closed());
}

TEST_CASE("admission: one budget for two loops, and the idle connection of one makes room for a client of the other") {
  io::Admission all(4);
  io::LoopLimits limits = three();
  limits.admission = &all;
  Served one(limits);
  Served other(limits);
  for (int i = 0; i < 4; ++i) one.connect();  // more than an equal part
  other.clients.push_back(std::make_unique<Client>(other.address));
  REQUIRE(other.turns.until([&] {
    one.turns.one();
    return other.story.count("session start") == 1;
  }));
  CHECK(one.turns.loop().accepted_count() == 3);
  CHECK(one.clients[0]->was_closed());
  CHECK(other.turns.loop().accepted_count() == 1);
}

TEST_CASE("admission: a client that was refused had an idle connection of another closed first") {
  io::LoopLimits limits = three();
  limits.room = io::LoopLimits::Room::after_admitting;
  Served served(limits);
  for (int i = 0; i < 3; ++i) served.connect();
  served.refuses = true;
  for (int i = 1; i <= 5; ++i) {
    const Client stranger(served.address);
    REQUIRE(served.turns.until([&] { return served.refused == i; }));
  }
  for (const auto& client : served.clients) CHECK_FALSE(client->was_closed());
  served.refuses = false;
  for (int i = 0; i < 2; ++i) served.connect();
  CHECK(served.turns.until([&] { return served.clients[0]->was_closed() && served.clients[1]->was_closed(); }));
  CHECK(served.turns.loop().accepted_count() == 3);
  CHECK_FALSE(served.clients[2]->was_closed());
}

TEST_CASE("admission: room after admitting, with the idle connection of another loop, or none") {
  io::Admission all(2);
  io::LoopLimits limits = three();
  limits.admission = &all;
  limits.room = io::LoopLimits::Room::after_admitting;
  Served one(limits);
  Served other(limits);
  for (int i = 0; i < 2; ++i) one.connect();
  other.connect();
  REQUIRE(other.turns.until([&] {
    one.turns.one();
    return one.clients[0]->was_closed();
  }));
  CHECK(one.turns.loop().accepted_count() == 1);
  CHECK(other.turns.loop().accepted_count() == 1);
  limits = three();
  limits.room = io::LoopLimits::Room::after_admitting;
  Served busy(limits);
  busy.idle = false;
  for (int i = 0; i < 3; ++i) busy.connect();
  busy.clients.push_back(std::make_unique<Client>(busy.address));
  REQUIRE(busy.turns.until([&] { return !busy.turns.log_lines.empty(); }));
  CHECK(busy.story.count("session start") == 3);
}

TEST_CASE("admission: a place that is given back on one loop wakes the other that waits for one") {
  io::Admission all(2);
  io::LoopLimits limits = three();
  limits.admission = &all;
  Served one(limits);
  Served other(limits);
  one.idle = other.idle = false;
  one.story.deeds["session end of input"] = [](session::Link& link) { link.finish(); };
  for (int i = 0; i < 2; ++i) one.connect();
  other.clients.push_back(std::make_unique<Client>(other.address));
  REQUIRE(other.turns.until([&] { return !other.turns.log_lines.empty(); }));
  CHECK(other.story.count("session start") == 0);
  one.clients.pop_back();
  CHECK(other.turns.until([&] {
    one.turns.one();
    return other.story.count("session start") == 1;
  }));
}
