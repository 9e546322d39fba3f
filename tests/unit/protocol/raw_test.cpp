#include "protocol/raw.h"

#include <doctest/doctest.h>

#include <memory>
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
using Story = std::vector<std::string>;

/// Speaks lines, which say what it has to do.
struct Lines {
  Pipe pipe;
  Story* story;
  void data(std::string_view bytes) {
    story->push_back("data " + std::string(bytes));
    if (bytes == "close") pipe.close();
    else if (bytes == "end") pipe.end();
    else if (bytes == "throw") throw 1;
    else if (bytes == "pause") pipe.pause();
    else if (bytes == "tick") pipe.every(std::chrono::milliseconds(50));
    else if (bytes == "cork") pipe.cork();
    else if (bytes.starts_with("flood "))
      for (int i = std::stoi(std::string(bytes.substr(6))); i > 0; --i) pipe.write(std::string(10'000, 'x'));
    else if (bytes == "handle") handle.emplace(pipe.handle<Lines>()), untyped.emplace(pipe.handle());
    else pipe.write(bytes);
  }
  static inline std::optional<PipeHandle<Lines>> handle;
  static inline std::optional<PipeHandle<>> untyped;
  void ended() { story->emplace_back("ended"); }
  void drained() { story->emplace_back("drained"); }
  void tick() { story->emplace_back("tick"); }
  void closing() { story->emplace_back("closing"); }
};

struct Upgrader {
  static inline Story* story = nullptr;
  static void request(Exchange exchange) {
    exchange.add_field("X-A", "b");
    if (!exchange.upgrade<Lines>("lines/1", story)) exchange.respond(426);
  }
};

/// Upgrades to a given protocol, as a plugin in C might.
struct CUpgrader {
  static inline const wharf_raw* raw = nullptr;
  static int request(void* /*state*/, void* /*shared*/, wharf_exchange* exchange) {
    const wharf_http_services& http = *exchange->services->http;
    if (http.upgrade(exchange, "lines/1", raw, nullptr) != 0) http.respond(exchange, 426, nullptr, 0);
    return 0;
  }
};

constexpr std::string_view wish = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: other, lines/1\r\nConnection: keep-alive, Upgrade\r\n\r\n";

struct RawBench : H1Bench {
  explicit RawBench(const session::OutputLimits& output = {}) : H1Bench({}, output) {
    Upgrader::story = &story;
    protocol.row = row;
    protocol.http = *row.http;
    handler.answer = [this](session::Exchange& exchange) { session::RowExchange::serve(exchange, protocol, {}); };
  }
  ~RawBench() {
    link.abort();
    link.run();
  }
  RawBench(const RawBench&) = delete;
  RawBench& operator=(const RawBench&) = delete;

  void upgrade() {
    link.receive(wish);
    link.take();
  }

  Story story;
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  session::Home home{log, handles, [this] { return now; }};
  Protocol row = wharf::protocol<Upgrader>("upgrader");
  session::Protocol protocol{session::service_table(), home};
};

}  // namespace

TEST_CASE("raw: 101, and bytes that came together with the request, at every split (RFC 9110 section 7.8)") {
  const std::string bytes = std::string(wish) + "hello";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    RawBench bench;
    bench.link.receive(bytes.substr(0, cut));
    bench.link.receive(bytes.substr(cut));
    const std::string sent = bench.link.take();
    CHECK(sent.starts_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines/1\r\nConnection: Upgrade\r\nX-A: b\r\n\r\n"));
    CHECK(sent.ends_with("\r\n\r\nhello"));
  }
}

TEST_CASE("raw: a request that does not ask for it is not upgraded") {
  for (const std::string_view request :
       {"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: lines/1\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: lines/2\r\nConnection: Upgrade\r\n\r\n",
        "GET / HTTP/1.0\r\nUpgrade: lines/1\r\nConnection: Upgrade\r\n\r\n"}) {
    RawBench bench;
    bench.link.receive(request);
    CHECK(bench.link.take().starts_with("HTTP/1.1 426 "));
    CHECK(bench.story.empty());
  }
}

TEST_CASE("raw: half-closed by either side, the other direction goes on") {
  RawBench bench;
  bench.upgrade();
  bench.link.receive_end();
  CHECK(bench.story == Story{"ended"});
  CHECK_FALSE(bench.link.closed());

  RawBench ours;
  ours.upgrade();
  ours.link.receive("end");
  CHECK(ours.link.output_is_over());
  ours.link.receive("more");
  CHECK(ours.story == Story{"data end", "data more"});
  CHECK(ours.link.take().empty());  // nothing is written any more
  ours.link.receive_end();
  CHECK(ours.link.closed());
  CHECK(ours.story.back() == "closing");
}

TEST_CASE("raw: closed by its own callback, cut by an exception") {
  RawBench closed;
  closed.upgrade();
  closed.link.receive("close");
  CHECK(closed.link.closed());
  CHECK(closed.story == Story{"data close", "closing"});
  RawBench cut;
  cut.upgrade();
  cut.link.receive("throw");
  CHECK(cut.link.was_aborted());
  CHECK(cut.log_lines.size() == 1);
}

TEST_CASE("raw: under a cork, output waits") {
  RawBench bench;
  bench.upgrade();
  bench.link.receive("cork");
  bench.link.receive("a");
  bench.link.receive("b");
  CHECK(bench.link.take().empty());
  bench.link.uncork();
  bench.link.run();
  CHECK(bench.link.take() == "ab");
}

TEST_CASE("raw: a peer that does not read is not read from, and drained follows") {
  RawBench bench({10, 20, 1000});
  bench.upgrade();
  bench.link.set_window(0);
  bench.link.receive(std::string(30, 'x'));
  CHECK_FALSE(bench.link.reading());
  bench.link.receive("more");
  CHECK(bench.story.size() == 1);
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  CHECK(bench.story == Story{"data " + std::string(30, 'x'), "drained", "data more"});
}

TEST_CASE("raw: a pipe is cut if more than the hard cap was queued already, not for the length of the last write") {
  for (const std::size_t writes : {1U, 2U}) {
    RawBench bench({1'000, 2'000, 9'999});
    bench.upgrade();
    bench.link.set_window(0);
    bench.link.receive("flood " + std::to_string(writes));
    CHECK(bench.link.was_aborted() == (writes == 2));
    REQUIRE(bench.log_lines.size() == writes - 1);
    if (writes == 2) CHECK(bench.log_lines[0].find("cut, 10000 bytes were queued on a pipe already") != std::string::npos);
  }
}

TEST_CASE("raw: the size of a wharf_raw was not checked, and the bytes behind it were taken for callbacks") {
  RawBench bench;
  bench.protocol.http = {};
  bench.protocol.http.size = sizeof(wharf_http_row);
  bench.protocol.http.request = CUpgrader::request;
  const std::string start = "upgrader: upgrade: a wharf_raw of ";
  const std::string advice = " bytes; set its size to sizeof(wharf_raw)";
  wharf_raw raw{};
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, sizeof(wharf_raw) - 1}) {
    raw.size = size;
    CUpgrader::raw = &raw;
    bench.link.receive(wish);
    CHECK(bench.link.take().starts_with("HTTP/1.1 426 "));
    CHECK(bench.log_lines.back() == start + std::to_string(size) + advice);
  }
  CUpgrader::raw = nullptr;
  bench.link.receive(wish);
  CHECK(bench.link.take().starts_with("HTTP/1.1 426 "));
  CHECK(bench.log_lines.back() == start + "0" + advice);
  raw.size = sizeof(wharf_raw) + 100;  // of a newer header
  CUpgrader::raw = &raw;
  bench.link.receive(wish);
  CHECK(bench.link.take().starts_with("HTTP/1.1 101 "));
  CHECK(bench.log_lines.size() == 4);
}

TEST_CASE("raw: ticks, a pause, and the limit of idleness") {
  RawBench bench;
  bench.upgrade();
  bench.link.receive("tick");
  bench.advance(50);
  bench.advance(50);
  CHECK(bench.story == Story{"data tick", "tick", "tick"});
  bench.link.receive("pause");
  bench.link.receive("x");
  CHECK(bench.story.back() == "data pause");

  RawBench idle;
  idle.protocol.limits.pipe_idle = base::Time{1000};
  idle.upgrade();
  idle.advance(999);
  idle.link.receive("x");
  idle.advance(999);
  CHECK_FALSE(idle.link.closed());
  idle.advance(1);
  CHECK(idle.link.closed());
}

TEST_CASE("raw: tasks posted to a pipe run on its loop with its state, and not after its end") {
  RawBench bench;
  bench.mailbox.open([] {});
  bench.upgrade();
  bench.link.receive("handle");
  int runs = 0;
  const auto counted = std::make_shared<int>(0);  // tasks that did not run are destroyed all the same
  CHECK(Lines::handle->post([&runs, counted](Lines& lines) { lines.pipe.write(std::to_string(++runs)); }));
  CHECK(Lines::untyped->post([&runs, counted](Pipe pipe) { pipe.write(std::to_string(++runs)); }));
  CHECK(runs == 0);
  bench.mailbox.run();
  bench.link.run();
  CHECK(bench.link.take() == "12");
  CHECK(Lines::handle->post([](Lines&) { throw 1; }));
  CHECK(Lines::untyped->post([&runs, counted](Pipe) { ++runs; }));
  bench.mailbox.run();
  bench.link.run();
  CHECK(bench.link.was_aborted());
  CHECK(bench.log_lines.size() == 1);
  CHECK(Lines::handle->post([&runs, counted](Lines&) { ++runs; }));
  bench.mailbox.run();
  CHECK(runs == 3);  // the second task came before the cut
  CHECK(counted.use_count() == 1);
}
