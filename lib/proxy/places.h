#pragma once
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "wharf/config.hpp"

// Places on a server behind a prefix that its responses name, as clients must read them.

namespace wharf::server {

/// The two names of one folder: below a mount for clients, and on the server that the mount asks.
struct ProxyPlaces {
  std::string_view prefix;           ///< of the mount, percent-decoded; starts and ends with '/'
  std::string_view base;             ///< on the server, percent-decoded; starts and ends with '/'
  std::string_view target;           ///< the authority of the server
  std::string_view host;             ///< the authority that the client named; may be empty
  std::string_view front_host = {};  ///< the authority that a trusted front named instead; may be empty
  std::string_view scheme = "http";  ///< of the server
};

/// A reference (RFC 3986 section 4.1) as in Location and Content-Location. One that points into the base becomes one that points
/// below the prefix: a path stays a path, a URL of the client's own host or its front's stays one, and a URL of the target with
/// its scheme becomes a path. Everything else is left as it is: other hosts, other folders, relative paths, and what begins with the prefix
/// already, because the server heeds X-Forwarded-Prefix.
std::string map_reference(std::string_view reference, const ProxyPlaces& places);

/// The value of a Refresh field: seconds, and perhaps a reference, which is mapped.
std::string map_refresh(std::string_view value, const ProxyPlaces& places);

/// The value of a Set-Cookie field (RFC 6265 section 4.1). A Path in the base becomes one below the prefix, and one above it the
/// prefix itself, except "/", which covers both. A Domain that is the target's host is removed, unless it is the client's host too:
/// browsers refuse such a cookie. A cookie whose name begins with __Host- stays as it is, since it must have the path "/".
std::string map_cookie(std::string_view value, const ProxyPlaces& places);

/// Maps the fields of a response as a proxy's switches say.
void map_fields(session::Fields& fields, const ProxyPlaces& places, const Proxy& proxy);

}  // namespace wharf::server
