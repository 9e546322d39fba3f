#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "codec/host_pattern.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// What requests may call a virtual host of that name, an IPv6 address with or without brackets; nothing for the empty name, which
/// is for all others. The error is one line.
base::Result<std::optional<codec::HostPattern>, std::string> pattern_of_host(std::string_view name);

/// Its name and its aliases, as the patterns have them; the empty one is for all others. They have been checked.
std::vector<std::string> names_of(const VirtualHost& host);

/// Values by the names of virtual hosts.
template <class Value>
class HostNames {
 public:
  /// A name of names_of(), not empty. False: it is there already, and stays as it is.
  bool add(std::string_view name, Value value) {
    const auto pattern = pattern_of_host(name);
    return pattern && *pattern && table_.add(**pattern, std::move(value));
  }
  /// By the name in a Host field, without port, or in a TLS handshake; nullptr: it is none of them.
  [[nodiscard]] const Value* find(std::string_view name) const {
    if (!name.starts_with('[')) return table_.find(name);
    const auto address = pattern_of_host(name);  // it has more than one spelling
    return address && *address ? table_.find((*address)->text()) : nullptr;
  }

 private:
  codec::HostTable<Value> table_;
};

}  // namespace wharf::server
