#pragma once
#include <chrono>

namespace wharf::base {

/// A moment on the loop's monotonic clock: milliseconds since an arbitrary start. Tests drive a clock of their own.
using Time = std::chrono::milliseconds;

/// A deadline that never comes.
inline constexpr Time never = Time::max();

}  // namespace wharf::base
