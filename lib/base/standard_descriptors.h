#pragma once

namespace wharf::base {

/// Puts /dev/null in the place of each of the descriptors 0, 1 and 2 that is closed, so that no socket gets their numbers: it would
/// be read from and written to as if it were a standard stream, and libuv ends the process rather than close one. Call it before
/// anything is opened.
void occupy_standard_descriptors();

/// Whether that descriptor was closed, so that everything written to it is lost. From any thread.
[[nodiscard]] bool is_standard_descriptor_occupied(int number);

}  // namespace wharf::base
