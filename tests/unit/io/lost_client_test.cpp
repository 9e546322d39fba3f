#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "io/connection.h"
#include "unit/io/peer.h"
#include "unit/io/turns.h"

// What a session hears of a client that has gone: while it takes no input and has nothing to say, as with an answer that is long in
// the making, and while it has much to say.

namespace {

using namespace wharf;
using namespace wharf::test;

enum class Kind : std::uint8_t { silent, listening, sparing, talkative };

/// Silent, it takes no input before it is told to; listening, it takes all and says nothing; sparing, it takes a byte each time
/// that it is told to; talkative, it answers until that is too much. It says what happened.
struct Told final : session::Session {
  Told(session::Link& of, std::string& into, Kind how) : link(of), what(into), kind(how) {}
  void start() override {
    if (kind == Kind::silent) link.hold_input();
  }
  std::size_t input(std::span<char> bytes) override {
    if (kind == Kind::sparing) {
      bytes = bytes.first(1);
      link.hold_input();
    }
    what.append("input ").append(bytes.data(), bytes.size()).append(" ");
    if (kind == Kind::talkative) talk();
    return bytes.size();
  }
  void talk() {
    const std::string piece(1000, 'x');
    for (int i = 0; i < 20'000; ++i) {  // twenty megabytes, which no system takes at once
      if (i % 2 == 0) link.out().append(piece);
      else link.write_through("", piece);
      if (link.ending() || link.overfull()) return;
    }
    what += "endless ";
  }
  void end_of_input() override { what += "end "; }
  void room() override { what += "room "; }
  void deadline() override { what += "deadline "; }
  void shut_down() override { link.finish(); }
  void ended() override { what += "ended "; }

  session::Link& link;
  std::string& what;
  Kind kind;
};

/// A connection, and its client.
struct Bench {
  explicit Bench(Kind kind = Kind::silent, Carrier carrier = Carrier::tcp) {
    const Ends ends = connected(carrier);
    client = ends.client;
    REQUIRE(io::Connection::adopt(turns.loop(), ends.server, [this, kind](session::Link& of) {
      link = &of;
      return std::make_unique<Told>(of, what, kind);
    }));
    turns.one();
    REQUIRE(what.empty());
  }
  ~Bench() {
    if (client >= 0) close(client);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  void reset() {
    const linger at_once{1, 0};
    REQUIRE(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    go();
  }
  void go() {
    close(client);
    client = -1;
  }
  void end() const { REQUIRE(shutdown(client, SHUT_WR) == 0); }
  void send(std::string_view bytes) const {
    REQUIRE(::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  /// Whether the loop waits, instead of hearing the same again and again.
  bool rests() {
    turns.for_a_while(std::chrono::milliseconds(30));
    pollfd events{uv_backend_fd(turns.callers()), POLLIN, 0};
    return poll(&events, 1, 0) == 0;
  }

  std::string what;  // outlives the session, which the loop may destroy
  Turns turns;
  session::Link* link = nullptr;
  int client = -1;
};

}  // namespace

TEST_CASE("lost client: while input is held, a client that resets the connection is heard of at once") {
  Bench bench;
  bench.reset();
  REQUIRE(bench.turns.until([&bench] { return bench.turns.loop().connection_count() == 0; }));
  CHECK(bench.what == "ended ");
}

TEST_CASE("lost client: so is one that has sent something before") {
  Bench bench;
  bench.send("abc");
  bench.turns.for_a_while(std::chrono::milliseconds(5));
  CHECK(bench.what.empty());
  bench.reset();
  REQUIRE(bench.turns.until([&bench] { return bench.turns.loop().connection_count() == 0; }));
  CHECK(bench.what == "ended ");
}

TEST_CASE("lost client: while input is held, a client that has ended its side is not cut, and the loop rests") {
  for (const std::string_view before : {"", "abc"}) {
    CAPTURE(before);
    Bench bench;
    if (!before.empty()) bench.send(before);
    bench.end();
    CHECK(bench.rests());
    CHECK(bench.what.empty());
    bench.link->out().append("answer");
    bench.link->touch();
    CHECK(bench.rests());
    char answer[7] = {};
    CHECK(recv(bench.client, answer, 6, 0) == 6);
    CHECK(std::string_view(answer) == "answer");
    CHECK(bench.what.empty());
    bench.link->resume_input();
    const std::string expected = before.empty() ? "end " : "input abc end ";
    REQUIRE(bench.turns.until([&] { return bench.what == expected; }));
  }
}

TEST_CASE("lost client: a client that ended its side first and left later is noticed, whether that end was read or not") {
  for (const Kind kind : {Kind::silent, Kind::listening}) {
    CAPTURE(kind);
    Bench bench(kind);
    bench.end();
    CHECK(bench.rests());
    CHECK(bench.what == (kind == Kind::silent ? "" : "end "));
    bench.reset();
    REQUIRE(bench.turns.until([&bench] { return bench.turns.loop().connection_count() == 0; }));
    CHECK(bench.what == (kind == Kind::silent ? "ended " : "end ended "));
  }
}

TEST_CASE("lost client: on a unix socket, a client that has gone is noticed at once, whether it ended its side before or not") {
  for (const Kind kind : {Kind::silent, Kind::listening}) {
    for (const bool ends : {false, true}) {
      CAPTURE(kind);
      CAPTURE(ends);
      Bench bench(kind, Carrier::unix_stream);
      if (ends) bench.end();
      CHECK(bench.rests());
      CHECK(bench.turns.loop().connection_count() == 1);
      bench.go();
      REQUIRE(bench.turns.until([&bench] { return bench.turns.loop().connection_count() == 0; }));
      CHECK(bench.what == (kind == Kind::silent ? "ended " : "end ended "));
    }
  }
}

TEST_CASE("lost client: what it sent before it left a unix socket still counts, even if it was read and not taken yet") {
  for (const Kind kind : {Kind::silent, Kind::sparing}) {
    CAPTURE(kind);
    Bench bench(kind, Carrier::unix_stream);
    bench.send("ab");
    CHECK(bench.rests());
    bench.go();
    CHECK(bench.rests());
    CHECK(bench.what == (kind == Kind::silent ? "" : "input a "));
    bench.link->resume_input();
    REQUIRE(bench.turns.until([&bench] { return bench.turns.loop().connection_count() == 0; }));
    CHECK(bench.what == (kind == Kind::silent ? "input ab end ended " : "input a input b ended "));
  }
}

TEST_CASE("lost client: if both sides have ended their output, nobody is gone, and the loop rests") {
  for (const Carrier carrier : {Carrier::tcp, Carrier::unix_stream}) {
    CAPTURE(carrier);
    Bench bench(Kind::silent, carrier);
    bench.link->end_output();
    bench.end();
    CHECK(bench.rests());
    CHECK(bench.what.empty());
    bench.link->resume_input();
    REQUIRE(bench.turns.until([&bench] { return bench.what == "end "; }));
    CHECK(bench.rests());
    CHECK(bench.what == "end ");
  }
}

TEST_CASE("lost client: an urgent byte does not hide that a client is gone later") {
  for (const Kind kind : {Kind::silent, Kind::listening}) {
    CAPTURE(kind);
    Bench bench(kind);
    REQUIRE(::send(bench.client, "u", 1, MSG_OOB | MSG_NOSIGNAL) == 1);
    bench.end();
    CHECK(bench.rests());
    bench.reset();
    REQUIRE(bench.turns.until([&bench] { return bench.turns.loop().connection_count() == 0; }));
    CHECK(bench.what == (kind == Kind::silent ? "ended " : "end ended "));
  }
}

TEST_CASE("lost client: urgent bytes do not keep the loop busy") {
  Bench bench;
  bench.end();
  CHECK(bench.rests());
  Bench other;
  REQUIRE(::send(other.client, "u", 1, MSG_OOB | MSG_NOSIGNAL) == 1);
  CHECK(other.rests());
  other.end();
  CHECK(other.rests());
  CHECK(other.what.empty());
}

TEST_CASE("lost client: a session that writes until it is too much hears that it is, and then of the end") {
  Bench bench(Kind::talkative);
  bench.send("go");
  bench.turns.for_a_while(std::chrono::milliseconds(0));
  CHECK(bench.what == "input go ");
  bench.what.clear();
  bench.send("on");
  bench.reset();
  REQUIRE(bench.turns.until([&bench] { return bench.turns.loop().connection_count() == 0; }));
  CHECK(bench.what.ends_with("ended "));
  CHECK(bench.what.find("endless") == std::string::npos);

  Bench both(Kind::talkative);  // the request and the reset in one turn
  both.send("go");
  both.reset();
  REQUIRE(both.turns.until([&both] { return both.turns.loop().connection_count() == 0; }));
  CHECK(both.what.ends_with("ended "));
  CHECK(both.what.find("endless") == std::string::npos);
}
