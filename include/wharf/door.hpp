#pragma once
/// A door: a port or a unix socket that a server listens on, and what it takes there.

#include <optional>

#include "wharf/tls.hpp"

namespace wharf {

struct Door {
  std::optional<Tls> tls{};  ///< nothing: without TLS
};

}  // namespace wharf
