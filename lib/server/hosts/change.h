#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "wharf/config.hpp"

namespace wharf::server {

/// A change of the virtual hosts, as every loop prepares it and then makes it. It has been checked.
struct HostChange {
  enum class Kind : std::uint8_t {
    add,
    change,  ///< the host of the same name is replaced
    remove
  };

  Kind kind = Kind::add;
  VirtualHost host;  ///< of one that is removed, only the name
  Removal removal{};
};

}  // namespace wharf::server
