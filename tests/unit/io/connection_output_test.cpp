#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/connection.h"
#include "unit/io/peer.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;
using Events = std::vector<std::string>;

/// A file without a name.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::size_t size) : content(size, '\0') {
    for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7 + i / 256 + i / 65536);
    char path[] = "/tmp/wharf-test-XXXXXX";
    descriptor = mkstemp(path);
    REQUIRE(descriptor >= 0);
    unlink(path);
    REQUIRE(write(descriptor, content.data(), size) == static_cast<ssize_t>(size));
  }
  ~TemporaryFile() { close(descriptor); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string content;
  int descriptor;
};

/// Queues a head, then sends a file, as a response does.
class FileSender final : public session::Session {
 public:
  FileSender(session::Link& link, const TemporaryFile& file, std::string head, std::uint64_t from)
      : link_(link), file_(file), head_(std::move(head)), at_(from) {}
  void start() override {
    link_.out().append(head_);
    go_on();
  }
  void room() override {
    ++rooms;
    go_on();
  }
  std::size_t input(std::span<char> bytes) override {
    heard.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void end_of_input() override { link_.finish(); }
  void shut_down() override { link_.finish(); }

  std::string heard;
  int rooms = 0;
  bool refused = false;  // by the carrier: the file is to be read

 private:
  void go_on() {
    if (!link_.out().empty()) link_.flush();
    while (at_ < file_.content.size()) {
      const std::optional<std::size_t> sent = link_.send_file(file_.descriptor, at_, file_.content.size() - at_);
      refused = !sent;
      if (refused) return link_.abort();
      if (*sent == 0) return link_.want_room();
      at_ += *sent;
    }
    link_.finish();
  }

  session::Link& link_;
  const TemporaryFile& file_;
  std::string head_;
  std::uint64_t at_;
};

/// Makes a FileSender and remembers it; it lives until its link ends.
struct Sending {
  explicit Sending(const TemporaryFile& what, std::string with_head = {}, std::uint64_t offset = 0)
      : file(what), head(std::move(with_head)), from(offset) {}
  session::SessionMaker maker() {
    return [this](session::Link& link) {
      auto made = std::make_unique<FileSender>(link, file, head, from);
      session = made.get();
      return made;
    };
  }

  const TemporaryFile& file;
  std::string head;
  std::uint64_t from;
  FileSender* session = nullptr;
};

session::Link* capture(Turns& turns, std::unique_ptr<Peer>& peer, Carrier carrier, Story& story) {
  session::Link* captured = nullptr;
  const auto make = [&](session::Link& link) {
    captured = &link;
    return std::make_unique<Scripted>(link, story, "first");
  };
  peer = std::make_unique<Peer>(turns, make, carrier);
  story.take();
  return captured;
}

}  // namespace

// ---- Files ----

TEST_CASE("connection: a file of several MiB reaches a slow reader byte by byte, behind the queue before it") {
  const TemporaryFile file(5'000'001);
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp}) {
    CAPTURE(static_cast<int>(carrier));
    Turns turns;
    Sending sending(file, std::string(300'000, 'h'), 11);
    const Peer peer(turns, sending.maker(), carrier);
    std::string got;
    REQUIRE(turns.until([&] {
      const auto bytes = peer.read(50'000);
      if (bytes) got += *bytes;
      return bytes == "";
    }));
    CHECK(got.size() == 300'000 + file.content.size() - 11);
    CHECK((got == std::string(300'000, 'h') + file.content.substr(11)));
  }
}

TEST_CASE("connection: a file that the socket does not take now waits without a call; input comes meanwhile") {
  const TemporaryFile file(8'000'000);
  Turns turns;
  Sending sending(file);
  const Peer peer(turns, sending.maker());
  turns.for_a_while(milliseconds(50));
  CHECK(sending.session->rooms == 0);
  peer.send("while you wait");
  REQUIRE(turns.until([&] { return sending.session->heard == "while you wait"; }));
  CHECK(sending.session->rooms == 0);
  std::string got;
  REQUIRE(turns.until([&] { return peer.read_into(got); }));
  CHECK((got == file.content));
}

TEST_CASE("connection: a file that became shorter is no longer sent; reading it finds its end") {
  const TemporaryFile file(8'000'000);
  Turns turns;
  Sending sending(file);
  const Peer peer(turns, sending.maker());
  turns.one();
  CHECK_FALSE(sending.session->refused);
  REQUIRE(ftruncate(file.descriptor, 100'000) == 0);
  std::string got;
  REQUIRE(turns.until([&] { return peer.read_into(got); }));
  CHECK(turns.loop().connection_count() == 0);
  CHECK(got.size() < file.content.size());
  CHECK((got.substr(0, 100'000) == file.content.substr(0, 100'000)));  // the system may have lost the bytes after these
}

TEST_CASE("connection: descriptors that cannot be sent as a file are refused, and the link goes on") {
  Story story;
  Turns turns;
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::unix_stream, story);
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  CHECK_FALSE(link->send_file(pipe_ends[1], 0, 100));
  CHECK_FALSE(link->send_file(-1, 0, 100));
  put(*link, "instead");
  turns.one();
  CHECK(peer->read(100) == "instead");
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST_CASE("connection: a file follows the queue, and is not sent on a link that is ending") {
  const TemporaryFile file(100);
  Story story;
  Turns turns;
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::unix_stream, story);
  put(*link, "head");
  CHECK(link->send_file(file.descriptor, 10, 20) == 20);
  CHECK(link->out().empty());
  CHECK(peer->read(4) == "head");
  CHECK((peer->read(100) == file.content.substr(10, 20)));
  link->finish();
  CHECK(link->send_file(file.descriptor, 0, 100) == 0);
  turns.one();
  CHECK(peer->read(100) == "");
}

TEST_CASE("connection: a file for a peer that is gone is an error and not the end of the program") {
  const TemporaryFile file(100);
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp}) {
    CAPTURE(static_cast<int>(carrier));
    Story story;
    Turns turns;
    std::unique_ptr<Peer> peer;
    session::Link* link = capture(turns, peer, carrier, story);
    peer->leave();
    std::optional<std::size_t> sent = 0;
    for (int i = 0; i < 1'000 && sent; ++i) sent = link->send_file(file.descriptor, 0, 100);  // to TCP this comes with the reset
    CHECK_FALSE(sent);
    sigset_t pending;
    REQUIRE(sigpending(&pending) == 0);
    CHECK(sigismember(&pending, SIGPIPE) == 0);
  }
}

TEST_CASE("connection: a session that no longer wants to send its file is not cut for a peer that took the rest") {
  const TemporaryFile file(8'000'000);
  io::LoopLimits limits;
  limits.write_stall = base::Time{60};
  Story story;
  Turns turns(limits);
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::unix_stream, story);
  std::uint64_t at = 0;
  for (std::size_t sent = 1; sent != 0; at += sent)
    sent = link->send_file(file.descriptor, at, file.content.size() - at).value_or(0);
  REQUIRE(at > 0);
  link->want_room();
  std::string got;
  REQUIRE(turns.until([&] {
    peer->read_into(got);
    return got.size() == at;
  }));
  turns.for_a_while(milliseconds(150));
  CHECK(story.take() == Events{"first room"});
  CHECK(turns.log_lines.empty());
}

// ---- Slow readers ----

namespace {

/// A peer that reads that much every few milliseconds. Returns whether it was cut, and not by its own end.
bool is_cut(Turns& turns, const Peer& peer, std::size_t sip, milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    static_cast<void>(peer.read(sip));
    turns.for_a_while(milliseconds(5));
    if (turns.loop().connection_count() == 0) return true;
  }
  return false;
}

bool told_of_stall(const Turns& turns) {
  return std::any_of(turns.log_lines.begin(), turns.log_lines.end(),
                     [](const std::string& line) { return line.find("cut, the peer took next to nothing") != std::string::npos; });
}

}  // namespace

TEST_CASE("connection: a peer that trickles is cut, with a file as with the queue") {
  const TemporaryFile file(8'000'000);
  for (const bool of_file : {true, false}) {
    CAPTURE(of_file);
    io::LoopLimits limits;
    limits.write_stall = base::Time{100};
    Story story;
    Turns turns(limits);
    Sending sending(file);
    story.deeds["first start"] = [](session::Link& link) { put(link, std::string(3'000'000, 'x')); };
    const Peer peer(turns, of_file ? sending.maker() : scripted(story, "first"));
    CHECK(is_cut(turns, peer, 10, milliseconds(10'000)));
    CHECK(told_of_stall(turns));
  }
}

TEST_CASE(
    "connection: what a peer must take in the time of the write stall is write_progress; less, again and again, gains nothing") {
  const TemporaryFile file(8'000'000);
  for (const bool of_file : {true, false})
    for (const std::size_t progress : {std::size_t{1'024}, std::size_t{15'000'000}}) {
      CAPTURE(of_file);
      CAPTURE(progress);
      io::LoopLimits limits;
      limits.write_stall = base::Time{150};
      limits.write_progress = progress;
      Story story;
      Turns turns(limits);
      Sending sending(file);
      story.deeds["first start"] = [](session::Link& link) { put(link, std::string(8'000'000, 'x')); };
      const Peer peer(turns, of_file ? sending.maker() : scripted(story, "first"));
      const bool too_slow = progress > 1'024;
      CHECK(is_cut(turns, peer, 65'536, milliseconds(too_slow ? 10'000 : 800)) == too_slow);
      CHECK(told_of_stall(turns) == too_slow);
    }
}

// ---- Half-close ----

TEST_CASE("connection: after the end of output the peer sees the end behind all bytes, and is still heard") {
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp})
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{5'000'000}}) {
      CAPTURE(static_cast<int>(carrier));
      CAPTURE(size);
      Story story;
      Turns turns;
      std::unique_ptr<Peer> peer;
      session::Link* link = capture(turns, peer, carrier, story);
      put(*link, std::string(size, 'x'));
      link->end_output();
      peer->send("a");
      std::string got;
      REQUIRE(turns.until([&] { return peer->read_into(got); }));
      CHECK((got == std::string(size, 'x')));
      peer->send("b");
      REQUIRE(turns.until([&] { return story.count("first input b") == 1; }));
      CHECK(turns.loop().connection_count() == 1);
      peer->end();
      REQUIRE(turns.until([&] { return story.count("first end of input") == 1; }));
      turns.for_a_while(milliseconds(20));
      CHECK(story.take() == Events{"first input a", "first input b", "first end of input"});
      link->finish();
      REQUIRE(turns.until([&] { return turns.loop().connection_count() == 0; }));
      CHECK(story.take() == Events{"first ended", "first destroyed"});
    }
}

TEST_CASE("connection: output goes on after the peer has ended its own") {
  for (const Carrier carrier : {Carrier::unix_stream, Carrier::tcp}) {
    CAPTURE(static_cast<int>(carrier));
    Story story;
    Turns turns;
    std::unique_ptr<Peer> peer;
    session::Link* link = capture(turns, peer, carrier, story);
    peer->end();
    REQUIRE(turns.until([&] { return story.count("first end of input") == 1; }));
    put(*link, std::string(3'000'000, 'x'));
    link->end_output();
    std::string got;
    REQUIRE(turns.until([&] { return peer->read_into(got); }));
    CHECK(got.size() == 3'000'000);
    CHECK(story.take() == Events{"first end of input"});
  }
}

// ---- The end ----

TEST_CASE(
    "connection: a peer that does not end after the server has a time for that of its own, however long it had for the output") {
  io::LoopLimits limits;
  limits.linger = base::Time{30};
  limits.closing_flush = base::Time{1'000'000};
  Story story;
  Turns turns(limits);
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::tcp, story);
  put(*link, "last");
  link->finish();
  CHECK(turns.until([&] { return turns.loop().connection_count() == 0; }));
  CHECK(peer->read(100) == "last");
}

TEST_CASE("connection: one that is cut ends with a reset, though nothing is queued: it does not look like the end of all output") {
  Story story;
  Turns turns;
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::tcp, story);
  put(*link, "part");
  turns.one();
  CHECK(peer->read(100) == "part");
  link->abort();
  REQUIRE(turns.until([&] { return turns.loop().connection_count() == 0; }));
  CHECK_FALSE(peer->read(100));
}

// ---- Cork ----

TEST_CASE("connection: corked output leaves in one write") {
  Story story;
  Turns turns;
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::unix_packets, story);  // each write is a packet
  for (const char* const piece : {"a", "b", "c"}) {
    put(*link, piece);
    turns.one();
    CHECK(peer->read(100) == piece);
  }
  link->cork();
  for (const char* const piece : {"a", "b", "c"}) {
    put(*link, piece);
    turns.one();
    CHECK_FALSE(peer->read(100));
  }
  link->uncork();
  turns.one();
  CHECK(peer->read(100) == "abc");
  CHECK_FALSE(peer->read(100));
}

TEST_CASE("connection: a corked session whose peer is slow gets room, and all it wrote arrives") {
  Story story;
  Turns turns;
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::unix_stream, story);
  link->cork();
  put(*link, std::string(3'000'000, 'x'));
  CHECK(link->overfull());
  link->want_room();
  std::string got;
  REQUIRE(turns.until([&] {
    peer->read_into(got);
    return story.count("first room") == 1;
  }));
  link->uncork();
  REQUIRE(turns.until([&] {
    peer->read_into(got);
    return got.size() == 3'000'000;
  }));
}

TEST_CASE("connection: output under a cork that the peer did not take at once does not make it a peer that takes nothing") {
  io::LoopLimits limits;
  limits.write_stall = base::Time{80};
  limits.output.high_water = 3'000'000;
  Story story;
  Turns turns(limits);
  std::unique_ptr<Peer> peer;
  session::Link* link = capture(turns, peer, Carrier::unix_stream, story);
  link->cork();
  put(*link, std::string(3'000'000, 'x'));
  link->flush();
  const std::size_t held = link->out().size();
  REQUIRE(held > 0);
  std::string got;
  peer->read_into(got);
  CHECK(got.size() == 3'000'000 - held);
  for (int i = 0; i < 3; ++i) turns.one();
  pollfd loop_has_something{uv_backend_fd(turns.callers()), POLLIN, 0};
  CHECK(poll(&loop_has_something, 1, 0) == 0);  // it does not go round and round for a socket that could be written to
  REQUIRE(turns.until([&] {
    peer->read_into(got);
    return link->out().empty();
  }));
  turns.for_a_while(milliseconds(200));
  peer->read_into(got);
  CHECK(got.size() == 3'000'000);
  CHECK(turns.log_lines.empty());
  CHECK(story.events.empty());
}
