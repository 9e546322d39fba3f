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

ServiceManager::ServiceManager(const Variables& variables, base::Log& log) : socket_(variables.notify_socket), log_(&log) {
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

void ServiceManager::tell(std::string_view message) {
  if (socket_.empty() || send_to(socket_, message)) return;
  const int error = errno;
  if (!failed_.exchange(true))
    log_->warn("the service manager at '", socket_, "' cannot be told how the server is: ", std::strerror(error));
}

void ServiceManager::tell_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  static constexpr std::int64_t million = 1'000'000;
  tell(base::concat("RELOADING=1\nMONOTONIC_USEC=", std::int64_t{now.tv_sec} * million + now.tv_nsec / 1'000));
}

}  // namespace wharf::server
