#include "wharf/protocol.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "wharf/testing.hpp"

namespace {

using namespace wharf;
using namespace std::chrono_literals;
using wharf::testing::Client;
using wharf::testing::Close;
using wharf::testing::Harness;
using wharf::testing::Message;

using Texts = std::vector<std::string>;
Texts events;

bool logged(const Harness& harness, std::string_view text) {
  for (const std::string& line : harness.log())
    if (line.find(text) != std::string::npos) return true;
  return false;
}

/// Every member that the library knows.
struct Everything {
  struct Shared {
    explicit Shared(Scope given) : scope(given), greeting(given.option("greeting").value_or("none")) {
      events.push_back("shared made");
    }
    ~Shared() { events.push_back("shared gone"); }
    Scope scope;
    std::string greeting;
    int accepted = 0;
  };

  Everything(Peer given, Shared& also) : peer(given), shared(also) { events.push_back("made"); }
  ~Everything() { events.push_back("gone"); }
  Everything(const Everything&) = delete;
  Everything& operator=(const Everything&) = delete;

  static int accept(const Request& request, Shared& shared) {
    events.push_back("accept " + std::string(request.path()) + " " + shared.greeting);
    ++shared.accepted;
    return request.query() == "refuse" ? 403 : 0;
  }
  void opened(const Request& request) {
    events.push_back("opened " + std::string(request.path()) + "?" + std::string(request.query()) + " " +
                     std::string(request.field("x-token").value_or("no token")) + " " +
                     std::string(request.field("X-None").value_or("none")));
  }
  void message(Kind kind, std::string_view data) {
    events.push_back((kind == Kind::text ? "text " : "binary ") + std::string(data));
    if (data == "tick") peer.every(10ms);
    if (data == "no tick") peer.every(0ms);
    if (data == "fill") CHECK(peer.send_binary(std::string(2000, 'x')) == Flow::hold);
    if (data == "ping") CHECK(peer.ping("abc") == Flow::go);
    if (data == "close") peer.close(4000, "as you wish");
  }
  void drained() { events.push_back("drained"); }
  void tick() { events.push_back("tick"); }
  void pong(std::string_view data) { events.push_back("pong " + std::string(data)); }
  void closing(std::uint16_t code, std::string_view why) {
    events.push_back("closing " + std::to_string(code) + " " + std::string(why));
    CHECK(peer.send_text("too late") == Flow::closed);
    CHECK(peer.ping() == Flow::closed);
  }

  Peer peer;
  Shared& shared;
};

struct Plain {
  Peer peer;
  void message(Kind kind, std::string_view data) { peer.send(kind, data); }
};

/// Throws in the member that the first text or the path names.
struct Thrower {
  Peer peer;
  explicit Thrower(Peer given) : peer(given) {
    if (where == "constructor") throw std::runtime_error("from the constructor");
  }
  static int accept(const Request&) {
    if (where == "accept") throw std::runtime_error("from accept");
    return 0;
  }
  void opened(const Request&) {
    if (where == "opened") throw std::runtime_error("from opened");
  }
  void message(Kind, std::string_view) {
    if (where == "message") throw std::runtime_error("from message");
    if (where == "number") throw 42;
    if (where == "tick") peer.every(10ms);
    if (where == "drained") peer.send_binary(std::string(2000, 'x'));
  }
  void tick() { throw std::runtime_error("from tick"); }
  void drained() { throw std::runtime_error("from drained"); }
  void pong(std::string_view) { throw std::runtime_error("from pong"); }
  void closing(std::uint16_t, std::string_view) {
    if (where == "closing") throw std::runtime_error("from closing");
  }
  static inline std::string where;
};

Limits narrow() {
  Limits limits;
  limits.output_high_water = 1000;
  limits.output_low_water = 100;
  return limits;
}

Client thrown_at(Harness& harness, const std::string& where) {
  Thrower::where = where;
  Client client = harness.connect();
  client.send_text("go");
  return client;
}

}  // namespace

TEST_CASE("protocol: every member is found and called, in order") {
  events.clear();
  {
    Harness harness(protocol<Everything>("everything"), {{"greeting", "hi"}}, narrow());
    Client client = harness.connect({"/path?query", {{"X-Token", "abc"}}});
    CHECK(client.status() == 101);
    client.send_text("one");
    client.send_binary("two");
    client.send_text("ping");
    client.send_text("tick");
    harness.advance(25ms);
    client.send_text("no tick");
    harness.advance(100ms);
    client.read_at_most(0);
    client.send_text("fill");
    client.read_everything();
    client.send_text("close");
    CHECK(client.closed() == Close{4000, "as you wish"});
    CHECK(harness.log().empty());
  }
  CHECK(events == Texts{"shared made", "accept /path hi", "made", "opened /path?query abc none", "text one", "binary two",
                        "text ping", "pong abc", "text tick", "tick", "tick", "text no tick", "text fill", "drained", "text close",
                        "closing 1005 ", "gone", "shared gone"});
}

TEST_CASE("protocol: accept refuses, and nothing is made") {
  events.clear();
  Harness harness(protocol<Everything>("everything"));
  Client client = harness.connect({"/?refuse", {}});
  CHECK(client.status() == 403);
  CHECK(client.refusal() == "Forbidden\n");
  CHECK(events == Texts{"shared made", "accept / none"});
}

TEST_CASE("protocol: closing hears the client's code and reason, 1005 and 1006") {
  const auto heard = [](auto end) {
    Harness harness(protocol<Everything>("everything"));
    Client client = harness.connect();
    events.clear();
    end(client);
    CHECK(events.size() == 2);
    return events.empty() ? std::string() : events.front();
  };
  CHECK(heard([](Client& client) { client.close(3001, "enough"); }) == "closing 3001 enough");
  CHECK(heard([](Client& client) { client.close(1005); }) == "closing 1005 ");
  CHECK(heard([](Client& client) { client.drop(); }) == "closing 1006 ");
}

TEST_CASE("protocol: optional members that a class does not have are left out of the row") {
  constexpr Protocol row = protocol<Plain>("plain");
  static_assert(row.size == sizeof(wharf_row));
  static_assert(row.accept == nullptr && row.drained == nullptr && row.tick == nullptr && row.pong == nullptr &&
                row.closing == nullptr);
  static_assert(row.wharf_row::message_limit == 0);
  static_assert(row.message_limit(5).wharf_row::message_limit == 5);
  CHECK((row.message_limit(5).message == row.message));
  CHECK(row.name == std::string("plain"));
}

TEST_CASE("protocol: classes are made from {Peer, Shared&}, {Peer} or {}") {
  struct Nothing {
    int messages = 0;
    void message(Kind, std::string_view) { events.push_back("nothing " + std::to_string(++messages)); }
  };
  struct WithDefaultShared {
    struct Shared {
      int sessions = 0;
    };
    Peer peer;
    Shared& shared;
    void opened(const Request&) { peer.send_text(std::to_string(++shared.sessions)); }
    void message(Kind, std::string_view) {}
  };
  struct UnusedShared {
    struct Shared {
      Shared() { events.push_back("unused shared"); }
    };
    Peer peer;
    void message(Kind, std::string_view) { peer.send_text("unused"); }
  };
  events.clear();
  Harness nothing(protocol<Nothing>("nothing"));
  Client client = nothing.connect();
  client.send_text("x");
  client.send_text("x");
  CHECK(events == Texts{"nothing 1", "nothing 2"});

  Harness shared(protocol<WithDefaultShared>("shared"));
  CHECK(shared.connect().receive() == Message{Kind::text, "1"});
  CHECK(shared.connect().receive() == Message{Kind::text, "2"});
  Harness another(protocol<WithDefaultShared>("shared"));
  CHECK(another.connect().receive() == Message{Kind::text, "1"});

  events.clear();
  Harness unused(protocol<UnusedShared>("unused"));
  Client last = unused.connect();
  last.send_text("x");
  CHECK(last.receive() == Message{Kind::text, "unused"});
  CHECK(events == Texts{"unused shared"});
}

TEST_CASE("protocol: accept without the shared state") {
  struct Guarded {
    static int accept(const Request& request) { return request.field("Authorization") ? 0 : 401; }
    void message(Kind, std::string_view) {}
  };
  Harness harness(protocol<Guarded>("guarded"));
  CHECK(harness.connect().status() == 401);
  CHECK(harness.connect({"/", {{"Authorization", "Basic eDp5"}}}).status() == 101);
}

TEST_CASE("protocol: handlers besides message are enough") {
  struct OnlyTicks {
    Peer peer;
    void tick() { peer.send_text("tick"); }
    void opened(const Request&) { peer.every(5ms); }
  };
  Harness harness(protocol<OnlyTicks>("ticks"));
  Client client = harness.connect();
  client.send_text("ignored");
  harness.advance(5ms);
  CHECK(client.receive() == Message{Kind::text, "tick"});
  CHECK_FALSE(client.closed());
}

TEST_CASE("protocol: scope and peer: log, now, options, address") {
  struct Talker {
    Peer peer;
    void opened(const Request& request) {
      CHECK_FALSE(request.address().empty());
      for (const Level level : {Level::error, Level::warn, Level::info, Level::debug}) peer.log(level, "a line");
      CHECK(peer.scope().option("given") == "value");
      CHECK_FALSE(peer.scope().option("other"));
      CHECK(peer.scope().now() >= 0ms);
      CHECK(peer.buffered() > 0);  // the answer to the handshake
    }
    void message(Kind, std::string_view) {}
  };
  Harness harness(protocol<Talker>("talker"), {{"given", "value"}});
  CHECK(harness.connect().status() == 101);
  CHECK(harness.log() == Texts{"error: talker: a line", "warn: talker: a line", "info: talker: a line", "debug: talker: a line"});
}

TEST_CASE("protocol: an exception in message, tick, drained or pong closes that peer with 1011 and is logged") {
  for (const std::string where : {"message", "tick", "drained", "pong"}) {
    CAPTURE(where);
    Harness harness(protocol<Thrower>("thrower"), {}, narrow());
    Thrower::where = "";
    Client other = harness.connect();
    Thrower::where = where;
    Client client = harness.connect();
    if (where == "drained") client.read_at_most(0);
    if (where == "pong") client.send_raw(std::string("\x8A\x80\0\0\0\0", 6));
    else client.send_text("go");
    harness.advance(10ms);
    client.read_everything();
    CHECK(client.closed() == Close{1011, ""});
    CHECK_FALSE(other.closed());
    CHECK(harness.log() == Texts{"error: thrower: an exception left " + where + "(): from " + where});
  }
}

TEST_CASE("protocol: an exception that is not a std::exception") {
  Harness harness(protocol<Thrower>("thrower"));
  Client client = thrown_at(harness, "number");
  CHECK(client.closed() == Close{1011, ""});
  CHECK(harness.log() == Texts{"error: thrower: an exception left message()"});
}

TEST_CASE("protocol: an exception while a conversation opens") {
  for (const std::string where : {"constructor", "opened"}) {
    CAPTURE(where);
    Harness harness(protocol<Thrower>("thrower"));
    Client client = thrown_at(harness, where);
    CHECK(client.status() == 101);
    CHECK(client.closed() == Close{1011, ""});
    CHECK(harness.log() == Texts{"error: thrower: an exception left the opening of a conversation: from " +
                                 (where == "opened" ? where : "the " + where)});
  }
}

TEST_CASE("protocol: an exception in closing is logged, and the object is destroyed all the same") {
  Harness harness(protocol<Thrower>("thrower"));
  Client client = thrown_at(harness, "closing");
  client.close(1000);
  CHECK(client.closed() == Close{1000, ""});
  CHECK(harness.log() == Texts{"error: thrower: an exception left closing(): from closing"});
}

TEST_CASE("protocol: an exception in accept refuses with 500") {
  Harness harness(protocol<Thrower>("thrower"));
  Client client = thrown_at(harness, "accept");
  CHECK(client.status() == 500);
  CHECK(client.refusal() == "Internal Server Error\n");
  CHECK(harness.log() == Texts{"error: thrower: an exception left accept(): from accept"});
}

TEST_CASE("protocol: an exception in the constructor of Shared keeps the row from starting") {
  struct Unable {
    struct Shared {
      Shared() { throw std::runtime_error("no such file"); }
    };
    void message(Kind, std::string_view) {}
  };
  CHECK_THROWS_WITH(Harness(protocol<Unable>("unable")),
                    doctest::Contains("error: unable: an exception left the constructor of Shared: no such file"));
}

TEST_CASE("protocol: message_limit") {
  Harness harness(protocol<Plain>("plain").message_limit(5));
  Client client = harness.connect();
  client.send_text("12345");
  CHECK(client.receive() == Message{Kind::text, "12345"});
  client.send_text("123456");
  REQUIRE(client.closed());
  CHECK(client.closed()->code == 1009);
  Harness wide(protocol<Plain>("plain"));
  Client million = wide.connect();
  million.send_binary(std::string(1024 * 1024, 'x'));
  CHECK(million.receive());
  million.send_binary(std::string(1024 * 1024 + 1, 'x'));
  REQUIRE(million.closed());
  CHECK(million.closed()->code == 1009);
}

TEST_CASE("protocol: text that is not UTF-8 is not sent") {
  struct Broken {
    Peer peer;
    void message(Kind, std::string_view) {
      CHECK(peer.send_text("\xFF") == Flow::closed);
      CHECK(peer.send_text("fine") == Flow::closed);
    }
  };
  Harness harness(protocol<Broken>("broken"));
  Client client = harness.connect();
  client.send_text("x");
  CHECK_FALSE(client.receive());
  CHECK(client.closed() == Close{1011, ""});
  CHECK(logged(harness, "error: broken: asked to send text that is not UTF-8"));
}

TEST_CASE("protocol: close codes that may not be sent, and reasons that are too long") {
  struct Closer {
    Peer peer;
    void message(Kind, std::string_view text) {
      const std::size_t space = text.find(' ');
      peer.close(static_cast<std::uint16_t>(std::stoi(std::string(text.substr(0, space)))), text.substr(space + 1));
      CHECK(peer.send_text("x") == Flow::closed);
      peer.close(1000, "the first counts");
    }
  };
  const auto closed_with = [](const std::string& text) {
    Harness harness(protocol<Closer>("closer"));
    Client client = harness.connect();
    client.send_text(text);
    REQUIRE(client.closed());
    return *client.closed();
  };
  for (const int code : {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4999})
    CHECK(closed_with(std::to_string(code) + " x") == Close{static_cast<std::uint16_t>(code), "x"});
  for (const int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535})
    CHECK(closed_with(std::to_string(code) + " x") == Close{1011, "x"});
  CHECK(closed_with("4000 " + std::string(200, 'x')).reason == std::string(123, 'x'));
  CHECK(closed_with("4000 " + std::string(122, 'x') + "\u00F6").reason == std::string(122, 'x'));
  CHECK(closed_with("4000 ").reason.empty());
}

TEST_CASE("protocol: send() accepts messages from any buffer, and returns hold and closed") {
  struct Sender {
    Peer peer;
    void message(Kind, std::string_view) {
      std::string text(600, 'a');
      CHECK(peer.send_text(text) == Flow::go);
      text.assign(600, 'b');
      CHECK(peer.send_text(text) == Flow::hold);
      text.assign(600, 'c');
      CHECK(peer.send_text(text) == Flow::hold);
      CHECK(peer.buffered() > 1800);
    }
  };
  Harness harness(protocol<Sender>("sender"), {}, narrow());
  Client client = harness.connect();
  client.read_at_most(0);
  client.send_text("x");
  client.read_everything();
  for (const char letter : {'a', 'b', 'c'}) CHECK(client.receive() == Message{Kind::text, std::string(600, letter)});
}

namespace {

struct Handled {
  static inline std::optional<Handle<Handled>> last;
  static inline bool throw_in_opened = false;
  static inline bool task_ran = false;
  Peer peer;
  std::string text = "alive";
  explicit Handled(Peer given) : peer(given) {}
  ~Handled() { text = "destroyed"; }
  void opened(const Request&) {
    last = peer.handle<Handled>();
    if (!throw_in_opened) return;
    CHECK(last->post([](Handled&) { task_ran = true; }));
    throw std::runtime_error("from opened");
  }
  void message(Kind, std::string_view) { peer.close(); }
};

}  // namespace

TEST_CASE("protocol: handles from many threads, each task once and in its thread's order") {
  Handled::throw_in_opened = false;
  Harness harness(protocol<Handled>("handled"));
  Client client = harness.connect();
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number)
    threads.emplace_back([number, handle = *Handled::last] {
      for (int i = 0; i < 250; ++i)
        handle.post([number, i](Handled& handled) { handled.peer.send_text(std::to_string(number) + " " + std::to_string(i)); });
    });
  for (std::thread& thread : threads) thread.join();
  harness.run();
  std::vector<int> next(4);
  int count = 0;
  for (auto message = client.receive(); message; message = client.receive(), ++count) {
    const auto number = static_cast<std::size_t>(message->data.front() - '0');
    CHECK(message->data.substr(2) == std::to_string(next[number]++));
  }
  CHECK(count == 1000);
}

TEST_CASE("protocol: an exception in a posted task closes that peer with 1011 and is logged") {
  Handled::throw_in_opened = false;
  Harness harness(protocol<Handled>("handled"));
  Client client = harness.connect();
  CHECK(Handled::last->post([](Handled&) { throw std::runtime_error("from the task"); }));
  harness.run();
  CHECK(client.closed() == Close{1011, ""});
  CHECK(harness.log() == Texts{"error: handled: an exception left a posted task: from the task"});
}

TEST_CASE("protocol: a task for a peer that failed to open does not run on a destroyed object") {
  Handled::throw_in_opened = true;
  Handled::task_ran = false;
  Harness harness(protocol<Handled>("handled"));
  Client client = harness.connect();
  harness.run();
  CHECK_FALSE(Handled::task_ran);
  CHECK(client.closed() == Close{1011, ""});
}

TEST_CASE("protocol: tasks may be move-only, and own what they need") {
  Handled::throw_in_opened = false;
  Harness harness(protocol<Handled>("handled"));
  Client client = harness.connect();
  auto text = std::make_unique<std::string>("moved");
  CHECK(Handled::last->post([text = std::move(text)](Handled& handled) { handled.peer.send_text(*text); }));
  harness.run();
  CHECK(client.receive() == Message{Kind::text, "moved"});
}
