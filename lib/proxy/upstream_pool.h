#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "http/h1_client.h"
#include "link/environment.h"
#include "link/link_share.h"
#include "link/users.h"

namespace wharf::server {

/// Why a request got no connection, or no response.
enum class UpstreamFailure : std::uint8_t {
  unreachable,  // no connection
  crowded,      // too many have connections, or wait for one
  late,         // no connection, or no response, in time
  faulty        // no whole response
};

/// What a Proxy says of its connections.
struct UpstreamSettings {
  std::string name;  ///< for the log
  base::Endpoint endpoint;
  base::Time connect_time;
  std::size_t idle_connections;
  session::H1ClientLimits limits;
  std::size_t most_connections;      ///< idle ones, those that left HTTP, and those that are being made; 0: no bound
  std::size_t most_waiting;          ///< requests that wait for a connection
  session::Users* users = nullptr;   ///< of the host: each connection is one
  std::unique_ptr<Dialer> dialer{};  ///< makes them; nullptr: the world outside does
};

/// The connections of one loop to one server upstream: those that are kept idle, and those that are being made. A connection
/// that is being made belongs to nobody: it goes to the one that has waited longest, and is not made again for the next one if its
/// first waiter leaves. If nobody waits for it, and it would not be kept either, it is given up. So there are never more of them than
/// clients that wait and connections that are kept, however quickly clients come and leave. If there may be no more connections,
/// requests wait in order for a free one.
class UpstreamPool final : private session::H1ClientOwner, private session::LinkCounter {
 public:
  /// Waits for a new connection. Called on a fresh stack.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void connected(session::H1Client& client) = 0;
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

  /// The idle connection that was used last and can still be used; nullptr: there is none, or others wait for one.
  session::H1Client* take();
  /// Calls back once, later, unless forget() comes first. The place is the waiter's until then. nullopt: too many wait.
  std::optional<Place> connect(Waiter& waiter);
  void forget(Place place) noexcept;
  /// Whether an attempt is under way whose connection, or failure, will be the waiter's.
  [[nodiscard]] bool is_under_way(Place place) const;

  /// Ends those that are idle, and those that are being made for nobody, and keeps none from here on.
  void retire();

  /// Logs that a request was refused because there may be no more connections: once, until all that wait have been served.
  void tell_crowded();

 private:
  void connected(session::H1Client& client) override;
  bool idle(session::H1Client& client) override;
  void idle_ended(const session::H1Client& client) noexcept override;
  void response_failed(std::string_view reason) override;
  void link_gone() noexcept override;

  session::H1Client* take_idle();
  void hand_over();
  void count_one();
  void count_one_less() noexcept;
  [[nodiscard]] bool is_room() const { return settings_.most_connections == 0 || connections_ < settings_.most_connections; }
  [[nodiscard]] bool may_attempt() const { return attempts_.size() < waiters_.size() && is_room(); }
  void attempt(base::Time limit);
  [[nodiscard]] bool try_attempt(base::Time limit) noexcept;
  void attempt_for_others() noexcept;
  void give_up_surplus() noexcept;
  void serve_first(session::H1Client& client);
  void failed(base::Time began, base::Time limit, std::string_view reason);

  UpstreamSettings settings_;
  Outside& outside_;
  base::Log* log_;
  session::H1ClientContext clients_;
  std::vector<session::H1Client*> idle_;
  std::list<Waiting> waiters_;
  std::list<std::unique_ptr<Attempt>> attempts_;  // the one begun last is at the end
  std::size_t connections_ = 0;                   // including attempts
  bool handing_over_ = false;                     // at the end of this turn
  bool reachable_ = true;                         // as the log last said
  bool crowded_ = false;                          // likewise
};

}  // namespace wharf::server
