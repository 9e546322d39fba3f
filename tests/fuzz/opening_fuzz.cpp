#include "codec/opening.h"

#include <cstdint>
#include <string_view>

#include "fuzz/promise.h"

// Input: what a connection begins with. More bytes never change a decision, and there is one in time.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using wharf::codec::Opening;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Opening whole = wharf::codec::opening_of(bytes);
  require(whole != Opening::undecided || size < wharf::codec::longest_opening, "there is a decision in time");
  if (size > 512) return 0;
  for (std::size_t cut = 0; cut < size; ++cut) {
    const Opening part = wharf::codec::opening_of(bytes.substr(0, cut));
    require(part == Opening::undecided || part == whole, "more bytes change nothing");
  }
  return 0;
}
