#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "link/environment.h"

namespace wharf::server {

/// Where a proxy mount sends requests: Proxy::to, parsed.
struct ProxyTarget {
  base::Endpoint endpoint;
  std::string base;       ///< the beginning of all paths, percent-encoded; starts and ends with '/'
  std::string authority;  ///< for Host, if a client names none or its own is not to pass
  std::string_view scheme = "http";
};

/// Takes http://host, http://host:port/base/, the same with https, unix:/path and unix:/path:/base/; a unix socket may also be '@' and
/// an abstract name. The error is one line.
base::Result<ProxyTarget, std::string> parse_proxy_target(const std::string& to);

/// The part of a percent-encoded path behind a decoded prefix, which ends with '/', as it is written there. Empty if the path is
/// the prefix without its last '/'; nullopt if the path does not begin with the prefix.
std::optional<std::string_view> behind_prefix(std::string_view encoded_path, std::string_view prefix);

/// Whether a percent-encoded path may lead another server out of the folder that it begins with: it has a segment "." or "..",
/// also percent-encoded, with parameters behind a ';', or beside a backslash; or its percent-encoding is broken.
bool may_climb(std::string_view encoded_path);

}  // namespace wharf::server
