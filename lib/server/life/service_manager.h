#pragma once
#include <atomic>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace wharf::server {

/// Systemd as a service sees it (sd_notify(3), sd_watchdog_enabled(3)), without its library. tell() comes from any thread.
class ServiceManager {
 public:
  /// What the environment says; empty: the variable is not set.
  struct Variables {
    std::string notify_socket;     ///< NOTIFY_SOCKET: a path, or '@' and an abstract name
    std::string watchdog_time;     ///< WATCHDOG_USEC
    std::string watchdog_process;  ///< WATCHDOG_PID; empty: whoever reads this
    static Variables of_process();
  };

  /// Nobody is told anything.
  ServiceManager() = default;
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;
  ~ServiceManager() = default;
  /// `log` outlives this. What is wrong with the variables gets a line.
  ServiceManager(const Variables& variables, base::Log& log);

  [[nodiscard]] bool listens() const { return !socket_.empty(); }
  /// Sends one message; never waits. The first failure gets a line, and further ones none.
  void tell(std::string_view message);
  /// RELOADING=1 with the time, after which READY=1 has to follow.
  void tell_reloading();

  /// How often WATCHDOG=1 should be told: twice in the time that systemd allows. never: it does not ask.
  [[nodiscard]] base::Time watch_period() const { return period_; }

 private:
  std::string socket_;
  base::Time period_ = base::never;
  base::Log* log_ = nullptr;
  std::atomic<bool> failed_{false};
};

}  // namespace wharf::server
