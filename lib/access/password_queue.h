#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "access/recent_table.h"
#include "base/clock.h"
#include "base/peer_address.h"
#include "codec/http/basic_credentials.h"
#include "codec/secret.h"
#include "http/exchange.h"
#include "link/environment.h"

namespace wharf::server {

/// A password that a request has, and the hash of the user in the password file.
struct PasswordQuestion {
  enum class Known : std::uint8_t { no, yes };

  const codec::Credentials& credentials;
  const std::string& hash;
  Known known;  ///< no: the hash is one that nothing matches, so that the time is the same
};

/// Has passwords checked: a gate.
class PasswordAsker {
 public:
  enum class Outcome : std::uint8_t {
    right,
    wrong,
    crowded  ///< not checked, because too many wait
  };
  /// That password was right. Called before those who wait are told, and even if nobody waits any more.
  virtual void found_right(const PasswordQuestion& question, base::Time now) = 0;
  /// Responds to one of those who wait, or has it go on.
  virtual void tell(session::Exchange& exchange, const PasswordQuestion& question, Outcome outcome) = 0;

 protected:
  ~PasswordAsker() = default;
};

/// The passwords that are being checked for all gates of one loop, and those that wait for it. Hashes are slow on purpose, so a
/// client that sends many passwords must not keep the others waiting. The order is:
///
/// 1. A name and a password that were right before go before all others; then, but only every other time, a client from which the same
///    user came in before.
/// 2. Then the one whose client or user, whichever was served later, was served longest ago.
/// 3. If that is equal, the other of the two decides.
/// 4. Then whoever came first.
///
/// A client is an IPv4 address, or 64 bits of an IPv6 address. If too many wait, the largest crowd loses its last: nobody loses a
/// place to a client or a user that has as many, and a password that was right before is never lost.
class PasswordQueue {
 public:
  static constexpr std::size_t most_queued = 512;     ///< waiting
  static constexpr std::size_t most_of_client = 128;  ///< waiting for one client
  static constexpr std::size_t most_of_user = 128;    ///< waiting with one user's name
  /// For how long it is known who was right, for RecentTable::most passwords and users with their clients.
  static constexpr base::Time right_for{std::chrono::hours(24)};

  /// As many are checked at once as there are threads. `outside` outlives this; this outlives the askers and their exchanges.
  explicit PasswordQueue(Outside& outside);
  ~PasswordQueue();
  PasswordQueue(const PasswordQueue&) = delete;
  PasswordQueue& operator=(const PasswordQueue&) = delete;

  enum class Asked : std::uint8_t {
    later,   ///< the exchange waits, and `asker` is told
    crowded  ///< too many wait
  };
  /// Within Handler::handle(). Requests with the same credentials share a check.
  Asked ask(PasswordAsker& asker, const PasswordQuestion& question, session::Exchange& exchange);
  /// The asker is destroyed; none of its exchanges waits any more.
  void forget(const PasswordAsker& asker);

 private:
  struct Check;
  struct Waiting;
  using Checks = std::list<std::shared_ptr<Check>>;
  using Group = std::uint64_t Check::*;  // what a crowd has in common

  [[nodiscard]] std::uint64_t key_of(std::string text) const;
  std::shared_ptr<Check> find(const PasswordQuestion& question) const;
  bool make_room(const Check& newcomer);
  bool crowd_out(const Check& newcomer, const std::function<bool(const Check&)>& among, Group crowd);
  void turn_away(Check& check);
  static void tell_all(Check& check, PasswordAsker::Outcome outcome) noexcept;
  void take_off(const Check& check);
  [[nodiscard]] bool was_right(std::uint64_t key) const;
  [[nodiscard]] std::uint64_t served(std::uint64_t key) const;
  [[nodiscard]] bool goes_before(const Check& one, const Check& other) const;
  [[nodiscard]] std::shared_ptr<Check> next() const;
  void run_next();
  void checked(Check& check);

  Outside& outside_;
  const std::size_t most_checks_;  // at once
  codec::SecretKey key_;
  Checks checks_;  // queued and running, in the order they came
  std::size_t running_ = 0;
  std::uint64_t turn_ = 0;                      // counts checks that were begun
  std::uint64_t favoured_ = ~std::uint64_t{0};  // the last turn that went to a known client
  RecentTable<std::uint64_t> served_;           // clients and users: the turn in which one was served
  RecentTable<base::Time> right_before_;        // passwords, and users with their clients: when one was right
};

}  // namespace wharf::server
