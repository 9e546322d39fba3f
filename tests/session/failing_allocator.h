#pragma once
#include <cstddef>

// For an executable of its own: it replaces the system's allocator.

namespace wharf::test {

/// Counts down to the allocation of this thread that fails; 0: none does.
extern thread_local std::size_t until_failure;

/// Bytes that are allocated and not freed; 0 if that is not known.
std::size_t live_bytes();

}  // namespace wharf::test
