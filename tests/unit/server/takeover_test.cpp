#include "server/life/takeover.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "temporary_folder.h"

// A new process that takes over, with shell scripts in its place.

namespace {

using namespace wharf;
using namespace wharf::server;
using namespace std::chrono_literals;

/// What became of a script: "serves", or why not.
struct Run {
  explicit Run(const std::string& script, std::chrono::milliseconds limit = 60s, Takeover::Passed passed = {}) {
    auto begun = Takeover::begin({"/bin/sh", {"sh", "-c", script}}, std::move(passed), limit,
                                 {[this](pid_t process) {
                                    pid = process;
                                    outcome.set_value("serves");
                                  },
                                  [this](std::string_view why) { outcome.set_value(std::string(why)); }});
    REQUIRE(begun);
    takeover = std::move(*begun);
  }
  std::string what() { return outcome.get_future().get(); }

  std::promise<std::string> outcome;
  std::atomic<pid_t> pid{0};
  std::unique_ptr<Takeover> takeover;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

TEST_CASE("takeover: a process that serves says so, and goes on") {
  Run run("printf 1 >&3; exec sleep 600");
  CHECK(run.what() == "serves");
  REQUIRE(run.pid > 0);
  CHECK(::kill(run.pid, 0) == 0);
  ::kill(run.pid, SIGKILL);
  CHECK(::waitpid(run.pid, nullptr, 0) == run.pid);
}

TEST_CASE("takeover: one that ends before it serves says how") {
  CHECK(ends_with(Run("exit 7").what(), "ended with status 7, before it served"));
  CHECK(ends_with(Run("kill -9 $$").what(), "ended by signal 9, before it served"));
}

TEST_CASE("takeover: a program that is not there") {
  std::promise<std::string> outcome;
  auto begun =
      Takeover::begin({"/no/such/program", {"program"}}, {}, 60s,
                      {[](pid_t) { FAIL("it serves"); }, [&](std::string_view why) { outcome.set_value(std::string(why)); }});
  REQUIRE(begun);
  CHECK(outcome.get_future().get() == "cannot start '/no/such/program': No such file or directory");
}

TEST_CASE("takeover: one that does not serve in time is killed") {
  Run run("exec sleep 600", 50ms);
  CHECK(ends_with(run.what(), "did not serve within 50 ms, and was killed"));
  run.takeover.reset();
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("takeover: one that is cancelled is told to end, and there is no outcome") {
  const TemporaryFolder folder;
  const std::string file = folder.file("told");
  Run run("trap 'echo told > " + file + "; exit 0' TERM; echo begun > " + file + "; while :; do sleep 0.01; done");
  while (content_of(file) != "begun\n") std::this_thread::sleep_for(1ms);
  run.takeover.reset();
  CHECK(content_of(file) == "told\n");
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("takeover: the process gets what is passed and nothing else, and treats signals as if it was just started") {
  const TemporaryFolder folder;
  const std::string file = folder.file("seen");
  const int stray = ::eventfd(0, 0);  // somebody forgot to have it closed
  Takeover::Passed passed;
  for (int i = 0; i < 2; ++i) {
    passed.descriptors.emplace_back(::eventfd(0, EFD_CLOEXEC));
    passed.names.push_back({.kind = PassedDescriptor::Kind::own, .address = "a;b"});
  }
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGUSR1, &ignore, &before);
  Run run("ls /proc/$$/fd | tr '\\n' ' ' > " + file + "; grep -E 'SigBlk|SigIgn' /proc/self/status | tr -d '\\n\\t ' >> " + file +
              "; echo \"$WHARF_SOCKETS\" >> " + file + "; printf 1 >&5; exec sleep 600",
          60s, std::move(passed));
  CHECK(run.what() == "serves");
  sigaction(SIGUSR1, &before, nullptr);
  ::kill(run.pid, SIGKILL);
  ::waitpid(run.pid, nullptr, 0);
  ::close(stray);
  const std::string seen = content_of(file);
  CHECK(seen.starts_with("0 1 2 3 4 5 "));
  CHECK(seen.find("SigBlk:0000000000000000") != std::string::npos);
  const std::size_t ignored = seen.find("SigIgn:");
  REQUIRE(ignored != std::string::npos);
  CHECK((std::stoull(seen.substr(ignored + 7, 16), nullptr, 16) >> (SIGUSR1 - 1) & 1U) == 0);
  CHECK(seen.find("3;") != std::string::npos);
  CHECK(seen.find(";own;a%3Bb;,4;") != std::string::npos);
  CHECK(seen.find(",5;") != std::string::npos);
  CHECK(seen.find(";ready;;\n") != std::string::npos);
}

TEST_CASE("takeover: the program is found as it was started") {
  CHECK(Program::find("/usr/bin/x", "/home", "/bin") == "/usr/bin/x");
  CHECK(Program::find("./x", "/home", "/bin") == "/home/./x");
  CHECK(Program::find("build/x", "/home", "/bin") == "/home/build/x");
  CHECK(Program::find("sh", "/home", "/nowhere:/bin") == "/bin/sh");
  CHECK(Program::find("sh", "/bin", "/nowhere:.") == "/bin/./sh");
  CHECK(Program::find("no-such-program", "/", "/bin").empty());
  CHECK(Program::find("", "/", "/bin").empty());
  CHECK_FALSE(Program::of_process().path.empty());
  CHECK_FALSE(Program::of_process().arguments.empty());
}
