#pragma once
#include <vector>

#include "load_options.h"

namespace bench {

// Opens and upgrades all connections, one after the other. Empty, with the reason on stderr, if one of them fails.
std::vector<int> open_connections(const LoadOptions& options);

}  // namespace bench
