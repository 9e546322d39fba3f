#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "session/failing_allocator.h"
#include "session/site.h"

// The beginning of a connection with the n-th allocation failing, for every n until a run needs no more: a PROXY header, and what tells
// HTTP and raw protocols apart. tls_memory_short_test.cpp has TLS behind them.

namespace wharf::test {
namespace {

/// As in C, no exception passes through it.
struct Same {
  Pipe pipe;
  void data(std::string_view bytes) noexcept { pipe.write(bytes); }
};

/// Parts of what a client sends; each arrives in a turn of its own. If no allocation fails, the server sends `expected` somewhere.
struct Course {
  const char* name;
  Door door;
  std::vector<std::string> script;
  std::string expected;
};

Door with_headers(const std::string& network) {
  Door door;
  door.proxy_header_from = {network};
  door.raw = "same";
  door.raw_use = RawUse::fallback;
  return door;
}

std::vector<Course> courses() {
  const Door balanced = with_headers("192.0.2.0/24");
  const Door strange = with_headers("198.51.100.0/24");
  Door fallback = balanced;
  fallback.proxy_header_from.clear();
  const std::string line = "PROXY TCP4 203.0.113.9 198.51.100.7 4711 443\r\n";
  const std::string by_tls(
      "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x23\xcb\0\x71\x09\xc6\x33\x64\x07\x12\x67\x01\xbb\x20\0\5\1\0\0\0\0\2\0\6a.test\xea\0\3vpc",
      51);
  const std::string get = "GET /small HTTP/1.1\r\nHost: a\r\n\r\n";
  return {
      {"version 1 in pieces", balanced, {line.substr(0, 7), line.substr(7, 20), line.substr(27) + get}, "small"},
      {"version 2 in pieces", balanced, {by_tls.substr(0, 14), by_tls.substr(14), get.substr(0, 2), get.substr(2)}, "small"},
      {"a header and a raw protocol", balanced, {by_tls + "hel", "lo"}, "hello"},
      {"no header", balanced, {get}, ""},
      {"a stranger with a header", strange, {line.substr(0, 3), line.substr(3)}, "400"},
      {"a stranger", strange, {get.substr(0, 1), get.substr(1)}, "small"},
      {"HTTP in pieces", fallback, {get.substr(0, 3), get.substr(3)}, "small"},
      {"raw in pieces", fallback, {"P", "OS", "sible"}, "POSsible"},
  };
}

/// Returns what the server sent, and whether an allocation failed.
std::pair<std::string, bool> play(MemorySite& site, const std::vector<std::string>& script, std::size_t nth) {
  Shortage shortage(nth);
  std::unique_ptr<MemoryWire> wire;
  shortage([&] {
    try {
      wire = site.connect();
    } catch (const std::bad_alloc&) {  // there is no link
    }
  });
  if (wire == nullptr) return {{}, true};
  for (const std::string& part : script) {
    wire->link().arrive(part);
    shortage([&] { wire->link().run(); });
  }
  wire->link().arrive_end();
  for (int i = 0; i < 2; ++i) shortage([&] { wire->link().run(); });  // the end, and what follows from it
  CHECK(wire->link().closed());
  return {wire->link().take(), shortage.came()};
}

}  // namespace

TEST_CASE("memory short: whichever allocation of a connection's beginning fails costs that one, and others are served") {
  more_rows() = {protocol<Same>("same")};
  for (const Course& course : courses()) {
    CAPTURE(std::string(course.name));
    MemorySite site(course.door);
    CHECK(play(site, course.script, 0).first.find(course.expected) != std::string::npos);
    std::size_t nth = 1;
    for (bool failed = true; failed; ++nth) {
      CAPTURE(nth);
      REQUIRE(nth < 10'000);
      failed = play(site, course.script, nth).second;
      CHECK(play(site, course.script, 0).first.find(course.expected) != std::string::npos);
    }
    MESSAGE(std::string(course.name) << ": " << nth - 1 << " allocations");
  }
  more_rows().clear();
}

}  // namespace wharf::test
