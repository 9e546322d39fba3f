/// raw-proxy: hands every connection on to another server, as it is, on doors that are for it (Door::raw). Bytes go in both directions, no
/// faster than the other side takes them, and the end of one side's output is passed on.
///
/// | option | |
/// |---|---|
/// | onward | where to: host:port, [address]:port, unix:/path or unix:@name; also as ipv4:host:port. Must be given |
/// | within | milliseconds to reach it, 1 to 60,000; default 5,000. Then the client's connection is closed |
///
/// A server without the option starts all the same, as it may have no such door; a connection is then closed, and the log says why.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "options.h"
#include "wharf/protocol.hpp"

namespace {

struct RawProxy {
  struct Shared {
    explicit Shared(wharf::Scope scope)
        : onward(scope.option("onward").value_or("")), within(plugins::number_option(scope, "within", 5'000, {1, 60'000})) {
      constexpr std::string_view old_scheme = "ipv4:";
      if (onward.starts_with(old_scheme)) onward.erase(0, old_scheme.size());
    }

    std::string onward;
    std::chrono::milliseconds within;
  };

  RawProxy(wharf::Pipe client, const Shared& shared) : pipe(client) {
    if (pipe.forward(shared.onward, {}, shared.within)) return;
    pipe.log(wharf::Level::error, shared.onward.empty()
                                      ? "the option onward is missing, so nobody can be served"
                                      : "the option onward is '" + shared.onward + "'; it takes host:port or unix:/path");
    pipe.close();
  }

  wharf::Pipe pipe;

  /// Only if there is nowhere to go.
  void data(std::string_view /*bytes*/) const {}
};

}  // namespace

WHARF_EXPORT(wharf::protocol<RawProxy>("raw-proxy"))
