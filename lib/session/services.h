#pragma once
#include "wharf/abi.h"

namespace wharf::session {

/// The table of functions that rows call.
const wharf_services& service_table();

}  // namespace wharf::session
