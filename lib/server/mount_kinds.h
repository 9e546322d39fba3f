#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/result.h"
#include "files/mount.h"
#include "http/mount_service.h"
#include "link/environment.h"
#include "protocol/table.h"
#include "wharf/config.hpp"

namespace wharf::server {

class PasswordQueue;

/// What mounts of one host and loop share.
struct MountParts {
  base::Log& log;
  LoopFiles& files;
  const ProtocolTable& table;
  base::Time pipe_idle;
  PasswordQueue* passwords = nullptr;  ///< nullptr: passwords are checked on the loop's thread
  Outside* outside = nullptr;          ///< nullptr: no proxies, and nothing is done on other threads
};

using OpenedService = base::Result<std::unique_ptr<MountService>, std::string>;

template <class Service, class... Arguments>
OpenedService opened(Arguments&&... arguments) {
  return std::unique_ptr<MountService>(std::make_unique<Service>(std::forward<Arguments>(arguments)...));
}

// Each kind of mount that Mount::serves may hold has these two, in a file of its own.

/// An empty text, or what is wrong with the mount, in one line.
std::string check_kind(const Files& files, const Mount& mount);        // mount_files.cpp
std::string check_kind(const Requests& requests, const Mount& mount);  // mount_requests.cpp
std::string check_kind(const Redirect& redirect, const Mount& mount);  // mount_redirect.cpp
std::string check_kind(const Proxy& proxy, const Mount& mount);        // mount_proxy.cpp
std::string check_kind(const Fixed& fixed, const Mount& mount);        // mount_fixed.cpp

/// The mount has been checked. The error is one line.
OpenedService open_kind(const Files& files, const Mount& mount, const MountParts& parts);
OpenedService open_kind(const Requests& requests, const Mount& mount, const MountParts& parts);
OpenedService open_kind(const Redirect& redirect, const Mount& mount, const MountParts& parts);
OpenedService open_kind(const Proxy& proxy, const Mount& mount, const MountParts& parts);
OpenedService open_kind(const Fixed& fixed, const Mount& mount, const MountParts& parts);

// What only some of them have.

/// The row of the protocol table that it names; empty: none.
template <class Kind>
std::string_view row_named(const Kind& /*kind*/) {
  return {};
}
inline std::string_view row_named(const Requests& requests) { return requests.protocol; }

/// Whether it makes connections of its own, one for each client's.
template <class Kind>
bool makes_connections(const Kind& /*kind*/) {
  return false;
}
inline bool makes_connections(const Proxy& /*proxy*/) { return true; }

/// The source that its pages need in a Content-Security-Policy for their styles; empty: none.
template <class Kind>
std::string_view style_policy(const Kind& /*kind*/) {
  return {};
}
std::string_view style_policy(const Files& files);

/// Makes relative names absolute, so that a later change of the working folder does not matter.
template <class Kind>
void resolve(Kind& /*kind*/) {}
inline void resolve(Files& files) { files = FileMount::resolved(std::move(files)); }

}  // namespace wharf::server
