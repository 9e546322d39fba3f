#include "tls/server_name.h"

#include <cstdint>
#include <string_view>

#include "fuzz/promise.h"

// Input: the extension server_name of a ClientHello.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view extension(reinterpret_cast<const char*>(data), size);
  const std::string_view name = wharf::tls::server_name_in(extension);
  if (name.empty()) return 0;
  require(lies_in(name, extension), "a name is a part of the extension");
  require(name.size() + 5 <= extension.size(), "in front of it are sizes and its type");
  return 0;
}
