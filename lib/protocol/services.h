#pragma once
#include "wharf/abi.h"

namespace wharf::session {

/// The table of functions that rows call.
const wharf_services& service_table();

/// The part of it that is about HTTP.
const wharf_http_services& http_service_table();

}  // namespace wharf::session
