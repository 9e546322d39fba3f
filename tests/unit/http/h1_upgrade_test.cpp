// Leaving HTTP late: behind a body, and from outside any callback.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mailbox.h"
#include "protocol/row_exchange.h"
#include "protocol/services.h"
#include "unit/http/h1_bench.h"
#include "wharf/protocol.hpp"

namespace {

using namespace wharf;
using namespace wharf::test;
using namespace std::chrono_literals;
using Story = std::vector<std::string>;

/// The calls to the rows below and their pipes.
struct Told {
  Story story;
  std::string body;
  std::string piped;
  std::optional<ExchangeHandle<>> handle;
};
Told* told = nullptr;  // of the test that runs

/// Gives back what it gets, and ticks from the start.
struct Piped {
  explicit Piped(Pipe its_pipe) : pipe(its_pipe) { pipe.every(50ms); }
  void data(std::string_view bytes) {
    told->piped += bytes;
    pipe.write(bytes);
  }
  void tick() { told->story.emplace_back("tick"); }
  void closing() { told->story.emplace_back("closing"); }
  Pipe pipe;
};

bool upgrade(Exchange exchange) { return exchange.upgrade<Piped>("lines/1"); }

/// Takes the body whole.
struct Whole {
  static void request(Exchange exchange) {
    told->body = exchange.body();
    told->story.emplace_back("request");
    CHECK(upgrade(exchange));
  }
};

/// Waits for the end of the body, even if there is none.
struct AtBodyEnd {
  struct Responder {
    Exchange exchange;
    void request() {}
    void body(std::string_view piece) {
      told->body += piece;
      if (exchange.field("Transfer-Encoding")) CHECK_FALSE(upgrade(exchange));  // the last chunk is still to come
    }
    void body_end() {
      told->story.emplace_back("body end");
      CHECK(upgrade(exchange));
    }
    void closing(bool complete) { told->story.emplace_back(complete ? "over" : "cut"); }
  };
};

/// Leaves with the last byte of the body.
struct InBody {
  struct Responder {
    Exchange exchange;
    void request() {}
    void body(std::string_view piece) {
      told->body += piece;
      CHECK(upgrade(exchange) == (told->body.size() == 5));
    }
    void body_end() { told->story.emplace_back("body end"); }
    void closing(bool complete) { told->story.emplace_back(complete ? "over" : "cut"); }
  };
};

/// Responds when the test says so.
struct Later {
  static void request(Exchange exchange) { told->handle = exchange.handle(); }
};

constexpr std::string_view head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines/1\r\nConnection: Upgrade\r\n\r\n";

std::string wish(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: h\r\nUpgrade: lines/1\r\nConnection: Upgrade\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}
std::string with_length() { return wish("Content-Length: 5\r\n", "hello"); }
std::string in_chunks() { return wish("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"); }

struct UpgradeBench : H1Bench {
  explicit UpgradeBench(const Protocol& row) {
    told = &heard;
    protocol.row = row;
    protocol.http = *row.http;
    protocol.limits.pipe_idle = base::Time{1000};
    handler.answer = [this](session::Exchange& exchange) { session::RowExchange::serve(exchange, protocol, {}); };
    mailbox.open([] {});
  }
  ~UpgradeBench() {
    link.abort();
    link.run();
    told = nullptr;
  }
  UpgradeBench(const UpgradeBench&) = delete;
  UpgradeBench& operator=(const UpgradeBench&) = delete;

  /// Row Later's exchange leaves HTTP; the link has not had its turn since.
  void leave() {
    CHECK(heard.handle->post([](Exchange exchange) { CHECK(upgrade(exchange)); }));
    mailbox.run();
  }

  Told heard;
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  session::Home home{log, handles, [this] { return now; }};
  session::Protocol protocol{session::service_table(), home};
};

/// The request and bytes for the pipe, in two pieces cut anywhere; then the pipe's ticks, more bytes, and its end.
void leaves_at_every_cut(const Protocol& row, const std::string& request, std::string_view body, const Story& story) {
  const std::string bytes = request + "frames";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    CAPTURE(cut);
    UpgradeBench bench(row);
    bench.link.receive(bytes.substr(0, cut));
    bench.link.receive(bytes.substr(cut));
    CHECK(bench.link.take() == std::string(head) + "frames");
    CHECK(bench.heard.body == body);
    CHECK(bench.heard.piped == "frames");
    CHECK(bench.heard.story == story);
    bench.heard.story.clear();
    bench.advance(50);
    bench.advance(50);
    CHECK(bench.heard.story == Story{"tick", "tick"});
    bench.link.receive("more");
    CHECK(bench.link.take() == "more");
    CHECK(bench.log_lines.empty());
    bench.link.receive_end();
    CHECK(bench.link.closed());
    CHECK(bench.heard.story == Story{"tick", "tick", "closing"});
  }
}

/// Nothing for the pipe: it ticks, and is closed when it was idle for too long, by its own limit.
void is_idle_for_so_long(const Protocol& row, const std::string& request) {
  UpgradeBench bench(row);
  bench.link.receive(request);
  CHECK(bench.link.take() == head);
  CHECK(bench.link.reading());
  CHECK(bench.link.due() == bench.now + base::Time{50});
  bench.heard.story.clear();
  bench.advance(950);
  bench.advance(49);
  CHECK(bench.heard.story == Story{"tick"});
  CHECK_FALSE(bench.link.closed());
  bench.advance(1);
  CHECK(bench.link.closed());
  CHECK(bench.heard.story == Story{"tick", "closing"});
  REQUIRE(bench.log_lines.size() == 1);
  CHECK(bench.log_lines[0].find("idle for 1000 ms") != std::string::npos);
}

}  // namespace

TEST_CASE("h1 upgrades: within request() of a row that waited for a body") {
  const Protocol row = protocol<Whole>("whole");
  for (const std::string& request : {with_length(), in_chunks()}) {
    leaves_at_every_cut(row, request, "hello", {"request"});
    is_idle_for_so_long(row, request);
  }
}

TEST_CASE("h1 upgrades: within body_end(), which is called once") {
  const Protocol row = protocol<AtBodyEnd>("at-body-end");
  for (const std::string& request : {with_length(), in_chunks()}) {
    leaves_at_every_cut(row, request, "hello", {"body end", "over"});
    is_idle_for_so_long(row, request);
  }
}

TEST_CASE("h1 upgrades: within the last body(), behind which no body_end() comes") {
  const Protocol row = protocol<InBody>("in-body");
  leaves_at_every_cut(row, with_length(), "hello", {"over"});
  is_idle_for_so_long(row, with_length());
}

TEST_CASE("h1 upgrades: within body_end() of a request without a body") {
  const Protocol row = protocol<AtBodyEnd>("at-body-end");
  leaves_at_every_cut(row, wish("", ""), "", {"body end", "over"});
  is_idle_for_so_long(row, wish("", ""));
}

TEST_CASE("h1 upgrades: a body in three reads, and bytes for the pipe in the last of them") {
  UpgradeBench bench(protocol<InBody>("in-body"));
  bench.link.receive(wish("Content-Length: 5\r\n", "h"));
  bench.link.receive("ell");
  CHECK(bench.link.take().empty());
  bench.link.receive("oframes");
  CHECK(bench.link.take() == std::string(head) + "frames");
  CHECK(bench.heard.story == Story{"over"});
}

TEST_CASE("h1 upgrades: a stop between a posted upgrade and its turn reaches the pipe") {
  UpgradeBench bench(protocol<Later>("later"));
  bench.link.receive(wish("", ""));
  bench.leave();
  bench.link.server_stops();
  bench.link.run();
  CHECK(bench.link.take() == head);
  CHECK(bench.link.closed());
  CHECK_FALSE(bench.link.was_aborted());
  CHECK(bench.heard.story == Story{"closing"});
}

TEST_CASE("h1 upgrades: a pipe that begins after the stop was cut at the end of the grace") {
  UpgradeBench bench(protocol<Later>("later"));
  bench.link.receive(wish("", ""));
  bench.link.server_stops();
  CHECK_FALSE(bench.link.closed());
  bench.leave();
  bench.link.run();
  CHECK(bench.link.take() == head);
  CHECK(bench.link.closed());
  CHECK_FALSE(bench.link.was_aborted());
  CHECK(bench.heard.story == Story{"closing"});
}

TEST_CASE("h1 upgrades: so does the moment of its tick") {
  UpgradeBench bench(protocol<Later>("later"));
  bench.link.receive(wish("", ""));
  bench.leave();
  bench.advance(50);  // the pipe's tick is due
  CHECK(bench.heard.story == Story{"tick"});
  bench.advance(50);
  CHECK(bench.heard.story == Story{"tick", "tick"});
  bench.link.receive("frames");
  CHECK(bench.link.take() == std::string(head) + "frames");
}

TEST_CASE("h1 upgrades: posted, with bytes for the pipe that had come before") {
  UpgradeBench bench(protocol<Later>("later"));
  bench.link.receive(wish("Content-Length: 5\r\n", "he"));
  CHECK_FALSE(bench.heard.handle);
  bench.link.receive("llofra");
  REQUIRE(bench.heard.handle);
  bench.link.receive("mes");
  bench.leave();
  bench.link.run();
  CHECK(bench.link.take() == std::string(head) + "frames");
  CHECK(bench.heard.piped == "frames");
  CHECK(bench.log_lines.empty());
}
