#include "http/detect.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "codec/opening.h"
#include "unit/http/opening_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;

/// What is behind Detect writes down what it gets.
struct DetectBench : OpeningBench {
  explicit DetectBench(std::string_view kinds) {
    if (kinds.find('t') != std::string_view::npos) parts.tls = maker("tls");
    if (kinds.find('2') != std::string_view::npos) parts.http2 = maker("http2");
    if (kinds.find('r') != std::string_view::npos) parts.raw = maker("raw");
    link.open(std::make_unique<session::Detect>(link, parts));
  }
  session::DetectParts parts{log, base::Time{5'000}, maker("http")};
};

struct Case {
  std::string_view kinds;
  std::string bytes;
  std::string_view session;
};

const std::vector<Case> cases{
    {"t", "\x16\x03\x01\x02\x03", "tls"},
    {"t", "GET / HTTP/1.1\r\n\r\n", "http"},
    {"t", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http"},
    {"t", "\x16\x02\x01\x02\x03", "http"},
    {"t", std::string("\0\1\2", 3), "http"},
    {"t2r", "\x16\x03\x01\x02\x03", "tls"},
    {"t2r", "GET / HTTP/1.1\r\n\r\n", "http"},
    {"t2r", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxx", "http2"},
    {"t2r", "hello\r\n", "raw"},
    {"r", "\x16\x03\x01\x02\x03", "raw"},
    {"r", "GET / HTTP/1.1\r\n\r\n", "http"},
    {"r", "GET /" + std::string(codec::longest_opening, 'a'), "http"},
    {"2", "GET / HTTP/1.1\r\n\r\n", "http"},
};

}  // namespace

TEST_CASE("detect: the session behind it gets every byte once, wherever they are cut") {
  for (const Case& each : cases) {
    for (std::size_t cut = 1; cut <= std::min<std::size_t>(each.bytes.size(), 64); ++cut) {
      CAPTURE(each.bytes);
      CAPTURE(cut);
      DetectBench bench(each.kinds);
      bench.link.receive(each.bytes.substr(0, cut));
      bench.link.receive(each.bytes.substr(cut));
      CHECK(bench.begun == std::vector<std::string>{std::string(each.session)});
      CHECK(bench.got == each.bytes);
      CHECK(bench.log_lines.empty());
    }
    DetectBench bench(each.kinds);
    for (const char byte : each.bytes) bench.link.receive({&byte, 1});
    CHECK(bench.begun == std::vector<std::string>{std::string(each.session)});
    CHECK(bench.got == each.bytes);
  }
}

TEST_CASE("detect: one that ends in the middle goes with what came to the session that it looks like") {
  for (const Case& each :
       std::vector<Case>{{"t", "\x16", "tls"}, {"t2r", "\x16", "tls"}, {"2", "PRI *", "http"}, {"r", "GET", "raw"}}) {
    CAPTURE(each.kinds);
    DetectBench bench(each.kinds);
    bench.link.receive(each.bytes);
    CHECK(bench.begun.empty());
    bench.link.receive_end();
    bench.link.run();
    CHECK(bench.begun == std::vector<std::string>{std::string(each.session)});
    CHECK(bench.got == each.bytes);
    CHECK(bench.ends == 1);
  }
  DetectBench silent("t");
  silent.link.receive_end();
  CHECK(silent.link.closed());
  CHECK(silent.begun.empty());
}

TEST_CASE("detect: a client that says nothing, or too little, is closed when its time is over, with a line") {
  DetectBench silent("t");
  silent.advance(4'999);
  CHECK_FALSE(silent.link.closed());
  silent.advance(1);
  CHECK(silent.link.closed());
  CHECK(silent.log_lines == std::vector<std::string>{"192.0.2.1:4711: closed, nothing came"});
  DetectBench slow("t");
  slow.link.receive("\x16");
  slow.advance(5'000);
  CHECK(slow.link.closed());
  CHECK(slow.log_lines == std::vector<std::string>{"192.0.2.1:4711: closed, too little came to know what it speaks"});
}

TEST_CASE("detect: a client that waits for the server to speak first gets the raw session, with what little came") {
  DetectBench silent("tr");
  silent.advance(4'999);
  CHECK(silent.begun.empty());
  silent.advance(1);
  CHECK(silent.begun == std::vector<std::string>{"raw"});
  DetectBench slow("r");
  for (int i = 0; i < 5; ++i) {
    slow.link.receive("a");
    slow.advance(1'000);
  }
  CHECK(slow.begun == std::vector<std::string>{"raw"});
  CHECK(slow.got == "aaaaa");
  DetectBench ends("tr");
  ends.link.receive_end();
  ends.link.run();
  CHECK(ends.begun == std::vector<std::string>{"raw"});
  CHECK(ends.ends == 1);
}

TEST_CASE("detect: bytes that come as its time is over count") {
  DetectBench bench("t");
  bench.link.arrive("GET / HTTP/1.1\r\n\r\n");
  bench.advance(5'000);
  CHECK(bench.begun == std::vector<std::string>{"http"});
}

TEST_CASE("detect: a stop ends it") {
  DetectBench bench("r");
  bench.link.receive("a");
  bench.link.server_stops();
  CHECK(bench.link.closed());
}
