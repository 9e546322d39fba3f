#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "unit/http/h1_bench.h"
#include "unit/link/scripted.h"
#include "unit/protocol/ws_bench.h"

// How much of a peer's input is kept while nobody takes it.

namespace {

using namespace wharf;
using namespace wharf::test;

constexpr std::size_t kilobyte = 1024;

/// Takes the body and never responds.
struct Silent final : session::Responder {
  explicit Silent(std::size_t& of_test) : size(of_test) {}
  void body(std::string_view piece) override { size += piece.size(); }
  std::size_t& size;
};

struct SilentBench : H1Bench {
  SilentBench() {
    handler.answer = [this](session::Exchange& exchange) {
      exchange.set_responder(std::make_unique<Silent>(body_size));
      exchange.read_body();
    };
  }
  /// How much of `bytes` is with the link, or was used, after all turns.
  std::size_t taken(const std::string& bytes) {
    link.receive(bytes);
    CHECK_FALSE(link.reading());
    return bytes.size() - link.unread();
  }
  std::size_t body_size = 0;
};

}  // namespace

TEST_CASE("kept input: behind a request that waits, a whole receive buffer was kept") {
  SilentBench bench;
  const std::string request = get("/");
  CHECK(bench.taken(request + std::string(1000 * kilobyte, 'x')) <= request.size() + 16 * kilobyte);
}

TEST_CASE("kept input: behind a body with a length that was read with large reads") {
  SilentBench bench;
  const std::string body(1000 * kilobyte, 'b');
  const std::string request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  CHECK(bench.taken(request + std::string(1000 * kilobyte, 'x')) <= request.size() + 16 * kilobyte);
  CHECK(bench.body_size == body.size());
}

TEST_CASE("kept input: behind a body in chunks") {
  SilentBench bench;
  std::string request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 500; ++i) request += "400\r\n" + std::string(kilobyte, 'b') + "\r\n";
  request += "0\r\n\r\n";
  CHECK(bench.taken(request + std::string(1000 * kilobyte, 'x')) <= request.size() + 64 * kilobyte);
  CHECK(bench.body_size == 500 * kilobyte);
}

TEST_CASE("kept input: of a WebSocket whose row pauses it") {
  WsBench bench;
  bench.connect();
  bench.story.on_message = [](wharf_peer* peer) { peer->services->pause(peer); };
  session::MemoryLink& link = *bench.clients[0].link;
  const std::string flood = text("x") + binary(std::string(1000 * kilobyte, 'x'));
  link.receive(flood);
  CHECK(flood.size() - link.unread() <= session::Link::usual_read);
}

TEST_CASE(
    "kept input: as much is read at a time as can be used: a body with a request behind it, 64 KiB in chunks, 128 behind a "
    "switch") {
  const std::string large(300 * kilobyte, 'b');
  SilentBench known;
  const std::string body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(large.size()) + "\r\n\r\n";
  known.link.receive(body);
  known.link.arrive(large + get("/"));
  known.link.run_one_turn();
  CHECK(known.link.unread() == 0);

  SilentBench in_chunks;
  in_chunks.link.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4b000\r\n");
  in_chunks.link.arrive(large);
  in_chunks.link.run_one_turn();
  CHECK(in_chunks.body_size == 64 * kilobyte);

  test::Story story;
  H1Bench switched;
  switched.handler.answer = [&story](session::Exchange& exchange) {
    exchange.switch_to("x", {}, [&story](session::Link& link) { return std::make_unique<Scripted>(link, story, "next"); });
  };
  switched.link.receive(get("/"));
  switched.link.arrive(large);
  switched.link.run_one_turn();
  CHECK(large.size() - switched.link.unread() == session::Link::usual_read);
}
