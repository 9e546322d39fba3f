#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "server/credential_cache.h"
#include "server/outside.h"
#include "server/password_file.h"
#include "session/exchange.h"
#include "wharf/server.hpp"

namespace wharf::server {

/// Lets in who names a user of a password file and the password (RFC 7617). One per mount and loop; outlives the exchanges of its loop.
class AccessGate {
 public:
  /// Passwords being checked at once, each on a thread of the pool.
  static constexpr std::size_t most_checks = 4;
  /// And those that wait for it; beyond it: 503, to the client that has the most of them.
  static constexpr std::size_t most_queued = 64;

  /// `outside` may be nullptr: then passwords are checked on the loop's thread. The error is one line.
  static base::Result<std::unique_ptr<AccessGate>, std::string> open(const PasswordAccess& access, Outside* outside,
                                                                     base::Log& log);
  ~AccessGate();
  AccessGate(const AccessGate&) = delete;
  AccessGate& operator=(const AccessGate&) = delete;

  enum class Verdict : std::uint8_t {
    enters,   // `user` says who
    refused,  // and answered
    later     // the exchange is handled again, or answered, when it is known
  };
  /// Within Handler::handle().
  Verdict check(session::Exchange& exchange, std::string& user);

 private:
  struct Check;
  struct Waiting;
  enum class Known : std::uint8_t { no, yes };

  AccessGate(PasswordFile file, std::string challenge, Outside* outside, base::Log& log);

  void refuse(session::Exchange& exchange) const;
  Verdict check_elsewhere(session::Exchange& exchange, const codec::Credentials& credentials, const std::string& hash, Known known);
  bool make_room(std::string_view client);
  void turn_away(Check& check);
  void take_off(const Check& check);
  void run_next();
  void checked(Check& check);

  PasswordFile file_;
  std::string challenge_;
  Outside* outside_;
  base::Log& log_;
  CredentialCache cache_;
  std::vector<std::shared_ptr<Check>> checks_;  // queued and running, in the order they came
  std::size_t running_ = 0;
};

}  // namespace wharf::server
