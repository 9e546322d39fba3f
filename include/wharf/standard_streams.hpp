#pragma once
/// Standard streams for the program around a server: a line that it prints must neither hold it up nor end it.

#include <cstdint>
#include <string_view>

#include "wharf/abi.h"

namespace wharf {

enum class StandardStream : std::uint8_t { output = 1, error = 2 };

/// Writes one line, to which a line feed is added; control characters and others that could begin a second line are written as
/// \xHH. Causes no signal (SIGPIPE, SIGXFSZ, SIGTTOU) and waits half a second at most; a line that is not written by then, as to a
/// pipe that nobody reads, may come later or not at all. Returns whether it was written. From any thread.
WHARF_VISIBLE bool print_line(StandardStream to, std::string_view line) noexcept;

/// Puts /dev/null in the place of each of the descriptors 0, 1 and 2 that is closed, so that nothing that is opened later gets its
/// number. The constructor of Server does it; call it yourself if your program opens something before.
WHARF_VISIBLE void occupy_standard_streams() noexcept;

}  // namespace wharf
