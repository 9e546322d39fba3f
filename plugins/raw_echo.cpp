/// raw-echo: sends back all bytes that come, on doors that are for it (Door::raw); no HTTP, no frames. A client that ends its output still
/// gets what is left, and then the end.

#include <string_view>

#include "wharf/protocol.hpp"

namespace {

struct RawEcho {
  wharf::Pipe pipe;

  /// If the client does not read, the server stops reading from it.
  void data(std::string_view bytes) const { pipe.write(bytes); }
  void ended() const { pipe.close(); }
};

}  // namespace

WHARF_EXPORT(wharf::protocol<RawEcho>("raw-echo"))
