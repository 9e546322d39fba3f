#pragma once
#include <vector>

#include "load_options.h"

namespace bench {

// Opens and upgrades all connections, one after the other. Empty, with the reason on stderr, where one of them cannot be had.
std::vector<int> open_connections(const LoadOptions& options);

}  // namespace bench
