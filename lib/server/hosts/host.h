#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/clients.h"
#include "access/origins.h"
#include "base/result.h"
#include "codec/http/prepared_fields.h"
#include "link/users.h"
#include "observe/request_log.h"
#include "protocol/table.h"
#include "server/host_mount.h"
#include "server/hosts/host_limits.h"
#include "server/mount_kinds.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// What the hosts of one loop are made from.
struct HostParts {
  const RowList& rows;
  const SessionLimits& limits;
  session::Home& home;
  LoopFiles& files;
  PasswordQueue* passwords;  ///< nullptr: passwords are checked on the loop's thread
  Outside* outside;          ///< nullptr: there are no proxies, and nothing is done on other threads
  Clients* clients;          ///< nullptr: nothing is counted by address
};

/// One virtual host on one loop. Its exchanges, conversations, pipes and connections upstream are its users, and it outlives them.
class Host {
 public:
  /// An empty text, or what is wrong with a host, in one line.
  static std::string check(const VirtualHost& host);

  /// Starts its protocol table and opens its mounts and its log. The host has been checked. The error names what could not start.
  static base::Result<std::unique_ptr<Host>, Error> start(const VirtualHost& host, const HostParts& parts);

  /// The first of them is its own, the others are aliases; as names_of() has them: the empty one is for all others.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const AllowedOrigins& origins() const { return origins_; }
  [[nodiscard]] const codec::PreparedFields& strict_transport() const { return strict_transport_; }  ///< empty: not wanted
  [[nodiscard]] bool has_strict_transport() const { return strict_transport_.size() != 0; }
  [[nodiscard]] RequestLog* log() const { return log_.get(); }  ///< nullptr: none is written
  [[nodiscard]] const ProtocolTable& table() const { return *table_; }
  [[nodiscard]] session::Users& users() const { return *users_; }
  [[nodiscard]] const HostMount* mount_for(std::string_view decoded_path) const;

  /// Whether it has limits for requests of its own, or one of its mounts.
  [[nodiscard]] bool limits_requests() const;
  /// Whether the request is within the limits of the host; if not, there is a response.
  bool admits(session::Exchange& exchange) const;
  /// Gives the exchange the limits of the host. False: its body is longer, and there is a response.
  bool limit(session::Exchange& exchange) const;

  /// Opens what others have renamed or replaced: the log, the folders of mounts.
  void look_again(base::Log& log);
  /// No requests will come any more. The owner hears when nobody uses it, unless nobody does already.
  void retire(session::Users::Owner& owner);
  /// Its conversations get 1001, and its pipes are closed.
  void send_away(base::Log& log) { table_->guests().send_away(log); }

 private:
  explicit Host(const VirtualHost& host);

  std::vector<std::string> names_;
  codec::PreparedFields strict_transport_;
  AllowedOrigins origins_;
  std::unique_ptr<RequestLog> log_;
  std::optional<session::ExchangeLimits> exchange_limits_;  // nothing: those of all
  std::shared_ptr<RequestLimit> requests_;                  // nullptr: no limit; shared by the loops, as is
  std::shared_ptr<HostLoad> load_;                          // the same
  std::unique_ptr<ProtocolTable> table_;                    // outlives the mounts, which name its rows
  session::Users* users_ = nullptr;                         // of the table
  std::vector<std::unique_ptr<HostMount>> mounts_;          // longest prefix first
};

}  // namespace wharf::server
