#include "base/log.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
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

TEST_CASE("log: a peer's text cannot forge a line or move the cursor") {
  CHECK(printable("plain text") == "plain text");
  CHECK(printable("gr\xC3\xBC\xC3\x9F") == "gr\xC3\xBC\xC3\x9F");
  CHECK(printable(std::string_view("a\r\nb\x1B[2J\x7F\0", 10)) == "a\\x0d\\x0ab\\x1b[2J\\x7f\\x00");
}

TEST_CASE("log: a text that is too long is cut, and says so") {
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable("abcd", 3) == "abc...");
  CHECK(printable("\n\n", 1) == "\\x0a...");
  CHECK(printable(std::string(500, 'x')).size() == 123);
}

TEST_CASE("log: controls of the C1 set and bytes that are not UTF-8 are shown as bytes") {
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

TEST_CASE("log: an exception of a sink goes no further, and the next line comes") {
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
  Log log(LogLevel::info,
          [&](LogLevel, std::string_view) {
            if (inside.fetch_add(1) != 0) lines = -1'000'000;
            ++lines;
            inside.fetch_sub(1);
          },
          {.peers = 0, .program = 0, .now = {}});
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i)
    writers.emplace_back([&log] {
      for (int count = 0; count < 500; ++count) log.info("line ", count);
    });
  for (std::thread& writer : writers) writer.join();
  CHECK(lines == 2000);
}

// ---- Lines that cannot be forged ----

TEST_CASE("log: no part of a line, whoever wrote it, can make a second line") {
  Lines lines;
  Log log(LogLevel::info, lines.sink());
  log.info("from unix:@", "x\ninfo: forged", ": cut");
  log.info("\x1B[2J\x9B\r\xE2\x80\xA8next\xE2\x80\xA9");
  CHECK(lines.all == std::vector<std::string>{"info: from unix:@x\\x0ainfo: forged: cut",
                                              "info: \\x1b[2J\\x9b\\x0d\\xe2\\x80\\xa8next\\xe2\\x80\\xa9"});
}

TEST_CASE("log: a text that was made printable before is not changed again") {
  Lines lines;
  Log log(LogLevel::info, lines.sink());
  log.info(printable("a\nb\xFF"), " ", printable("\\x0a"));
  CHECK(lines.all == std::vector<std::string>{"info: a\\x0ab\\xff \\x0a"});
}

TEST_CASE("log: a line that is too long to pass a pipe undivided is cut") {
  Lines lines;
  Log log(LogLevel::info, lines.sink());
  log.info(std::string(Log::longest_line, 'x'));
  log.info(std::string(Log::longest_line + 1, 'x'));
  log.info(std::string(100'000, '\n'));
  REQUIRE(lines.all.size() == 3);
  CHECK(lines.all[0] == "info: " + std::string(Log::longest_line, 'x'));
  CHECK(lines.all[1] == "info: " + std::string(Log::longest_line, 'x') + "...");
  CHECK(lines.all[2].size() == 6 + Log::longest_line + 3);
}

TEST_CASE("log: code points that reverse text or end a line are shown as bytes, and their neighbours as they are") {
  for (const std::string bad : {"\u2028", "\u2029", "\u202A", "\u202E", "\u2066", "\u2069", "\u200E", "\u200F", "\u061C"})
    CHECK(printable(bad).starts_with("\\x"));
  for (const std::string good :
       {"\u2027", "\u202F", "\u2065", "\u206A", "\u200D", "\u2010", "\u061B", "\u061D", "\u20AC", "\u2128", "\u2926"})
    CHECK(printable(good) == good);
}

// ---- Sinks ----

TEST_CASE("log: a sink that logs is no deadlock, and its lines come once") {
  std::vector<std::string> lines;
  Log* own = nullptr;
  Log log(LogLevel::info, [&](LogLevel, std::string_view text) {
    lines.emplace_back(text);
    own->info("about ", text);
  });
  own = &log;
  log.info("a");
  log.info("b");
  CHECK(lines == std::vector<std::string>{"a", "about a", "log: its sink writes lines about its own lines; some of those are lost",
                                          "b", "about b"});
}

TEST_CASE("log: a sink that waits for a thread which logs is no deadlock") {
  std::vector<std::string> lines;
  Log* own = nullptr;
  Log log(LogLevel::info, [&](LogLevel, std::string_view text) {
    lines.emplace_back(text);
    if (text == "first") std::thread([own] { own->info("from the other thread"); }).join();
  });
  own = &log;
  log.info("first");
  CHECK(lines == std::vector<std::string>{"first", "from the other thread"});
}

TEST_CASE("log: a lock of the program's own around a line and within the sink is no deadlock") {
  std::mutex mutex;
  std::atomic<int> lines{0};
  Log log(LogLevel::info,
          [&](LogLevel, std::string_view) {
            const std::lock_guard lock(mutex);
            ++lines;
          },
          {.peers = 0, .program = 0, .now = {}});
  std::atomic<bool> over{false};
  std::thread other([&] {
    while (!over) log.info("without the lock");
  });
  int inner = 0;
  for (int i = 0; i < 1000; ++i) {
    std::unique_lock lock(mutex, std::try_to_lock);
    if (!lock) continue;
    std::thread([&] { ++inner; }).join();
    lock.unlock();
    log.info("after it");
  }
  over = true;
  other.join();
  CHECK(lines > 0);
}

TEST_CASE("log: lines that find no room behind a slow sink are counted, and their number is said") {
  std::vector<std::string> lines;
  Log* own = nullptr;
  const std::string line(Log::longest_line, 'x');
  Log log(LogLevel::info, [&](LogLevel, std::string_view text) {
    lines.emplace_back(text);
    if (lines.size() != 1) return;
    std::thread([&] {
      for (std::size_t i = 0; i < Log::most_waiting / Log::longest_line + 5; ++i) own->info(line);
    }).join();
  });
  own = &log;
  log.info("first");
  REQUIRE(lines.size() == 1 + Log::most_waiting / Log::longest_line + 1);
  CHECK(lines.back() == "log: 5 lines were lost");
}

// ---- How many lines there are of a kind ----

namespace {

struct Paced {
  Lines lines;
  Time now{5'000};
  Log log{LogLevel::info, lines.sink(), {.peers = 3, .program = 10, .now = [this] { return now; }}};
};

}  // namespace

TEST_CASE("log: lines that peers can cause come a few times in a second, and then the number of the others") {
  Paced paced;
  for (int i = 0; i < 10; ++i) paced.log.info(LogKind("bad frames"), "bad frame ", i);
  CHECK(paced.lines.all == std::vector<std::string>{"info: bad frame 0", "info: bad frame 1", "info: bad frame 2"});
  paced.now += Time{999};
  paced.log.info(LogKind("bad frames"), "bad frame");
  CHECK(paced.lines.all.size() == 3);
  paced.now += Time{1};
  paced.log.info(LogKind("bad frames"), "the next second");
  CHECK(paced.lines.all.size() == 5);
  CHECK(paced.lines.all[3] == "info: 8 more lines about bad frames were suppressed");
  CHECK(paced.lines.all[4] == "info: the next second");
  for (int i = 0; i < 3; ++i) paced.log.info(LogKind("bad frames"), i);
  CHECK(paced.lines.all.size() == 7);
}

TEST_CASE("log: a line of any kind says what was suppressed of the others, and so does the end") {
  Lines lines;
  {
    Time now{0};
    Log log(LogLevel::info, lines.sink(), {.peers = 1, .program = 1, .now = [&now] { return now; }});
    for (int i = 0; i < 3; ++i) log.info(LogKind("bad frames"), "bad");
    now += Time{1'000};
    log.warn("something else");
    log.warn("once more");
    log.warn("and again");
  }
  CHECK(lines.all == std::vector<std::string>{"info: bad", "info: 2 more lines about bad frames were suppressed",
                                              "warn: something else", "warn: 2 more lines were suppressed"});
}

TEST_CASE("log: each kind and each level has its own number, and a protocol's lines count as the program's") {
  Paced paced;
  for (int i = 0; i < 20; ++i) {
    paced.log.info(LogKind("bad frames"), "a");
    paced.log.error(LogKind("bad frames"), "b");
    paced.log.info(LogKind("cuts"), "c");
    paced.log.info(LogKind::of_protocol("chat"), "d");
    paced.log.info(LogKind::of_protocol("echo"), "e");
    paced.log.info("f");
  }
  const auto count = [&paced](const std::string& line) { return std::count(paced.lines.all.begin(), paced.lines.all.end(), line); };
  CHECK(count("info: a") == 3);
  CHECK(count("error: b") == 3);
  CHECK(count("info: c") == 3);
  CHECK(count("info: d") == 10);
  CHECK(count("info: e") == 10);
  CHECK(count("info: f") == 10);
}

TEST_CASE("log: a pace of zero is none") {
  Lines lines;
  Log log(LogLevel::info, lines.sink(), {.peers = 0, .program = 0, .now = {}});
  for (int i = 0; i < 3000; ++i) log.info(LogKind("bad frames"), "bad"), log.info("own");
  CHECK(lines.all.size() == 6000);
}

TEST_CASE("log: a line that is not wanted at this level counts for nothing") {
  Lines lines;
  Time now{0};
  Log log(LogLevel::warn, lines.sink(), {.peers = 1, .program = 1, .now = [&now] { return now; }});
  for (int i = 0; i < 10; ++i) log.info(LogKind("bad frames"), "bad");
  now += Time{2'000};
  log.warn("w");
  CHECK(lines.all == std::vector<std::string>{"warn: w"});
}
