#pragma once
#include "wharf/abi.h"

namespace wharf::session {

/// A call from C, through which no exception may pass: `otherwise` where there is no memory for it.
template <class Result, class Call>
Result guarded(Result otherwise, Call&& call) noexcept {
  try {
    return call();
  } catch (...) {
    return otherwise;
  }
}

/// The table of functions that rows call.
const wharf_services& service_table();

/// The part of it that is about HTTP.
const wharf_http_services& http_service_table();

}  // namespace wharf::session
