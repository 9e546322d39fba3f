#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "io/connection.h"
#include "unit/io/peer.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

// The events for which a connection is watched, and their cost.

namespace {
int changes_of_interest = 0;
}  // namespace

/// Replaces the system's, for libuv too.
extern "C" [[gnu::visibility("default")]] int epoll_ctl(int epoll, int operation, int file, epoll_event* event) noexcept;
int epoll_ctl(int epoll, int operation, int file, epoll_event* event) noexcept {
  ++changes_of_interest;
  return static_cast<int>(syscall(SYS_epoll_ctl, epoll, operation, file, event));
}

namespace {

using namespace wharf;
using namespace wharf::test;
using Events = std::vector<std::string>;

struct HeldBench {
  HeldBench() {
    story.deeds["session input"] = [](session::Link& of_session) { of_session.hold_input(); };
    const Ends ends = connected(Carrier::unix_stream);
    socket = ends.client;
    REQUIRE(io::Connection::adopt(turns.loop(), ends.server, [this](session::Link& made) {
      held = &made;
      return std::make_unique<Scripted>(made, story, "session");
    }));
    turns.one();
    send("hold");
    REQUIRE(turns.until([this] { return story.count("session input hold") == 1; }));
    turns.one();
    story.take();
    story.deeds.clear();
    changes_of_interest = 0;
  }
  ~HeldBench() {
    if (socket >= 0) ::close(socket);
  }
  HeldBench(const HeldBench&) = delete;
  HeldBench& operator=(const HeldBench&) = delete;

  void send(const std::string& bytes) const {
    REQUIRE(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }

  Story story;
  Turns turns;
  session::Link* held = nullptr;
  int socket = -1;
};

/// Always has more to send, of a file or of the queue, like a large response.
class EndlessSender final : public session::Session {
 public:
  /// `file` is -1: of the queue.
  EndlessSender(session::Link& link, int file) : link_(link), file_(file) {}

  void start() override { go_on(); }
  void room() override {
    ++rooms;
    go_on();
  }
  std::size_t input(std::span<char> bytes) override { return bytes.size(); }
  void end_of_input() override {}
  void shut_down() override { link_.finish(); }

  int rooms = 0;
  static constexpr std::size_t more_than_fits = std::size_t{16} * 1024 * 1024;

 private:
  void go_on() {
    link_.want_room();
    if (file_ < 0) return link_.out().append(std::string(more_than_fits, 'q'));
    for (std::size_t sent = 1; sent != 0;) sent = link_.send_file(file_, 0, more_than_fits).value_or(0);
  }

  session::Link& link_;
  int file_;
};

}  // namespace

TEST_CASE("interest: input that was held and wanted again before any came took four system calls") {
  HeldBench bench;
  bench.held->resume_input();
  bench.turns.one();
  bench.turns.one();
  CHECK(changes_of_interest == 0);
  bench.send("x");
  REQUIRE(bench.turns.until([&] { return !bench.story.events.empty(); }));
  CHECK(bench.story.take() == Events{"session input x"});
  CHECK(changes_of_interest == 0);
}

TEST_CASE("interest: bytes that come while input is held are not read, and the loop does not spin") {
  HeldBench bench;
  bench.send("x");
  for (int i = 0; i < 10; ++i) bench.turns.one();
  CHECK(bench.story.take().empty());
  CHECK(changes_of_interest <= 2);  // once, and not in each turn
  bench.held->resume_input();
  REQUIRE(bench.turns.until([&] { return !bench.story.events.empty(); }));
  CHECK(bench.story.take() == Events{"session input x"});

  changes_of_interest = 0;  // and when they have been read, it is as before
  bench.held->hold_input();
  bench.turns.one();
  bench.held->resume_input();
  bench.turns.one();
  CHECK(changes_of_interest == 0);
}

TEST_CASE("interest: input that is wanted again was not read by a session that has something to do in every turn") {
  HeldBench bench;
  bench.send("x");
  for (int i = 0; i < 5; ++i) bench.turns.one();
  bench.story.deeds["session turn"] = [](session::Link& link) { link.want_turn(); };
  bench.held->want_turn();
  bench.turns.one();
  bench.held->resume_input();
  for (int i = 0; i < 20; ++i) bench.turns.one();
  CHECK(bench.story.count("session turn") > 20);
  CHECK(bench.story.count("session input x") == 1);
  CHECK(changes_of_interest <= 4);
}

TEST_CASE("interest: a peer that leaves while its input is held is noticed, whether bytes came before or not") {
  for (const bool sends_first : {false, true}) {
    HeldBench bench;
    if (sends_first) {
      bench.send("x");
      for (int i = 0; i < 5; ++i) bench.turns.one();
    }
    ::close(std::exchange(bench.socket, -1));
    bench.held->resume_input();
    REQUIRE(bench.turns.until([&] { return bench.story.count("session end of input") + bench.story.count("session ended") > 0; }));
    bench.held->abort();
    REQUIRE(bench.turns.until([&] { return bench.story.count("session destroyed") == 1; }));
  }
}

TEST_CASE("interest: a slow reader of a large response cost changes of what its socket is watched for, each time it took a part") {
  const int file = memfd_create("wharf-test", MFD_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(ftruncate(file, EndlessSender::more_than_fits) == 0);
  for (const int of : {file, -1}) {
    CAPTURE(of);
    Turns turns;
    EndlessSender* sender = nullptr;
    const Peer peer(turns, [&](session::Link& link) {
      auto made = std::make_unique<EndlessSender>(link, of);
      sender = made.get();
      return made;
    });
    for (int i = 0; i < 5; ++i) turns.one();
    changes_of_interest = 0;
    const int before = sender->rooms;
    std::string got;
    REQUIRE(turns.until([&] {
      peer.read_into(got);
      return sender->rooms >= before + 20;
    }));
    CHECK(changes_of_interest == 0);
  }
  ::close(file);
}
