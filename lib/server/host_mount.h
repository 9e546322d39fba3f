#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "access/gate.h"
#include "base/result.h"
#include "files/mount.h"
#include "http/exchange.h"
#include "link/environment.h"
#include "protocol/protocol.h"
#include "proxy/mount.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// The path of a request: as it came, and percent-decoded once.
struct RequestPath {
  std::string_view encoded;
  std::string_view decoded;
  std::string_view query;
};

/// What mounts of one loop share.
struct MountParts {
  base::Log& log;
  LoopFiles& files;
  base::Time pipe_idle;
  PasswordQueue* passwords = nullptr;  ///< nullptr: passwords are checked on the loop's thread
  Outside* outside = nullptr;          ///< nullptr: no proxies, and nothing is done on other threads
};

/// One mount of one virtual host on one loop. Outlives its exchanges.
class HostMount {
 public:
  /// `protocol` is the row that Requests names. The error is one line.
  static base::Result<std::unique_ptr<HostMount>, std::string> open(const Mount& mount, session::Protocol* protocol,
                                                                    const MountParts& parts);

  /// An empty text, or what is wrong with a mount, in one line.
  static std::string check(const Mount& mount);

  [[nodiscard]] std::string_view prefix() const { return prefix_; }
  [[nodiscard]] bool matches(std::string_view decoded_path) const {
    return decoded_path.starts_with(prefix_) || decoded_path == std::string_view(prefix_).substr(0, prefix_.size() - 1);
  }
  [[nodiscard]] bool is_proxy() const { return std::holds_alternative<std::unique_ptr<ProxyMount>>(serves_); }

  /// Whether the client may come in; where not, it has been or will be answered.
  AccessGate::Verdict enter(session::Exchange& exchange, std::string& user) const;
  /// Answers. `user` is who has come in; null data where nobody was asked.
  void serve(session::Exchange& exchange, const RequestPath& path, std::string_view user) const;
  /// Sees whether what it serves is another by now. An empty text, or what is in the way, in one line.
  std::string look_again() const;
  /// Lines for the head of every answer.
  [[nodiscard]] std::string_view lines() const { return lines_; }

 private:
  HostMount() = default;
  [[nodiscard]] bool lacks_slash(const RequestPath& path) const { return path.decoded.size() < prefix_.size(); }
  void add_slash(session::Exchange& exchange, const RequestPath& path) const;
  void serve_files(session::Exchange& exchange, FileMount& files, const RequestPath& path) const;
  void redirect(session::Exchange& exchange, const Redirect& redirect, const RequestPath& path) const;

  std::string prefix_;
  std::string lines_;
  std::unique_ptr<AccessGate> gate_;
  std::variant<std::unique_ptr<FileMount>, session::Protocol*, Redirect, std::unique_ptr<ProxyMount>, Fixed> serves_;
};

}  // namespace wharf::server
