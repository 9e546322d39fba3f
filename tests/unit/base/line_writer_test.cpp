#include "base/line_writer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/shared_line_writer.h"
#include "temporary_folder.h"

namespace {

using wharf::base::concat;
using wharf::base::LineWriter;
using wharf::base::Time;
using Ownership = LineWriter::Ownership;
namespace fs = std::filesystem;

constexpr Time long_enough{20'000};

int appended(const std::string& file) { return ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600); }

/// A pipe as a shell makes it: a write to it may block.
struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0); }
  ~Pipe() {
    for (int& end : ends) close(end);
  }
  static void close(int& end) {
    if (end >= 0) ::close(std::exchange(end, -1));
  }
  /// Waits for that many bytes.
  [[nodiscard]] std::string read(std::size_t size) const {
    std::string text(size, '\0');
    std::size_t at = 0;
    for (ssize_t got = 0; at < size && (got = ::read(ends[0], text.data() + at, size - at)) > 0;)
      at += static_cast<std::size_t>(got);
    text.resize(at);
    return text;
  }

  std::array<int, 2> ends{-1, -1};
};

std::string lost_line(std::uint64_t lost) { return concat("lost ", lost); }

LineWriter::Settings small(std::size_t capacity) {
  LineWriter::Settings settings;
  settings.capacity = capacity;
  settings.lost_line = lost_line;
  return settings;
}

/// What a child process does, with its exit status; a test in a child reports with it.
int in_child(int (*what)()) {
  ::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(what());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("line writer: lines are in the file in order, those of the last moment too") {
  const TemporaryFolder folder;
  std::string expected;
  {
    LineWriter writer(appended(folder.file("lines.log")), Ownership::own, {});
    for (int i = 0; i < 1000; ++i) {
      const std::string line = concat("line ", i, "\n");
      CHECK(writer.write(line) == 0);
      expected += line;
    }
  }
  CHECK(content_of(folder.file("lines.log")) == expected);
}

TEST_CASE("line writer: a pipe whose reader has gone is an error, and neither a signal nor a wait") {
  CHECK(in_child([] {
          std::array<int, 2> ends{};
          if (::pipe(ends.data()) != 0) return 1;
          ::close(ends[0]);
          LineWriter writer(ends[1], Ownership::own, {});
          writer.write("into the void\n");
          while (writer.news().fault != EPIPE) std::this_thread::yield();
          writer.write("again\n");
          return writer.end() == 2 ? 7 : 2;
        }) == 7);
}

TEST_CASE("line writer: a socket whose reader has gone is an error and no signal") {
  CHECK(in_child([] {
          std::array<int, 2> ends{};
          if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return 1;
          ::close(ends[0]);
          LineWriter writer(ends[1], Ownership::own, {});
          writer.write("into the void\n");
          while (writer.news().fault != EPIPE) std::this_thread::yield();
          return 7;
        }) == 7);
}

TEST_CASE("line writer: the end of RLIMIT_FSIZE is an error and no signal") {
  CHECK(in_child([] {
          std::string name = fs::temp_directory_path() / "wharf-size-XXXXXX";
          const int file = ::mkstemp(name.data());
          ::unlink(name.c_str());
          const rlimit least{10, 10};
          if (::setrlimit(RLIMIT_FSIZE, &least) != 0) return 1;
          ::signal(SIGXFSZ, SIG_DFL);
          LineWriter writer(file, Ownership::own, {});
          writer.write("0123456789abcdef\n");
          while (writer.news().fault != EFBIG) std::this_thread::yield();
          return writer.end() == 1 ? 7 : 2;
        }) == 7);
}

TEST_CASE("line writer: a signal for the process is not the writer's to take") {
  CHECK(in_child([] {
          static volatile sig_atomic_t taken = 0;
          ::signal(SIGTERM, [](int) { taken = 1; });
          LineWriter writer(::open("/dev/null", O_WRONLY), Ownership::own, {});
          writer.write("makes the thread\n");
          if (!writer.settle(long_enough)) return 1;
          sigset_t terminate;
          sigemptyset(&terminate);
          sigaddset(&terminate, SIGTERM);
          pthread_sigmask(SIG_BLOCK, &terminate, nullptr);
          ::kill(::getpid(), SIGTERM);
          ::poll(nullptr, 0, 20);
          if (taken != 0) return 2;
          pthread_sigmask(SIG_UNBLOCK, &terminate, nullptr);
          return taken == 1 ? 7 : 3;
        }) == 7);
}

TEST_CASE("line writer: a pipe that nobody reads costs lines, which are counted and said in their place when it is read") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], Ownership::lent, small(8 * 1024));
  std::string expected;
  std::size_t all = 0;
  std::size_t gap = 0;
  const auto end_gap = [&] {
    if (gap != 0) expected += concat("lost ", gap, "\n");
    all += std::exchange(gap, 0);
  };
  for (int i = 0; i < 300; ++i) {
    const std::string line = concat(i, std::string(1000, 'x'), "\n");
    if (writer.write(line) != 0) {
      ++gap;
    } else {
      end_gap();
      expected += line;
    }
  }
  end_gap();
  CHECK(all > 200);  // the pipe takes 64 KiB
  const LineWriter::News before = writer.news();
  CHECK(before.losing);
  CHECK(pipe.read(expected.size()) == expected);
  CHECK(writer.settle(long_enough));
  const LineWriter::News after = writer.news();
  CHECK_FALSE(after.losing);
  CHECK(before.recovered + after.recovered == all);
  CHECK(writer.write("new\n") == 0);
  CHECK(pipe.read(4) == "new\n");
}

TEST_CASE("line writer: gaps are few: after a loss, lines are lost until half of the capacity is free") {
  Pipe pipe;
  constexpr std::size_t page = 4096;  // of which the pipe has 16
  LineWriter writer(pipe.ends[1], Ownership::lent, small(8 * page));
  const std::string line = std::string(page - 1, 'x') + "\n";
  const auto wait_until_full = [&pipe] {
    for (int size = 0; size != 16 * page; std::this_thread::yield()) REQUIRE(::ioctl(pipe.ends[0], FIONREAD, &size) == 0);
  };
  for (int i = 0; i < 16; ++i) {
    REQUIRE(writer.write(line) == 0);
    REQUIRE(writer.settle(long_enough));
  }
  for (int i = 0; i < 8; ++i) REQUIRE(writer.write(line) == 0);
  CHECK(writer.write(line) == 1);
  CHECK(pipe.read(3 * page).size() == 3 * page);
  wait_until_full();
  CHECK(writer.write(line) == 1);  // 5 wait
  CHECK(pipe.read(2 * page).size() == 2 * page);
  wait_until_full();
  CHECK(writer.write(line) == 0);  // 3 wait
  CHECK(pipe.read(19 * page).size() == 19 * page);
  CHECK(pipe.read(7 + page) == "lost 2\n" + line);
}

TEST_CASE("line writer: a pipe that nobody reads does not hold up the end") {
  Pipe pipe;
  LineWriter writer(std::exchange(pipe.ends[1], -1), Ownership::own, {});
  constexpr std::size_t count = 200;
  for (std::size_t i = 0; i < count; ++i) writer.write(std::string(999, 'x') + "\n");
  CHECK_FALSE(writer.settle(Time{1}));
  const std::uint64_t lost = writer.end();  // bounded, or the test never ends
  CHECK(lost > 100);
  CHECK(lost < count);
}

TEST_CASE("line writer: a terminal that nobody reads, which blocks the write itself, does not hold up the end") {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(master >= 0);
  REQUIRE(::grantpt(master) == 0);
  REQUIRE(::unlockpt(master) == 0);
  std::array<char, 64> name{};
  REQUIRE(::ptsname_r(master, name.data(), name.size()) == 0);
  const int terminal = ::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(terminal >= 0);
  LineWriter writer(terminal, Ownership::own, {});
  for (std::size_t i = 0; i < 500; ++i) CHECK(writer.write(std::string(999, 'x') + "\n") == 0);
  CHECK_FALSE(writer.settle(Time{50}));
  CHECK(writer.end() > 100);
  ::close(master);  // lets go of the thread that was left behind
}

TEST_CASE("line writer: a terminal that is stopped with ^S goes on when it is started again") {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(::grantpt(master) == 0);
  REQUIRE(::unlockpt(master) == 0);
  std::array<char, 64> name{};
  REQUIRE(::ptsname_r(master, name.data(), name.size()) == 0);
  const int terminal = ::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(::tcflow(terminal, TCOOFF) == 0);
  LineWriter writer(terminal, Ownership::own, {});
  CHECK(writer.write("held\n") == 0);
  CHECK_FALSE(writer.settle(Time{50}));
  REQUIRE(::tcflow(terminal, TCOON) == 0);
  CHECK(writer.settle(long_enough));
  std::array<char, 16> bytes{};
  CHECK(::read(master, bytes.data(), bytes.size()) == 6);
  CHECK(std::string(bytes.data(), 6) == "held\r\n");
  CHECK(writer.end() == 0);
  ::close(master);
}

TEST_CASE("line writer: the flags of a descriptor that others share stay as they are, blocking or not") {
  for (const int flags : {0, O_NONBLOCK}) {
    Pipe pipe;
    REQUIRE(::fcntl(pipe.ends[1], F_SETFL, O_WRONLY | flags) == 0);
    const int before = ::fcntl(pipe.ends[1], F_GETFL);
    LineWriter writer(pipe.ends[1], Ownership::lent, {});
    std::string expected;
    for (int i = 0; i < 200; ++i) {
      const std::string line = concat(i, std::string(1000, 'x'), "\n");
      CHECK(writer.write(line) == 0);
      expected += line;
    }
    CHECK_FALSE(writer.settle(Time{20}));
    CHECK(::fcntl(pipe.ends[1], F_GETFL) == before);
    CHECK(pipe.read(expected.size()) == expected);
    CHECK(writer.settle(long_enough));
  }
}

TEST_CASE("line writer: a write that fails is tried again, and at the end once more") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  LineWriter writer(full, Ownership::own, small(100));
  CHECK(writer.write("waits\n") == 0);
  while (writer.news().fault != ENOSPC) std::this_thread::yield();
  CHECK(writer.write(std::string(99, 'x') + "\n") == 1);
  CHECK(writer.news().losing);
  REQUIRE(::dup3(::open("/dev/null", O_WRONLY | O_CLOEXEC), full, O_CLOEXEC) == full);
  CHECK(writer.settle(long_enough));
  CHECK(writer.news().recovered == 1);
  CHECK(writer.end() == 0);
}

TEST_CASE("line writer: a line longer than the capacity is accepted if nothing else waits") {
  Pipe pipe;
  LineWriter writer(pipe.ends[1], Ownership::lent, small(100));
  const std::string longer = std::string(PIPE_BUF + 500, 'x') + "\n";
  CHECK(writer.write(longer) == 0);
  CHECK(pipe.read(longer.size()) == longer);
  CHECK(writer.settle(long_enough));
}

namespace {

/// A connection whose other end does not read, and whose close() waits for that: as on a disk that does not answer.
struct SlowToClose {
  SlowToClose() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const int small = 4096;
    ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(file, reinterpret_cast<sockaddr*>(&address), size) == 0);
    reader = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(reader >= 0);
    ::close(listener);
    const linger long_time{1, 600};
    REQUIRE(::setsockopt(file, SOL_SOCKET, SO_LINGER, &long_time, sizeof long_time) == 0);
  }
  ~SlowToClose() { let_go(); }
  SlowToClose(const SlowToClose&) = delete;
  SlowToClose& operator=(const SlowToClose&) = delete;
  void let_go() {
    if (reader >= 0) ::close(std::exchange(reader, -1));
  }
  [[nodiscard]] bool is_closing() const { return ::fcntl(file, F_GETFD) < 0; }

  int file = -1;
  int reader = -1;
};

}  // namespace

TEST_CASE("line writer: nobody waits for the close() of a file that was opened anew") {
  SlowToClose slow;
  LineWriter::Settings settings;
  settings.open = [] { return ::open("/dev/null", O_WRONLY | O_CLOEXEC); };
  LineWriter writer(slow.file, Ownership::own, std::move(settings));
  writer.write(std::string(500'000, 'x') + "\n");
  writer.reopen();
  while (!slow.is_closing()) std::this_thread::yield();
  auto written = std::async(std::launch::async, [&writer] {
    writer.write("new\n");
    return writer.news().not_reopened;
  });
  CHECK(written.wait_for(long_enough) == std::future_status::ready);
  slow.let_go();
  CHECK(written.get() == 0);
  CHECK(writer.settle(long_enough));
}

TEST_CASE("line writer: the end does not wait for a close() that does not return") {
  SlowToClose slow;
  std::optional<LineWriter> writer;
  writer.emplace(slow.file, Ownership::own, LineWriter::Settings{});
  writer->write(std::string(200'000, 'x') + "\n");
  CHECK(writer->settle(long_enough));
  auto gone = std::async(std::launch::async, [&writer] { writer.reset(); });
  CHECK(gone.wait_for(long_enough) == std::future_status::ready);
  slow.let_go();
}

#if !defined(__SANITIZE_THREAD__)  // it supports no threads in the child of a process with threads
TEST_CASE("line writer: the child of a fork writes with its own thread, and does not write the lines that waited in the parent") {
  const TemporaryFolder folder;
  LineWriter writer(appended(folder.file("lines.log")), Ownership::own, {});
  CHECK(writer.write("parent\n") == 0);
  CHECK(writer.settle(long_enough));
  const pid_t child = ::fork();
  if (child == 0) {
    writer.write("child\n");
    const bool written = writer.settle(long_enough);
    ::_exit(writer.end() == 0 && written ? 7 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(writer.write("parent again\n") == 0);
  CHECK(writer.end() == 0);
  CHECK(content_of(folder.file("lines.log")) == "parent\nchild\nparent again\n");
}
#endif

TEST_CASE("line writer: all users of a file share one, and the last of them ends it") {
  const TemporaryFolder folder;
  using wharf::base::SharedLineWriter;
  auto first = SharedLineWriter::of_file(folder.file("lines.log"), 1000);
  auto second = SharedLineWriter::of_file(folder.file("lines.log"), 1000);
  REQUIRE(static_cast<bool>(first));
  REQUIRE(static_cast<bool>(second));
  CHECK((*first)->operator->() == (*second)->operator->());
  (**first)->write("one\n");
  CHECK((*first)->leave() == 0);
  (**second)->write("two\n");
  CHECK((*second)->leave() == 0);
  CHECK(content_of(folder.file("lines.log")) == "one\ntwo\n");
  CHECK(SharedLineWriter::of_file(folder.file("none/x"), 1000).error() == ENOENT);
}

TEST_CASE("line writer: standard error says how many lines were lost on it") {
  Pipe pipe;
  const int before = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  REQUIRE(::dup2(pipe.ends[1], STDERR_FILENO) == STDERR_FILENO);
  Pipe::close(pipe.ends[1]);
  std::size_t lost = 0;
  {
    const auto stream = wharf::base::SharedLineWriter::of_stream(STDERR_FILENO);
    const std::string line = std::string(1023, 'x') + "\n";
    (*stream)->write(line);
    CHECK((*stream)->settle(long_enough));
    for (int i = 0; i < 2000; ++i) lost += (*stream)->write(line);
    std::thread reader([&] {
      std::string text;
      for (std::string more = pipe.read(1000); !more.empty(); more = pipe.read(1000)) text += more;
      const std::string expected = concat("error: log: ", lost, " lines were lost\n");
      CHECK(text.ends_with(expected));
    });
    CHECK((*stream)->settle(long_enough));
    REQUIRE(::dup2(before, STDERR_FILENO) == STDERR_FILENO);
    reader.join();
  }
  ::close(before);
  CHECK(lost > 100);
}

TEST_CASE("line writer: a line that a static object writes after main() has returned is written") {
  static Pipe pipe;
  CHECK(in_child([]() -> int {
          struct Last {
            ~Last() {
              ::dup2(pipe.ends[1], STDERR_FILENO);
              (*wharf::base::SharedLineWriter::of_stream(STDERR_FILENO))->write("last words\n");
            }
          };
          static const Last last;
          std::exit(7);  // NOLINT: as main() does when it returns
        }) == 7);
  CHECK(pipe.read(11) == "last words\n");
}
