#pragma once
#include <exception>
#include <string_view>

#include "base/log.h"

namespace wharf::base {

/// Makes a call for a caller through which no exception may pass, such as libuv: an exception ends here, in a line that begins with
/// `what`. If there is no memory, there may be none for the line either.
template <class Call>
void sheltered(Log& log, std::string_view what, Call&& call) noexcept {
  try {
    try {
      call();
    } catch (const std::exception& error) {
      log.error(what, " failed: ", std::string_view(error.what()));
    }
  } catch (...) {
  }
}

}  // namespace wharf::base
