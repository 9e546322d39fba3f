#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/peer_address.h"
#include "io/address.h"
#include "io/listener.h"
#include "tls/named_contexts.h"
#include "wharf/door.hpp"

namespace wharf::server {

/// A door that has been bound. It outlives the workers, which look here for what to do with whoever comes in.
struct OpenDoor {
  Door settings;
  io::Address address;
  std::shared_ptr<const tls::CurrentContexts> tls{};  ///< asked for each connection; nullptr: without TLS
  std::vector<base::PeerNetwork> proxy_networks{};    ///< of settings.proxy_header_from
  std::vector<io::ListeningSocket> sockets{};         ///< at least one for each loop, until the workers have them
  std::string asked{};                                ///< the address, as it was before a port was chosen
};

}  // namespace wharf::server
