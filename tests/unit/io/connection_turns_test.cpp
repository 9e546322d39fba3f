#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/connection.h"
#include "unit/http/h1_bench.h"
#include "unit/io/peer.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

// The test's thread is the loop's too, and runs it turn by turn: however busy the machine is, the peer has done its part whenever
// the server looks.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Events = std::vector<std::string>;
using Origin = Peer::Origin;

/// More than one packet of the system, so that the peer has taken something whenever it has read; less than the system's buffer.
constexpr std::size_t sip = 64 * 1024;
constexpr milliseconds between_sips{20};

}  // namespace

TEST_CASE("connection: a slow peer gets all of the last output, even if that takes longer than closing_flush") {
  io::LoopLimits limits;
  limits.closing_flush = base::Time{40};
  Story story;
  Turns turns(limits);
  story.deeds["first start"] = [](session::Link& link) {
    link.out().append(std::string(1'500'000, 'x'));
    link.finish();
  };
  const Peer peer(turns, scripted(story, "first"));
  const auto begin = steady_clock::now();
  std::size_t got = 0;
  for (std::optional<std::string> bytes = peer.read(sip); bytes != ""; bytes = peer.read(sip)) {
    if (bytes) got += bytes->size();
    std::this_thread::sleep_for(between_sips);
    turns.one();
  }
  CHECK(got == 1'500'000);
  CHECK(steady_clock::now() - begin > 3 * limits.closing_flush);
}

TEST_CASE("connection: a peer that stops taking the last output is left after the time for it") {
  for (const int sips : {0, 6}) {
    CAPTURE(sips);
    io::LoopLimits limits;
    limits.closing_flush = base::Time{40};
    Story story;
    Turns turns(limits);
    story.deeds["first start"] = [](session::Link& link) {
      link.out().append(std::string(1'500'000, 'x'));
      link.finish();
    };
    const Peer peer(turns, scripted(story, "first"));
    for (int i = 0; i < 300 && turns.loop().connection_count() != 0; ++i) {
      if (i < sips) CHECK(peer.read(sip));
      std::this_thread::sleep_for(between_sips);
      turns.one();
    }
    CHECK(turns.loop().connection_count() == 0);
  }
}

TEST_CASE("connection: a peer that took much of the last output, and little since then, is left all the same") {
  io::LoopLimits limits;
  limits.closing_flush = base::Time{150};
  limits.write_progress = 2'000'000;
  Story story;
  Turns turns(limits);
  story.deeds["first start"] = [](session::Link& link) {
    link.out().append(std::string(8'000'000, 'x'));
    link.finish();
  };
  const Peer peer(turns, scripted(story, "first"));
  std::size_t got = 0;
  while (got < 8'000'000 && turns.loop().connection_count() != 0) {
    if (got > 2'500'000) turns.for_a_while(milliseconds(5));
    got += peer.read(20'000).value_or("").size();
    turns.one();
  }
  CHECK(turns.loop().connection_count() == 0);
  CHECK(got < 8'000'000);
}

TEST_CASE("connection: a peer that reads slowly all the time has not stalled; one that stops has") {
  io::LoopLimits limits;
  limits.write_stall = base::Time{40};
  Story story;
  Turns turns(limits);
  story.deeds["first start"] = [](session::Link& link) {
    link.out().append(std::string(3'000'000, 'x'));
    link.touch();
  };
  const Peer peer(turns, scripted(story, "first"));
  turns.one();
  for (int i = 0; i < 20; ++i) {
    CHECK(peer.read(sip));
    std::this_thread::sleep_for(between_sips);
    turns.one();
  }
  CHECK(turns.log_lines.empty());
  CHECK(story.take() == Events{"first start"});
  for (int i = 0; i < 1'000 && story.events.empty(); ++i) {
    std::this_thread::sleep_for(between_sips);
    turns.one();
  }
  CHECK(story.events == Events{"first ended", "first destroyed"});
  REQUIRE(turns.log_lines.size() == 1);
  CHECK(turns.log_lines[0].find("cut, the peer took next to nothing for 40 ms") != std::string::npos);
}

namespace {

/// Between the timers and the rest of a turn: as soon as the server's end is closed, opens a descriptor, which gets the same
/// number, and stops the server's loop.
struct StopInTurnOfClose {
  StopInTurnOfClose(Turns& turns_of, int watched_socket) : turns(turns_of), watched(watched_socket) {
    uv_prepare_init(turns.callers(), &prepare);
    prepare.data = this;
    uv_prepare_start(&prepare, [](uv_prepare_t* handle) { static_cast<StopInTurnOfClose*>(handle->data)->look(); });
  }
  ~StopInTurnOfClose() {
    uv_close(reinterpret_cast<uv_handle_t*>(&prepare), nullptr);
    turns.one();
    for (const int socket : others)
      if (socket >= 0) ::close(socket);
  }
  StopInTurnOfClose(const StopInTurnOfClose&) = delete;
  StopInTurnOfClose& operator=(const StopInTurnOfClose&) = delete;

  void look() {
    if (others[0] >= 0 || fcntl(watched, F_GETFD) != -1) return;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, others) == 0);
    turns.loop().stop(base::Time{0}, nullptr);
  }

  Turns& turns;
  int watched;
  int others[2] = {-1, -1};
  uv_prepare_t prepare{};
};

}  // namespace

TEST_CASE("connection: a stop in the turn in which it was closed writes nothing to its descriptor, which is another's by then") {
  io::LoopLimits limits;
  limits.closing_flush = base::Time{20};
  Story story;
  Turns turns(limits);
  story.deeds["first start"] = [](session::Link& link) {
    link.out().append(std::string(1'500'000, 'S'));
    link.finish();
  };
  const Peer peer(turns, scripted(story, "first"));
  const StopInTurnOfClose stop(turns, peer.server_socket());
  for (int i = 0; i < 10'000 && stop.others[0] < 0; ++i) {
    std::this_thread::sleep_for(milliseconds(1));
    turns.one();
  }
  REQUIRE(stop.others[0] == peer.server_socket());
  char byte = 0;
  CHECK(::recv(stop.others[1], &byte, 1, 0) == -1);
  CHECK(errno == EAGAIN);
}

namespace {

/// Answers each byte with 20 KB, and holds its input above high water, as a WebSocket session does.
class Generous final : public session::Session {
 public:
  explicit Generous(session::Link& link) : link_(link) {}
  std::size_t input(std::span<char> bytes) override {
    std::size_t here = 0;
    for (; here < bytes.size() && !holding_; ++here) answer(20'000);
    used += here;
    return here;
  }
  void answer(std::size_t size) {
    link_.out().append(std::string(size, 'a'));
    link_.touch();
    if (holding_ || !link_.overfull()) return;
    holding_ = true;
    link_.hold_input();
    link_.want_room();
  }
  void room() override {
    if (std::exchange(holding_, false)) link_.resume_input();
  }
  void end_of_input() override { link_.finish(); }
  void shut_down() override { link_.finish(); }

  std::size_t used = 0;

 private:
  session::Link& link_;
  bool holding_ = false;
};

}  // namespace

TEST_CASE("connection: no more than one receive buffer of input is kept, however the session gets room") {
  io::LoopLimits limits;
  limits.receive_buffer = 4096;
  Turns turns(limits);
  Generous* session = nullptr;
  const Peer peer(turns, [&session](session::Link& link) {
    auto made = std::make_unique<Generous>(link);
    session = made.get();
    return made;
  });
  const std::string requests(sip, 'q');
  std::size_t sent = 0;
  std::size_t most_kept = 0;
  for (int i = 0; i < 500; ++i) {
    sent += peer.offer(requests);
    for (std::optional<std::string> bytes = peer.read(sip); bytes; bytes = peer.read(sip)) REQUIRE_FALSE(bytes->empty());
    turns.loop().mailbox().post([session] { session->answer(100); });  // somebody else has something for this peer
    turns.one();
    most_kept = std::max(most_kept, sent - session->used - peer.unread());
  }
  CHECK(most_kept > 0);
  CHECK(most_kept <= limits.receive_buffer);
  CHECK(session->used > 500);
}

TEST_CASE("connection: in each turn, each peer is read from once") {
  io::LoopLimits limits;
  limits.receive_buffer = 1000;
  Story story;
  Turns turns(limits);
  const Peer first(turns, scripted(story, "first"));
  const Peer second(turns, scripted(story, "second"));
  const std::string bytes(20'000, 'x');
  first.send(bytes);
  second.send(bytes);
  story.events.clear();
  for (int i = 0; i < 20; ++i) {
    turns.one();
    CHECK(story.count("first input " + bytes.substr(0, 1000)) == 1);
    CHECK(story.count("second input " + bytes.substr(0, 1000)) == 1);
    story.events.clear();
  }
}

TEST_CASE("connection: thousands of pipelined requests of one peer leave another its turn") {
  ScriptedHandler handler;
  Turns turns;
  session::HttpContext context{handler, {}, turns.loop().log()};
  const auto make = [&context](session::Link& link) { return std::make_unique<session::H1>(link, context); };
  const Peer greedy(turns, make);
  const Peer modest(turns, make);
  std::string many;
  for (int i = 0; i < 3'000; ++i) many += get("/greedy");
  greedy.send(many);
  std::size_t before = 0;
  for (int i = 0; i < 10; ++i) {
    modest.send(get("/modest"));
    turns.one();
    REQUIRE(modest.read(1000).value_or("nothing").starts_with("HTTP/1.1 200 "));
    CHECK(handler.requests.size() - before <= 1 + 2 * 16);  // the input that was kept, and that which was read
    before = handler.requests.size();
  }
  CHECK(before > 100);
}

// ---- Peers that go ----

namespace {

/// A connection whose session writes down what happens to it, and its peer.
struct Told {
  explicit Told(Carrier carrier, Origin origin = Origin::outgoing, const io::LoopLimits& limits = {}) : turns(limits) {
    const auto make = [this](session::Link& made) {
      link = &made;
      auto scripted = std::make_unique<Scripted>(made, story, "first");
      session = scripted.get();
      return scripted;
    };
    peer.emplace(turns, make, carrier, origin);
    story.take();
  }
  bool ends() {
    return turns.until([this] { return turns.loop().connection_count() == 0; });
  }
  [[nodiscard]] std::size_t heard() const {
    std::size_t size = 0;
    for (const std::string& event : story.events) size += event.starts_with("first input ") ? event.size() - 12 : 0;
    return size;
  }

  Story story;
  Turns turns;
  session::Link* link = nullptr;
  Scripted* session = nullptr;
  std::optional<Peer> peer;
};

/// Each way to find out by writing that the peer has gone.
void write_to(session::Link& link, int way = 0) {
  const std::string large(20'000, 'x');
  if (way == 1) return link.write_through("x", large);
  if (way == 0) {
    link.out().append("x");
    return link.flush();
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  REQUIRE(std::fwrite(large.data(), 1, large.size(), file.get()) == large.size());
  REQUIRE(std::fflush(file.get()) == 0);
  CHECK_FALSE(link.send_file(fileno(file.get()), 0, large.size()));
  CHECK(link.send_file(fileno(file.get()), 0, large.size()) == 0);
}

}  // namespace

TEST_CASE("connection: output at the end of a turn leaves before the loop waits") {
  Told told(Carrier::unix_stream);
  told.turns.loop().at_turn_end([&told] {
    told.link->out().append("late");
    told.link->touch();
  });
  told.turns.one();
  CHECK(told.peer->read(100) == "late");
}

TEST_CASE("connection: what the peer sent before it went is read, even if a write finds out first") {
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp})
    for (const Origin origin : {Origin::accepted, Origin::outgoing})
      for (const int way : {0, 1, 2}) {
        INFO(static_cast<int>(carrier) << " " << static_cast<int>(origin) << " " << way);
        Told told(carrier, origin);
        write_to(*told.link);
        told.peer->send("an answer");
        told.peer->leave();
        write_to(*told.link, way);
        told.link->write_through("more", std::string(100'000, 'x'));
        told.link->out().append(std::string(100'000, 'x'));
        told.link->touch();
        CHECK(told.link->overfull());  // for now: output that will be dropped counts, so that the session stops writing
        CHECK(told.story.events.empty());
        REQUIRE(told.ends());
        // No proper end, whatever the system says of a reset that has been told of once.
        CHECK(told.story.events == Events{"first input an answer", "first ended", "first destroyed"});
      }
}

TEST_CASE("connection: a peer that ended before it went has ended, even if a write in a call finds out first") {
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp}) {
    CAPTURE(static_cast<int>(carrier));
    Told told(carrier);
    for (const char* const event : {"first input", "first end of input", "first ended"})
      told.story.deeds[event] = [](session::Link& link) { write_to(link); };  // no call may come from within another
    if (carrier == Carrier::tcp) write_to(*told.link);                        // which it leaves unread
    told.peer->send("bye");
    told.peer->end();
    told.peer->leave();
    if (carrier == Carrier::tcp) write_to(*told.link);
    CHECK(told.story.events.empty());
    REQUIRE(told.ends());
    CHECK(told.story.events == Events{"first input bye", "first end of input", "first ended", "first destroyed"});
  }
}

TEST_CASE("connection: a session that holds its input hears at once that a client has gone, and gets all that a server sent") {
  io::LoopLimits limits;
  limits.receive_buffer = 8'000;
  limits.write_stall = base::Time{30};
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp})
    for (const Origin origin : {Origin::accepted, Origin::outgoing})
      for (const bool writes_first : {true, false}) {
        INFO(static_cast<int>(carrier) << " " << static_cast<int>(origin) << " " << writes_first);
        Told told(carrier, origin, limits);
        told.session->most = 3'000;
        told.story.deeds["first input"] = [](session::Link& link) { link.hold_input(); };
        told.link->hold_input();
        told.link->out().append(std::string(8'000'000, 'x'));  // more than the peer takes: the time of the write stall begins
        told.link->flush();
        REQUIRE(told.link->out().size() > 0);
        told.peer->send(std::string(40'000, 'a'));
        while (told.peer->unread() < 40'000) std::this_thread::yield();
        told.peer->leave();
        if (writes_first) told.link->flush();
        if (origin == Origin::outgoing) told.turns.for_a_while(milliseconds(100));
        for (int i = 0; i < 20 && origin == Origin::outgoing && told.story.count("first ended") == 0; ++i) {
          told.link->resume_input();
          for (int k = 0; k < 10; ++k) told.turns.one();
          CHECK(uv_backend_timeout(told.turns.callers()) != 0);  // the loop rests until there is something to do
        }
        for (int i = 0; i < 10; ++i) told.turns.one();
        CHECK(told.heard() == (origin == Origin::outgoing ? 40'000 : 0));
        CHECK(told.story.count("first end of input") == 0);
        CHECK(told.turns.loop().connection_count() == 0);
        CHECK(told.turns.log_lines.empty());
      }
}

TEST_CASE("connection: what a server sent before it went comes when it is wanted, even if that is within another call") {
  Told told(Carrier::unix_stream);
  told.story.deeds["first deadline"] = [](session::Link& link) { link.resume_input(); };
  told.link->hold_input();
  told.peer->send("an answer");
  told.peer->leave();
  write_to(*told.link);
  for (int i = 0; i < 3; ++i) told.turns.one();
  CHECK(told.story.events.empty());
  told.link->set_deadline(told.link->now() + base::Time{1});
  REQUIRE(told.ends());
  CHECK(told.story.count("first input an answer") == 1);
  CHECK(told.story.events.front() == "first deadline");
}

TEST_CASE("connection: a session with much to say to a server that has gone gets room, so that it comes to its end") {
  Told told(Carrier::unix_stream);
  told.link->hold_input();
  told.peer->leave();
  write_to(*told.link);
  told.link->out().append(std::string(100'000, 'x'));
  told.link->want_room();
  told.link->touch();
  for (int i = 0; i < 3; ++i) told.turns.one();
  CHECK(told.story.take() == Events{"first room"});
}

TEST_CASE("connection: quiet is one whose peer has sent nothing that the session has not been given") {
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp}) {
    CAPTURE(static_cast<int>(carrier));
    Told told(carrier);
    CHECK(told.link->quiet());
    told.peer->send("a");
    CHECK_FALSE(told.link->quiet());
    CHECK(told.story.events.empty());
    told.turns.one();
    CHECK(told.story.take() == Events{"first input a"});
    CHECK(told.link->quiet());
    told.session->most = 1;
    told.story.deeds["first input"] = [](session::Link& held) { held.hold_input(); };
    told.peer->send("bc");
    told.turns.one();
    CHECK(told.peer->unread() == 0);
    CHECK_FALSE(told.link->quiet());  // "c" was read, and is kept
    told.story.deeds.clear();
    told.link->resume_input();
    told.turns.one();
    CHECK(told.link->quiet());
    write_to(*told.link);
    told.peer->leave();  // with a reset
    told.story.take();
    for (int i = 0; i < 3; ++i) CHECK_FALSE(told.link->quiet());
    REQUIRE(told.ends());
    CHECK(told.story.events == Events{"first ended", "first destroyed"});  // to look uses up nothing
  }
  Told told(Carrier::unix_stream);
  told.peer->end();
  CHECK_FALSE(told.link->quiet());
  told.turns.one();
  CHECK(told.story.events == Events{"first end of input"});
  CHECK_FALSE(told.link->quiet());
}
