#include "base/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <initializer_list>

namespace wharf::base {

namespace {
std::array<std::atomic<bool>, 3> occupied;
}

/// open() takes the lowest free number. If it is higher, another thread was faster, and it is closed again.
void occupy_standard_descriptors() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
    int taken =
        ::open("/dev/null", number == STDIN_FILENO ? O_RDONLY : O_WRONLY);  // NOLINT: programs that this one starts get it, too
    if (taken < 0) taken = ::open("/", O_PATH);                             // if there is no /dev/null: neither read nor written
    if (taken > STDERR_FILENO) ::close(taken);
    occupied.at(static_cast<std::size_t>(number)) = true;
  }
}

bool is_standard_descriptor_occupied(int number) { return occupied.at(static_cast<std::size_t>(number)); }

}  // namespace wharf::base
