#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "load_options.h"
#include "secure.h"

namespace bench {

struct Opened {
  int fd;
  Tls tls;  // nullptr: without
};

// Opens and upgrades all connections, one after the other. Empty, with the reason on stderr, if one of them fails.
std::vector<Opened> open_connections(const LoadOptions& options);

// Handshakes until the bound is reached, each on a new connection, which is ended by both sides.
class Handshaker {
 public:
  explicit Handshaker(const LoadOptions& options);
  // Returns the number of handshakes.
  std::uint64_t run(Bound bound);
  std::uint64_t errors() const { return errors_; }

 private:
  std::string shake_hands();

  const LoadOptions& options_;
  TlsContext context_;
  TlsSession session_;
  std::uint64_t errors_ = 0;
};

}  // namespace bench
