#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

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
  /// Messages that wait to be sent are tried for so long.
  ~ServiceManager();
  /// `log` outlives this. What is wrong with the variables gets a line. `patience` is for the end.
  ServiceManager(const Variables& variables, base::Log& log, std::chrono::milliseconds patience = std::chrono::seconds(5));

  static constexpr std::size_t most_waiting = 64;
  static constexpr std::string_view alive = "WATCHDOG=1";

  [[nodiscard]] bool listens() const { return !socket_.empty(); }
  /// Sends one message; never waits. If the manager has no room for it now, it is tried again on a thread of its own, with all that
  /// come after it, in their order; `alive` is not, as it comes again. The first failure gets a line, and further ones none.
  void tell(std::string_view message);
  /// RELOADING=1 with the time, after which READY=1 has to follow.
  void tell_reloading();

  /// How often WATCHDOG=1 should be told: twice in the time that systemd allows. never: it does not ask.
  [[nodiscard]] base::Time watch_period() const { return period_; }

 private:
  enum class Life : std::uint8_t { goes_on, ends };

  int send_or_keep(std::string_view message);
  void try_again();
  void complain(int error);

  std::string socket_;
  base::Time period_ = base::never;
  base::Log* log_ = nullptr;
  std::chrono::milliseconds patience_{0};

  std::mutex mutex_;  // guards what follows; not held while something is logged, for who hears of it may stop the server
  std::condition_variable news_;
  std::deque<std::string> waiting_;
  Life life_ = Life::goes_on;
  bool failed_ = false;
  std::thread later_;
};

}  // namespace wharf::server
