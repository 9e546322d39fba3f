#include "server/life/takeover.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "base/log.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace wharf::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// The number of the first descriptor that the new process gets.
constexpr int first_passed = 3;
/// For a process that was called off to end by itself.
constexpr milliseconds time_to_end{2'000};

/// Arguments as /proc has them, each with a zero at its end.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\0', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Program find_own_program() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  Program program{{}, split(std::string(std::istreambuf_iterator<char>(file), {}))};
  std::error_code error;
  const std::string folder = std::filesystem::current_path(error).string();
  const char* const search_path = std::getenv("PATH");
  if (!program.arguments.empty())
    program.path = Program::find(program.arguments.front(), folder, search_path != nullptr ? search_path : "");
  if (program.path.empty()) program.path = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (program.arguments.empty()) program.arguments = {program.path};
  return program;
}

bool is_program(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Everything that the new process changes before it becomes the program. Each signal is as in a program that was just started.
class Attributes {
 public:
  explicit Attributes(const std::vector<base::Descriptor>& descriptors) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    int number = first_passed;
    for (const base::Descriptor& each : descriptors) posix_spawn_file_actions_adddup2(&actions_, each.get(), number++);
    posix_spawn_file_actions_addclosefrom_np(&actions_, number);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    for (const int fixed : {SIGKILL, SIGSTOP}) sigdelset(&all, fixed);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// Nothing: it has not ended by then. If somebody else waited for the process, nobody knows how it ended.
std::optional<std::string> end_of(pid_t process, milliseconds limit) {
  static constexpr milliseconds pause{10};
  const auto until = steady_clock::now() + limit;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(process, &status, WNOHANG);
    if (ended == process && WIFSIGNALED(status)) return base::concat("ended by signal ", WTERMSIG(status));
    if (ended == process) return base::concat("ended with status ", WEXITSTATUS(status));
    if (ended < 0 && errno != EINTR) return std::string("ended");
    if (steady_clock::now() >= until) return std::nullopt;
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
  }
}

void kill_and_wait(pid_t process) {
  ::kill(process, SIGKILL);
  while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool is_for_one_process(std::string_view variable) {
  static constexpr std::array<std::string_view, 6> names = {
      "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "LISTEN_PIDFDID=", "WATCHDOG_PID=", "WHARF_SOCKETS="};
  return std::any_of(names.begin(), names.end(), [variable](std::string_view name) { return variable.starts_with(name); });
}

}  // namespace

// ---- What is started ----

const Program& Program::of_process() {
  static const Program the = find_own_program();
  return the;
}

std::string Program::find(const std::string& name, const std::string& folder, const std::string& search_path) {
  if (name.empty()) return {};
  if (name.front() == '/') return name;
  if (name.find('/') != std::string::npos) return folder + '/' + name;
  for (std::size_t begin = 0; begin <= search_path.size();) {
    const std::size_t end = std::min(search_path.find(':', begin), search_path.size());
    std::string place = search_path.substr(begin, end - begin);
    if (place.empty() || place.front() != '/') place = base::concat(folder, "/", place);
    if (std::string path = base::concat(place, "/", name); is_program(path)) return path;
    begin = end + 1;
  }
  return {};
}

std::vector<std::string> environment_of_successor(const std::vector<PassedDescriptor>& passed) {
  std::vector<std::string> environment;
  for (char** each = environ; *each != nullptr; ++each)
    if (!is_for_one_process(*each)) environment.emplace_back(*each);
  environment.push_back(base::concat(passed_variable, "=", write_passed(passed)));
  return environment;
}

// ---- How it goes ----

base::Result<std::unique_ptr<Takeover>, std::string> Takeover::begin(Program program, Passed passed, milliseconds limit,
                                                                     Outcome outcome) {
  std::unique_ptr<Takeover> takeover(new Takeover(std::move(program), std::move(passed), limit, std::move(outcome)));
  if (std::string fault = takeover->open(); !fault.empty()) return base::Failure{std::move(fault)};
  return takeover;
}

Takeover::Takeover(Program program, Passed passed, milliseconds limit, Outcome outcome)
    : program_(std::move(program)), passed_(std::move(passed)), limit_(limit), outcome_(std::move(outcome)) {}

std::string Takeover::open() {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return base::concat("the system has no room for a new process: ", std::strerror(errno));
  ready_ = base::Descriptor(ends[0]);
  its_ = base::Descriptor(ends[1]);
  cancelled_ = base::Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!cancelled_) return base::concat("the system has no room for a new process: ", std::strerror(errno));
  try {
    thread_ = std::thread(&Takeover::watch, this);
  } catch (const std::system_error& fault) {
    return base::concat("the system has no thread for a takeover: ", fault.code().message());
  }
  return {};
}

Takeover::~Takeover() {
  cancel();
  if (thread_.joinable()) thread_.join();
}

void Takeover::cancel() {
  const std::uint64_t one = 1;
  if (cancelled_ && ::write(cancelled_.get(), &one, sizeof one) < 0) return;  // it is full of the same news
}

/// Signals are for the program's own threads.
void Takeover::watch() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::string fault;
  const pid_t successor = start(fault);
  its_ = base::Descriptor();
  passed_ = {};
  if (successor < 0) {
    outcome_.failed(fault);
    over_ = true;
    return;
  }
  switch (wait(steady_clock::now() + limit_)) {
    case Event::serves: outcome_.serves(successor); break;
    case Event::cancelled: call_off(successor); break;
    case Event::ended: {
      const auto end = end_of(successor, time_to_end);
      if (!end) kill_and_wait(successor);
      outcome_.failed(base::concat("the new process ", successor, " ", end ? *end : "closed its end of the line, and was killed",
                                   ", before it served"));
      break;
    }
    case Event::late:
      kill_and_wait(successor);
      outcome_.failed(base::concat("the new process ", successor, " did not serve within ", limit_.count(), " ms, and was killed"));
  }
  over_ = true;
}

/// The process has only the descriptors 0, 1 and 2 and those that it is given. Returns -1 if it cannot be started.
pid_t Takeover::start(std::string& fault) {
  passed_.descriptors.push_back(std::move(its_));
  passed_.names.push_back({.kind = PassedDescriptor::Kind::ready});
  const int beyond = first_passed + static_cast<int>(passed_.descriptors.size());
  int number = first_passed;
  for (std::size_t i = 0; i < passed_.descriptors.size(); ++i) {
    base::Descriptor& each = passed_.descriptors[i];
    struct stat found {};
    base::Descriptor higher(::fcntl(each.get(), F_DUPFD_CLOEXEC, beyond));  // out of the way of what is duplicated there
    if (!higher || ::fstat(higher.get(), &found) != 0) {
      fault = base::concat("the system has no room for a new process: ", std::strerror(errno));
      return -1;
    }
    passed_.names[i].number = number++;
    passed_.names[i].inode = found.st_ino;
    each = std::move(higher);
  }
  const std::vector<std::string> environment = environment_of_successor(passed_.names);
  const Attributes how(passed_.descriptors);
  pid_t process = -1;
  const int error = ::posix_spawn(&process, program_.path.c_str(), how.actions(), how.attributes(),
                                  pointers_to(program_.arguments).data(), pointers_to(environment).data());
  if (error == 0) return process;
  fault = base::concat("cannot start '", program_.path, "': ", std::strerror(error));
  return -1;
}

Takeover::Event Takeover::wait(steady_clock::time_point until) {
  std::array<pollfd, 2> watched{{{ready_.get(), POLLIN, 0}, {cancelled_.get(), POLLIN, 0}}};
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
    static constexpr std::int64_t longest = 60'000;
    const int found = ::poll(watched.data(), watched.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, longest)));
    if (found > 0 && watched[0].revents != 0) {
      char byte = 0;
      const ssize_t size = ::recv(ready_.get(), &byte, 1, MSG_DONTWAIT);
      if (size > 0) return Event::serves;
      if (size == 0 || (errno != EINTR && errno != EAGAIN)) return Event::ended;
    }
    if (found > 0 && watched[1].revents != 0) return Event::cancelled;
    if (found == 0 && left <= 0) return Event::late;
  }
}

/// If it serves by now, it drains, which may take longer than anybody wants to wait for.
void Takeover::call_off(pid_t successor) {
  ::kill(successor, SIGTERM);
  if (end_of(successor, time_to_end)) return;
  char byte = 0;
  if (::recv(ready_.get(), &byte, 1, MSG_DONTWAIT) != 1) kill_and_wait(successor);
}

}  // namespace wharf::server
