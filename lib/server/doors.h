#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "io/listener.h"
#include "server/worker.h"
#include "tls/context.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// The ports and unix sockets of a server: bound at once, each with a socket for every loop, and handed to the workers later. It
/// outlives them.
class Doors {
 public:
  /// Both outlive this.
  Doors(const ServerOptions& options, base::Log& log) : options_(options), log_(log) {}

  /// As Server::listen(); `tls` is nullptr for a port without.
  Error listen(const std::string& interface, std::uint16_t port, const Tls* tls);
  Error listen_unix(const std::string& path);
  [[nodiscard]] std::vector<std::string> addresses() const;

  /// Hands the sockets of that loop to its worker, on its thread.
  Error open_to(Worker& worker, std::size_t number);
  /// Closes the sockets that no worker has.
  void close();

 private:
  struct Door {
    std::vector<io::ListeningSocket> sockets;  // by loop
    io::Address address;
    std::unique_ptr<tls::Context> tls;  // nullptr: none
  };

  const ServerOptions& options_;
  base::Log& log_;
  std::vector<Door> doors_;
};

}  // namespace wharf::server
