#include "base/log.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace wharf::base;

struct Lines {
  std::vector<std::string> all;
  Log::Sink sink() {
    return [this](LogLevel level, std::string_view text) { all.push_back(concat(name_of(level), ": ", text)); };
  }
};

void write_each_level(Log& log) {
  log.error("e");
  log.warn("w");
  log.info("i");
  log.debug("d");
}

}  // namespace

TEST_CASE("log: a level includes those before it") {
  const std::vector<std::string> all{"error: e", "warn: w", "info: i", "debug: d"};
  for (const auto& [level, count] : {std::pair{LogLevel::quiet, 0}, std::pair{LogLevel::error, 1}, std::pair{LogLevel::warn, 2},
                                     std::pair{LogLevel::info, 3}, std::pair{LogLevel::debug, 4}}) {
    Lines lines;
    Log log(level, lines.sink());
    write_each_level(log);
    CHECK(lines.all == std::vector<std::string>(all.begin(), all.begin() + count));
    CHECK_FALSE(log.enabled(LogLevel::quiet));
    CHECK(log.enabled(LogLevel::info) == (count >= 3));
  }
}

TEST_CASE("log: nothing can be written at the level quiet") {
  Lines lines;
  Log log(LogLevel::debug, lines.sink());
  log.write(LogLevel::quiet, "never");
  CHECK(lines.all.empty());
}

TEST_CASE("log: parts are texts and whole numbers of every size") {
  CHECK(concat() == "");
  CHECK(concat("a", std::string("b"), std::string_view("c"), 1, std::uint8_t{255}, -7L) == "abc1255-7");
  CHECK(concat(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(concat(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
}

TEST_CASE("log: what a peer sent can not forge a line or move the cursor") {
  CHECK(printable("plain text") == "plain text");
  CHECK(printable("gr\xC3\xBC\xC3\x9F") == "gr\xC3\xBC\xC3\x9F");
  CHECK(printable(std::string_view("a\r\nb\x1B[2J\x7F\0", 10)) == "a\\x0d\\x0ab\\x1b[2J\\x7f\\x00");
}

TEST_CASE("log: a text is cut where it gets too long, and says so") {
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable("abcd", 3) == "abc...");
  CHECK(printable("\n\n", 1) == "\\x0a...");
  CHECK(printable(std::string(500, 'x')).size() == 123);
}

TEST_CASE("log: controls of the C1 set and what is not UTF-8 are shown as bytes") {
  CHECK(printable("a\xC2\x9B"
                  "31m\xC2\x80\xC2\x9F") == "a\\xc2\\x9b31m\\xc2\\x80\\xc2\\x9f");
  CHECK(printable("\xC2\xA0\xC3\xBF") == "\xC2\xA0\xC3\xBF");  // the first and last behind them
  CHECK(printable("a\x85next\x9B\xFF\xFE") == "a\\x85next\\x9b\\xff\\xfe");
  CHECK(printable("\xC0\xAF \xE0\x80\xAF \xF0\x80\x80\xAF") == "\\xc0\\xaf \\xe0\\x80\\xaf \\xf0\\x80\\x80\\xaf");  // too long
  CHECK(printable("\xED\xA0\x80 \xF4\x90\x80\x80") == "\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80");  // no code points
  CHECK(printable("\xE2\x82!") == "\\xe2\\x82!");
  CHECK(printable("\xF0\x9F\x98") == "\\xf0\\x9f\\x98");
  const std::string edges = "\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF";
  CHECK(printable(edges) == edges);
}

TEST_CASE("log: a text is cut at the end of a code point") {
  const std::string text =
      "a\xE2\x82\xAC"
      "b";
  CHECK(printable(text, 1) == "a...");
  for (std::size_t most = 2; most <= 4; ++most) CHECK(printable(text, most) == "a\xE2\x82\xAC...");
  CHECK(printable(text, 5) == text);
}

TEST_CASE("log: what a sink throws goes no further, and the next line comes") {
  std::vector<std::string> lines;
  Log log(LogLevel::info, [&lines](LogLevel, std::string_view text) {
    lines.emplace_back(text);
    if (lines.size() == 1) throw std::runtime_error("the disk is full");
    if (lines.size() == 2) throw 2;
  });
  CHECK_NOTHROW(log.error("first"));
  CHECK_NOTHROW(log.error("second"));
  CHECK_NOTHROW(log.error("third"));
  CHECK(lines == std::vector<std::string>{"first", "second", "third"});
}

TEST_CASE("log: the sink is called by one thread at a time") {
  std::atomic<int> inside{0};
  int lines = 0;
  Log log(LogLevel::info, [&](LogLevel, std::string_view) {
    if (inside.fetch_add(1) != 0) lines = -1'000'000;
    ++lines;
    inside.fetch_sub(1);
  });
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([&log] {
      for (int count = 0; count < 500; ++count) log.info("line ", count);
    });
  for (std::thread& writer : writers) writer.join();
  CHECK(lines == 2000);
}
