#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "io/connection.h"
#include "unit/io/peer.h"
#include "unit/io/turns.h"

// Two connections of one loop, of which one has too much to do.

namespace {

using namespace wharf;
using namespace wharf::test;

/// Writes down whose byte it used, and says that each costs half a turn's work.
class Worker final : public session::Session {
 public:
  Worker(session::Link& link, std::string& story, char name) : link_(link), story_(story), name_(name) {}
  std::size_t input(std::span<char> bytes) override {
    std::size_t used = 0;
    for (; used < bytes.size() && link_.may_go_on(); ++used) {
      link_.spend(session::work_per_turn / 2);
      story_.push_back(name_);
    }
    return used;
  }
  void end_of_input() override { link_.finish(); }
  void shut_down() override { link_.finish(); }

 private:
  session::Link& link_;
  std::string& story_;
  char name_;
};

int adopt(Turns& turns, std::string& story, char name) {
  const Ends ends = connected(Carrier::unix_stream);
  const auto make = [&story, name](session::Link& link) { return std::make_unique<Worker>(link, story, name); };
  REQUIRE(io::Connection::adopt(turns.loop(), ends.server, make));
  return ends.client;
}

void send(int socket, const std::string& bytes) {
  REQUIRE(::send(socket, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
}

}  // namespace

TEST_CASE("connection work: one connection that has much to do leaves the loop to the others after each turn") {
  std::string story;
  Turns turns;
  const int busy = adopt(turns, story, 'b');
  const int other = adopt(turns, story, 'o');
  turns.one();
  send(busy, std::string(20, 'x'));
  REQUIRE(turns.until([&] { return !story.empty(); }));
  CHECK(story == "bb");
  send(other, "x");
  turns.one();
  turns.one();
  // Bytes that came meanwhile are read before the busy connection has had more than two turns.
  const std::size_t served = story.find('o');
  REQUIRE(served != story.npos);
  CHECK(served <= 6);
  REQUIRE(turns.until([&] { return story.size() == 21; }));
  ::close(busy);
  ::close(other);
  REQUIRE(turns.until([&] { return turns.loop().connection_count() == 0; }));
}

TEST_CASE("connection work: in each turn of the loop a connection gets one turn's work, whatever else is settled") {
  std::string story;
  Turns turns;
  const int busy = adopt(turns, story, 'b');
  turns.one();
  send(busy, std::string(20, 'x'));
  std::size_t before = 0;
  REQUIRE(turns.until([&] {
    const std::size_t more = story.size() - before;
    before = story.size();
    CHECK(more <= 2);
    return story.size() == 20;
  }));
  ::close(busy);
  REQUIRE(turns.until([&] { return turns.loop().connection_count() == 0; }));
}
