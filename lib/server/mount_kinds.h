#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "files/mount.h"
#include "http/mount_service.h"
#include "link/environment.h"
#include "protocol/table.h"
#include "wharf/config.hpp"

namespace wharf::server {

class Clients;
class PasswordQueue;

/// What mounts of one host and loop share.
struct MountParts {
  base::Log& log;
  LoopFiles& files;
  const ProtocolTable& table;
  base::Time pipe_idle;
  PasswordQueue* passwords = nullptr;   ///< nullptr: passwords are checked on the loop's thread
  Outside* outside = nullptr;           ///< nullptr: no proxies, and nothing is done on other threads
  Clients* clients = nullptr;           ///< nullptr: nothing is counted by address
  std::string_view host{};              ///< the name of the virtual host
  std::string_view strict_transport{};  ///< the value of the field; empty: none is sent
  session::Users* users = nullptr;      ///< of the host, for what outlives the exchanges of a mount and uses it
};

using OpenedService = base::Result<std::unique_ptr<MountService>, std::string>;

/// What is known of one of the kinds of mounts that Mount::serves may hold. The mounts that it is asked about are of that kind.
class MountKind {
 public:
  MountKind() = default;
  MountKind(const MountKind&) = delete;
  MountKind& operator=(const MountKind&) = delete;

  /// An empty text, or what is wrong with the mount, in one line.
  [[nodiscard]] virtual std::string check(const Mount& mount) const = 0;
  /// The mount has been checked. The error is one line.
  [[nodiscard]] virtual OpenedService open(const Mount& mount, const MountParts& parts) const = 0;

  // What only some of them have.

  /// The row of the protocol table that it names; empty: none.
  [[nodiscard]] virtual std::string_view row_named(const Mount& /*mount*/) const { return {}; }
  /// Whether it makes connections of its own, one for each client's.
  [[nodiscard]] virtual bool makes_connections() const { return false; }
  /// The source that its pages need in a Content-Security-Policy for their styles; empty: none.
  [[nodiscard]] virtual std::string_view style_policy(const Mount& /*mount*/) const { return {}; }
  /// Makes relative names absolute, so that a later change of the working folder does not matter.
  virtual void resolve(Mount& /*mount*/) const {}

 protected:
  ~MountKind() = default;
};

/// Each kind defines it in a file of its own, mount_KIND.cpp, with mount_kind.h.
template <class Kind>
const MountKind& kind_of();

/// Of what the mount serves.
const MountKind& kind_of(const Mount& mount);

}  // namespace wharf::server
