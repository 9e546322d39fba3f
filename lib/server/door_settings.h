#pragma once
#include <span>
#include <string>

#include "io/address.h"
#include "io/listener.h"
#include "wharf/door.hpp"

namespace wharf::server {

/// What is wrong with the settings of a door that has these addresses, as one line that says how to mend it: numbers that are none,
/// and what would have an effect at none of them. Empty: nothing.
std::string fault_of_settings(const Door& settings, std::span<const io::Address> addresses);

/// What a door asks of the file of a unix socket that the service manager made, and the file does not have, as one line. Empty:
/// nothing. What a door leaves as it is by default is not asked.
std::string fault_of_lent_file(const Door& settings, const io::SocketFileAccess& wanted, const std::string& path);

}  // namespace wharf::server
