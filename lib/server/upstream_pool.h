#pragma once
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "server/outside.h"
#include "server/upstream_session.h"

namespace wharf::server {

struct UpstreamSettings {
  std::string name;  ///< for the log
  Endpoint endpoint;
  base::Time connect_time{5'000};
  std::size_t idle_connections = 16;
  UpstreamLimits limits;
};

/// The connections of one loop to one server upstream: those that are kept idle, and those that are being made. A connection
/// that is being made belongs to nobody: it goes to whoever has waited longest, and it is not made again for the next one when
/// its first waiter goes. So there are never more of them than clients that waited at once, however quickly clients come and
/// go.
class UpstreamPool {
 public:
  /// Who waits for a new connection. Called on a fresh stack.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void connected(UpstreamSession& session) = 0;
    /// unreachable, or late.
    virtual void not_connected(UpstreamFailure failure) = 0;
  };

 private:
  struct Waiting {
    Waiter* waiter;
    base::Time since;
  };

 public:
  using Place = std::list<Waiting>::iterator;

  /// Outlives every link upstream. `log` may be nullptr.
  UpstreamPool(UpstreamSettings settings, Outside& outside, base::Log* log);
  ~UpstreamPool() = default;
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  /// The idle connection that was used last and can be used still; nullptr: there is none.
  UpstreamSession* take();
  /// Calls back once, later, unless forget() comes first. The place is the waiter's until then.
  Place connect(Waiter& waiter);
  void forget(Place place) { waiters_.erase(place); }

  // ---- For its sessions. ----

  void started(UpstreamSession& session);
  /// Keeps it for later requests; false: there are enough.
  bool keep(UpstreamSession& session);
  void drop(const UpstreamSession& session);
  /// Logs what went wrong upstream.
  void tell(std::string_view what);

 private:
  void attempt(base::Time limit);
  void failed(base::Time began, base::Time limit, std::string_view reason);

  UpstreamSettings settings_;
  Outside& outside_;
  base::Log* log_;
  std::vector<UpstreamSession*> idle_;
  std::list<Waiting> waiters_;
  std::size_t attempts_ = 0;
  bool reachable_ = true;  // as the log has it
};

}  // namespace wharf::server
