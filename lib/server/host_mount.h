#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "access/gate.h"
#include "access/request_limit.h"
#include "base/result.h"
#include "codec/http/prepared_fields.h"
#include "http/exchange.h"
#include "http/mount_service.h"
#include "server/mount_kinds.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// One mount of one virtual host on one loop. Outlives its exchanges.
class HostMount {
 public:
  /// The error is one line.
  static base::Result<std::unique_ptr<HostMount>, std::string> open(const Mount& mount, const MountParts& parts);

  /// An empty text, or what is wrong with a mount, in one line.
  static std::string check(const Mount& mount);

  [[nodiscard]] std::string_view prefix() const { return prefix_; }
  [[nodiscard]] bool matches(std::string_view decoded_path) const {
    return decoded_path.starts_with(prefix_) || decoded_path == std::string_view(prefix_).substr(0, prefix_.size() - 1);
  }
  [[nodiscard]] bool takes_upgrades() const { return takes_upgrades_; }
  /// As Mount::without_tls.
  [[nodiscard]] bool serves_without_tls() const { return without_tls_ == Switch::on; }

  [[nodiscard]] bool limits_requests() const { return requests_ != nullptr; }
  /// Whether the client does not ask too often; if not, there is a response.
  bool admits(session::Exchange& exchange) const { return !requests_ || requests_->admits(exchange); }
  /// Whether the client may come in; if not, there is or will be a response.
  AccessGate::Verdict enter(session::Exchange& exchange, std::string& user) const;
  /// Responds. `user` has come in; null data if no user was asked for.
  void serve(session::Exchange& exchange, std::string_view path, std::string_view user) const;
  /// Checks whether what it serves was replaced. Returns an empty text, or what is in the way, in one line.
  [[nodiscard]] std::string look_again() const { return service_->look_again(); }
  /// No other requests will come.
  void retire() const { service_->retire(); }
  /// For the head of every response.
  [[nodiscard]] const codec::PreparedFields& fields() const { return fields_; }

 private:
  HostMount() = default;

  std::string prefix_;
  codec::PreparedFields fields_;
  std::shared_ptr<RequestLimit> requests_;  // nullptr: no limit; shared by the loops
  std::unique_ptr<AccessGate> gate_;
  std::unique_ptr<MountService> service_;
  bool takes_upgrades_ = false;  // as the service says
  Switch without_tls_ = Switch::off;
};

}  // namespace wharf::server
