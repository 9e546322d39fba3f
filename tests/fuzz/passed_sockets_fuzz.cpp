#include <cstdint>
#include <string_view>

#include "fuzz/promise.h"
#include "server/life/passed_sockets.h"

// Input: the environment variable by which a process learns of the sockets that it takes over. What can be read can be written, and
// is read as the same.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wharf;
  const auto all = server::read_passed({reinterpret_cast<const char*>(data), size});
  if (!all) return 0;
  require(all->size() <= server::most_passed, "they are counted");
  const auto again = server::read_passed(server::write_passed(*all));
  require(again && *again == *all, "what was read can be written");
  return 0;
}
