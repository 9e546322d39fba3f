#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "access/credential_cache.h"
#include "access/password_file.h"
#include "access/password_queue.h"
#include "base/log.h"
#include "base/result.h"
#include "http/exchange.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// Lets in requests that name a user of a password file and the password (RFC 7617). One per mount and loop; outlives the exchanges
/// of its loop.
class AccessGate final : private PasswordAsker {
 public:
  /// `queue` outlives this; it may be nullptr: then passwords are checked on the loop's thread. The error is one line.
  static base::Result<std::unique_ptr<AccessGate>, std::string> open(const PasswordAccess& access, PasswordQueue* queue,
                                                                     base::Log& log);
  ~AccessGate();
  AccessGate(const AccessGate&) = delete;
  AccessGate& operator=(const AccessGate&) = delete;

  enum class Verdict : std::uint8_t {
    enters,   // `user` says who
    refused,  // and there is a response
    later     // the response, or Visit::go_on(), comes later: with the user, or without one, to be checked again
  };
  /// Within Handler::handle(). Credentials that were right recently enter at once, even if others wait.
  Verdict check(session::Exchange& exchange, std::string& user);

 private:
  AccessGate(PasswordFile file, std::string challenge, PasswordQueue* queue, base::Log& log);

  void reload(base::Time now);
  void refuse(session::Exchange& exchange) const;
  Verdict check_here(session::Exchange& exchange, const PasswordQuestion& question, std::string& user);
  void found_right(const PasswordQuestion& question, base::Time now) override;
  void tell(session::Exchange& exchange, const PasswordQuestion& question, Outcome outcome) override;

  PasswordFile file_;
  std::string challenge_;
  PasswordQueue* queue_;
  base::Log& log_;
  CredentialCache cache_;
};

}  // namespace wharf::server
