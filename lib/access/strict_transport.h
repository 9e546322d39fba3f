#pragma once
#include <string>

#include "wharf/config.hpp"

namespace wharf::server {

inline constexpr std::string_view strict_transport_field = "Strict-Transport-Security";

/// The value of the field (RFC 6797 section 6.1); empty: nothing is sent.
std::string strict_transport_value(const StrictTransportSecurity& strict);

/// An empty text, or what is wrong with that of a host, in one line.
std::string check_strict_transport(const VirtualHost& host);

}  // namespace wharf::server
