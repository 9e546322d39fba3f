#pragma once
/// A door: a port or a unix socket that a server listens on, and what it takes there.

#include <optional>
#include <string>

#include "wharf/tls.hpp"

namespace wharf {

struct Door {
  std::optional<Tls> tls{};  ///< nothing: without TLS
  std::string raw{};         ///< a raw row of the protocol table, which speaks on every connection from its first byte. Empty: HTTP
};

}  // namespace wharf
