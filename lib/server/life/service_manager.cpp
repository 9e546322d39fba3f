#include "server/life/service_manager.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <system_error>
#include <utility>

#include "base/descriptor.h"
#include "io/address.h"

namespace wharf::server {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Whether it was sent; if not, errno says why. A datagram to a socket of the same machine leaves whole or not at all.
bool send_to(const std::string& name, std::string_view message) {
  const auto address = io::unix_address(name);
  if (!address) {
    errno = EINVAL;
    return false;
  }
  // A path without the zero behind it is as good, and an abstract name has none.
  const base::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket && ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT, address->get(),
                            address->size) == static_cast<ssize_t>(message.size());
}

}  // namespace

ServiceManager::Variables ServiceManager::Variables::of_process() {
  return {variable("NOTIFY_SOCKET"), variable("WATCHDOG_USEC"), variable("WATCHDOG_PID")};
}

ServiceManager::ServiceManager(const Variables& variables, base::Log& log, std::chrono::milliseconds patience)
    : socket_(variables.notify_socket), log_(&log), patience_(patience) {
  if (socket_.empty()) return;
  if (socket_.front() != '/' && socket_.front() != '@') {
    log.warn("NOTIFY_SOCKET is '", socket_, "', which is neither a path nor an abstract name; the service manager is told nothing");
    socket_.clear();
    return;
  }
  const bool is_ours = variables.watchdog_process.empty() || number_of(variables.watchdog_process) == std::uint64_t(::getpid());
  if (variables.watchdog_time.empty() || !is_ours) return;
  const auto microseconds = number_of(variables.watchdog_time);
  static constexpr std::uint64_t longest = std::uint64_t{1'000'000} * 60 * 60 * 24 * 365;
  if (!microseconds || *microseconds == 0) {
    log.warn("WATCHDOG_USEC is '", variables.watchdog_time, "', which is no time; the service manager's watchdog is told nothing");
    return;
  }
  period_ = base::Time{static_cast<base::Time::rep>(std::max<std::uint64_t>(1, std::min(*microseconds, longest) / 2'000))};
}

ServiceManager::~ServiceManager() {
  {
    const std::lock_guard lock(mutex_);
    life_ = Life::ends;
  }
  news_.notify_one();
  if (later_.joinable()) later_.join();
}

void ServiceManager::tell(std::string_view message) {
  if (socket_.empty()) return;
  if (const int error = send_or_keep(message); error != 0) complain(error);
}

/// Nothing may be lost that systemd waits for, such as READY=1 after RELOADING=1, or MAINPID= before this process ends.
int ServiceManager::send_or_keep(std::string_view message) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    if (send_to(socket_, message)) return 0;
    if (errno != EAGAIN) return errno;
  }
  if (message == alive) return 0;
  waiting_.emplace_back(message);
  if (!later_.joinable()) {
    try {
      later_ = std::thread([this] { try_again(); });
    } catch (const std::system_error&) {
      waiting_.clear();
      return EAGAIN;
    }
  }
  news_.notify_one();
  if (waiting_.size() <= most_waiting) return 0;
  waiting_.pop_front();
  return EAGAIN;
}

void ServiceManager::try_again() {
  static constexpr std::chrono::milliseconds pause(50);
  std::optional<std::chrono::steady_clock::time_point> last;
  std::unique_lock lock(mutex_);
  for (;;) {
    news_.wait(lock, [this] { return life_ == Life::ends || !waiting_.empty(); });
    if (waiting_.empty()) return;
    if (send_to(socket_, waiting_.front())) {
      waiting_.pop_front();
      continue;
    }
    const int error = errno;
    if (life_ == Life::ends && !last) last = std::chrono::steady_clock::now() + patience_;
    if (error != EAGAIN || (last && std::chrono::steady_clock::now() >= *last)) {
      waiting_.clear();
      lock.unlock();
      complain(error);
      lock.lock();
    } else {
      news_.wait_for(lock, pause);
    }
  }
}

void ServiceManager::complain(int error) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(failed_, true)) return;
  }
  log_->warn("the service manager at '", socket_, "' cannot be told how the server is: ", std::strerror(error));
}

void ServiceManager::tell_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  static constexpr std::int64_t million = 1'000'000;
  tell(base::concat("RELOADING=1\nMONOTONIC_USEC=", std::int64_t{now.tv_sec} * million + now.tv_nsec / 1'000));
}

}  // namespace wharf::server
