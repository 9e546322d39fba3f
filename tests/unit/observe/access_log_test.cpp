#include "observe/access_log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "temporary_folder.h"

namespace {

using wharf::base::Time;
using wharf::server::AccessLog;
namespace fs = std::filesystem;

struct Reports {
  std::vector<std::string> all;
  std::unique_ptr<AccessLog> open(const std::string& path) {
    auto log = AccessLog::open(path, [this](const std::string& text) { all.push_back(text); });
    REQUIRE(static_cast<bool>(log));
    return std::move(*log);
  }
};

std::string error_of(const std::string& path) {
  const auto log = AccessLog::open(path, [](const std::string&) {});
  return log ? "" : log.error();
}

/// A named pipe, and the end that reads it.
class Pipe {
 public:
  explicit Pipe(const std::string& path) {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    reader_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(reader_ >= 0);
  }
  ~Pipe() { close(); }
  void close() {
    if (reader_ >= 0) ::close(std::exchange(reader_, -1));
  }
  /// The present content.
  std::string read() const {
    std::string text;
    std::array<char, 4096> bytes{};
    for (ssize_t got = 0; (got = ::read(reader_, bytes.data(), bytes.size())) > 0;)
      text.append(bytes.data(), static_cast<std::size_t>(got));
    return text;
  }

 private:
  int reader_ = -1;
};

constexpr Time long_enough{20'000};

/// Waits until all lines are in the file.
void settle(AccessLog& log) { REQUIRE(log.settle(long_enough)); }

/// Files of this process end at that many bytes: a write beyond is an error. The signal for it must not come.
class ShortFiles {
 public:
  explicit ShortFiles(rlim_t most) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit now = before_;
    now.rlim_cur = most;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~ShortFiles() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

/// Renames a log to access.log.1 while it takes no more than that many bytes.
void rename_full(const TemporaryFolder& folder, AccessLog& log, rlim_t most) {
  const ShortFiles limit(most);
  CHECK_FALSE(log.settle(Time{100}));
  fs::rename(folder.file("access.log"), folder.file("access.log.1"));
  log.reopen();
  settle(log);
}

/// Lends its number to standard output, and takes over `file`; nothing must be checked meanwhile.
class OtherOutput {
 public:
  explicit OtherOutput(int file) : before_(::dup(STDOUT_FILENO)) {
    ::fflush(stdout);
    ::dup2(file, STDOUT_FILENO);
    ::close(file);
  }
  ~OtherOutput() {
    ::dup2(before_, STDOUT_FILENO);
    ::close(before_);
  }
  OtherOutput(const OtherOutput&) = delete;
  OtherOutput& operator=(const OtherOutput&) = delete;

 private:
  int before_;
};

}  // namespace

TEST_CASE("access log: lines are in the file after a flush, in order") {
  const TemporaryFolder folder;
  Reports reports;
  const auto log = reports.open(folder.file("access.log"));
  CHECK(fs::file_size(folder.file("access.log")) == 0);
  log->write("one");
  log->write("");
  log->write("three");
  CHECK(content_of(folder.file("access.log")).empty());
  settle(*log);
  CHECK(content_of(folder.file("access.log")) == "one\n\nthree\n");
  log->flush();
  CHECK(content_of(folder.file("access.log")) == "one\n\nthree\n");
  CHECK(log->dropped() == 0);
  CHECK(reports.all.empty());
}

TEST_CASE("access log: lines that wait are written at the end") {
  const TemporaryFolder folder;
  Reports reports;
  reports.open(folder.file("access.log"))->write("last");
  CHECK(content_of(folder.file("access.log")) == "last\n");
}

TEST_CASE("access log: a file is appended to, and made for its owner and group alone") {
  const TemporaryFolder folder;
  Reports reports;
  const mode_t before = ::umask(0);
  reports.open(folder.file("access.log"))->write("first");
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat(folder.file("access.log").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
  reports.open(folder.file("access.log"))->write("second");
  CHECK(content_of(folder.file("access.log")) == "first\nsecond\n");
}

TEST_CASE("access log: a file that cannot be opened is an error in one line") {
  const TemporaryFolder folder;
  CHECK(error_of(folder.file("none/access.log")) == "cannot open access log '" + folder.file("none/access.log") +
                                                        "': No such file or directory; name a file that can be written");
  CHECK(error_of(folder.path.string()).find("Is a directory") != std::string::npos);
  CHECK(error_of("").find("No such file") != std::string::npos);
}

TEST_CASE("access log: a named pipe without a reader does not hold anything up") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo(folder.file("access.log").c_str(), 0600) == 0);
  CHECK(error_of(folder.file("access.log")).find("cannot open access log") == 0);
}

TEST_CASE("access log: many lines are handed over without a flush") {
  const TemporaryFolder folder;
  Reports reports;
  const auto log = reports.open(folder.file("access.log"));
  const std::string line(999, 'x');
  const std::size_t fitting = AccessLog::longest_batch / 1000;
  for (std::size_t i = 0; i < fitting; ++i) log->write(line);
  CHECK(fs::file_size(folder.file("access.log")) == 0);
  log->write(line);
  while (fs::file_size(folder.file("access.log")) != (fitting + 1) * 1000) std::this_thread::yield();
  log->write("more");
  settle(*log);
  CHECK(fs::file_size(folder.file("access.log")) == (fitting + 1) * 1000 + 5);
}

TEST_CASE("access log: a line longer than the longest batch is written by itself") {
  const TemporaryFolder folder;
  Reports reports;
  const auto log = reports.open(folder.file("access.log"));
  const std::string longer(2 * AccessLog::buffer_size, 'x');
  log->write("before");
  settle(*log);
  log->write(longer);
  settle(*log);
  log->write("after");
  settle(*log);
  CHECK(content_of(folder.file("access.log")) == "before\n" + longer + "\nafter\n");
}

TEST_CASE("access log: loops that share a file do not mix their lines") {
  const TemporaryFolder folder;
  constexpr int lines = 5000;
  std::atomic<std::uint64_t> dropped{0};
  std::vector<std::thread> loops;
  for (char letter = 'a'; letter < 'd'; ++letter)
    loops.emplace_back([&folder, &dropped, letter] {
      const auto log = AccessLog::open(folder.file("access.log"), [](const std::string&) {});
      for (int i = 0; i < lines; ++i) (*log)->write(std::string(static_cast<std::size_t>(i % 200) + 1, letter));
      (*log)->flush();
      dropped += (*log)->dropped();
    });
  for (std::thread& loop : loops) loop.join();
  std::ifstream file(folder.file("access.log"));
  std::uint64_t count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    REQUIRE_FALSE(line.empty());
    REQUIRE(line.find_first_not_of(line.front()) == std::string::npos);
  }
  CHECK(count + dropped == 3 * lines);
}

TEST_CASE("access log: after a rotation lines go to a new file") {
  const TemporaryFolder folder;
  Reports reports;
  const auto log = reports.open(folder.file("access.log"));
  log->write("old");
  fs::rename(folder.file("access.log"), folder.file("access.log.1"));
  log->write("still old");
  log->reopen();
  log->write("new");
  settle(*log);
  CHECK(content_of(folder.file("access.log.1")) == "old\nstill old\n");
  CHECK(content_of(folder.file("access.log")) == "new\n");
}

TEST_CASE("access log: if no new file can be opened, the old one goes on, and that is reported") {
  const TemporaryFolder folder;
  Reports reports;
  fs::create_directory(folder.path / "sub");
  const auto log = reports.open(folder.file("sub/access.log"));
  log->write("one");
  fs::rename(folder.path / "sub", folder.path / "moved");
  log->reopen();
  log->write("two");
  settle(*log);
  CHECK(content_of(folder.file("moved/access.log")) == "one\ntwo\n");
  log->flush();
  CHECK(reports.all == std::vector<std::string>{"access log '" + folder.file("sub/access.log") +
                                                "' cannot be opened again: No such file or directory; the old file goes on"});
}

TEST_CASE("access log: a full disk loses lines, which is said once, and counted") {
  Reports reports;
  auto log = reports.open("/dev/full");
  const std::string line(1023, 'x');
  constexpr std::size_t fitting = AccessLog::buffer_size / 1024;
  log->write(line);
  CHECK_FALSE(log->settle(Time{100}));
  for (std::size_t i = 1; i < fitting; ++i) log->write(line);
  log->flush();
  CHECK(log->dropped() == 0);
  CHECK(reports.all.empty());  // all of them wait
  for (int i = 0; i < 10; ++i) log->write(line);
  log->flush();
  CHECK(log->dropped() == 10);
  CHECK(reports.all == std::vector<std::string>{"access log '/dev/full' loses lines: No space left on device"});
  log.reset();
  REQUIRE(reports.all.size() == 2);
  CHECK(reports.all[1] == "access log '/dev/full' is not complete at the end; lines lost: " + std::to_string(fitting + 10));
}

TEST_CASE("access log: a line that was written in part is finished when there is room again") {
  const TemporaryFolder folder;
  Reports reports;
  const auto log = reports.open(folder.file("access.log"));
  log->write("0123456789");
  log->write("0123456789");
  {
    const ShortFiles limit(15);
    CHECK_FALSE(log->settle(Time{100}));
  }
  CHECK(content_of(folder.file("access.log")) == "0123456789\n0123");
  log->write("new");
  settle(*log);
  CHECK(content_of(folder.file("access.log")) == "0123456789\n0123456789\nnew\n");
  CHECK(log->dropped() == 0);
}

TEST_CASE("access log: the rest of a line does not begin a new file") {
  const TemporaryFolder folder;
  Reports reports;
  const auto log = reports.open(folder.file("access.log"));
  log->write("0123456789");
  log->write("0123456789");
  log->write("whole");
  rename_full(folder, *log, 15);
  CHECK(content_of(folder.file("access.log.1")) == "0123456789\n0123");
  CHECK(content_of(folder.file("access.log")) == "whole\n");
  log->flush();
  CHECK(reports.all == std::vector<std::string>{"access log '" + folder.file("access.log") + "' loses lines: File too large",
                                                "access log '" + folder.file("access.log") + "' is written again; lines lost: 1"});
}

TEST_CASE("access log: whole lines that the old file did not take go to the new one") {
  const TemporaryFolder folder;
  Reports reports;
  const auto log = reports.open(folder.file("access.log"));
  log->write("0123456789");
  log->write("whole");
  rename_full(folder, *log, 11);
  CHECK(content_of(folder.file("access.log.1")) == "0123456789\n");
  CHECK(content_of(folder.file("access.log")) == "whole\n");
  CHECK(log->dropped() == 0);
  CHECK(reports.all.empty());
}

TEST_CASE("access log: a pipe gets all lines, in order") {
  const TemporaryFolder folder;
  Reports reports;
  const Pipe pipe(folder.file("access.log"));
  const auto log = reports.open(folder.file("access.log"));
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const std::string line(900 + static_cast<std::size_t>(i), static_cast<char>('a' + i));
    log->write(line);
    expected += line + "\n";
  }
  settle(*log);
  CHECK(pipe.read() == expected);
  const std::string longer(PIPE_BUF + 100, 'x');
  log->write("short");
  log->write(longer);
  settle(*log);
  CHECK(pipe.read() == "short\n" + longer + "\n");
}

TEST_CASE("access log: a pipe that nobody reads loses lines at its end, not within them") {
  const TemporaryFolder folder;
  Reports reports;
  const Pipe pipe(folder.file("access.log"));
  const auto log = reports.open(folder.file("access.log"));
  constexpr std::size_t count = 1500;  // more than pipe and buffer take
  const std::string rest(1000, 'x');
  for (std::size_t i = 0; i < count; ++i) log->write(std::to_string(i) + rest);
  log->flush();
  CHECK(log->dropped() > 0);
  REQUIRE(reports.all.size() == 1);
  CHECK(reports.all[0] == "access log '" + folder.file("access.log") + "' loses lines: nobody reads it fast enough");
  std::string text;
  while (!log->settle(Time{1})) text += pipe.read();
  text += pipe.read();
  std::string expected;
  for (std::size_t i = 0; i < count - log->dropped(); ++i) expected += std::to_string(i) + rest + "\n";
  CHECK(text == expected);
  log->flush();
  REQUIRE(reports.all.size() == 2);
  CHECK(reports.all[1] ==
        "access log '" + folder.file("access.log") + "' is written again; lines lost: " + std::to_string(log->dropped()));
  log->write("new");
  settle(*log);
  CHECK(pipe.read() == "new\n");
}

TEST_CASE("access log: a pipe whose reader has gone is an error and no signal") {
  const TemporaryFolder folder;
  Reports reports;
  Pipe pipe(folder.file("access.log"));
  const auto log = reports.open(folder.file("access.log"));
  pipe.close();
  log->write("first");
  CHECK_FALSE(log->settle(Time{100}));
  for (int i = 0; i < 1500; ++i) log->write(std::string(1000, 'x'));
  log->flush();
  CHECK(log->dropped() > 0);
  REQUIRE(reports.all.size() == 1);
  CHECK(reports.all[0].find("Broken pipe") != std::string::npos);
}

TEST_CASE("access log: a dash is standard output, which stays open") {
  const TemporaryFolder folder;
  const Pipe pipe(folder.file("access.log"));
  const int writer = ::open(folder.file("access.log").c_str(), O_WRONLY | O_CLOEXEC);
  ssize_t still = 0;
  {
    const OtherOutput output(writer);
    if (const auto log = AccessLog::open("-", [](const std::string&) {})) {
      (*log)->write("one");
      (*log)->reopen();
      (*log)->write("two");
    }
    still = ::write(STDOUT_FILENO, "three", 5);
  }
  CHECK(still == 5);
  CHECK(pipe.read() == "one\ntwo\nthree");
}

// A socket of this kind keeps separate writes separate.
TEST_CASE("access log: a pipe gets whole lines, as many as it takes undivided") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const std::string longer(PIPE_BUF + 100, 'z');
  {
    const OtherOutput output(ends[1]);
    if (const auto log = AccessLog::open("-", [](const std::string&) {})) {
      for (int i = 0; i < 10; ++i) (*log)->write(std::string(900, 'x'));
      (*log)->write(longer);
      (*log)->write("short");
    }
  }
  std::vector<std::string> pieces;
  std::array<char, AccessLog::buffer_size> bytes{};
  for (ssize_t got = 0; (got = ::read(ends[0], bytes.data(), bytes.size())) > 0;)
    pieces.emplace_back(bytes.data(), static_cast<std::size_t>(got));
  ::close(ends[0]);
  const std::string line = std::string(900, 'x') + "\n";
  CHECK(pieces == std::vector<std::string>{line + line + line + line, line + line + line + line, line + line,
                                           longer.substr(0, PIPE_BUF), longer.substr(PIPE_BUF) + "\nshort\n"});
}

TEST_CASE("access log: a standard output that blocks does not hold the loop up, nor its end") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  std::uint64_t dropped = 0;
  {
    const OtherOutput output(ends[1]);
    if (const auto log = AccessLog::open("-", [](const std::string&) {})) {
      for (int i = 0; i < 1500; ++i) (*log)->write(std::string(1000, 'x'));
      (*log)->flush();
      dropped = (*log)->dropped();
    }
  }
  ::close(ends[0]);
  CHECK(dropped > 100);
}
