#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "link/environment.h"

namespace wharf::server {

/// Where a proxy mount sends requests: Proxy::to, taken apart.
struct ProxyTarget {
  base::Endpoint endpoint;
  std::string base;       ///< what the paths of requests begin with, percent-encoded; starts and ends with '/'
  std::string authority;  ///< for Host, where a client names none
};

/// Takes http://host, http://host:port/base/, unix:/path and unix:/path:/base/; a unix socket may also be '@' and an abstract
/// name. The error is one line.
base::Result<ProxyTarget, std::string> parse_proxy_target(const std::string& to);

/// What follows a decoded prefix, which ends with '/', in a percent-encoded path: as it is written there. Empty where the path
/// is the prefix without its last '/'; nullopt where the path does not begin with the prefix.
std::optional<std::string_view> behind_prefix(std::string_view encoded_path, std::string_view prefix);

/// Whether a percent-encoded path may lead another server out of the folder that it begins with: it has a segment "." or "..",
/// also percent-encoded, with parameters behind a ';', or beside a backslash; or its percent-encoding is broken.
bool may_climb(std::string_view encoded_path);

}  // namespace wharf::server
