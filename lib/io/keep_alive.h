#pragma once
#include "base/clock.h"
#include "wharf/limits.hpp"

namespace wharf::io {

/// When the system asks the other end of a silent TCP connection whether it is there (RFC 9293 section 3.8.4). This finds
/// connections that vanished, or that something on the way has forgotten. In whole seconds, rounded up, as the system counts them.
struct KeepAlive {
  base::Time idle = Limits{}.tcp_keep_alive_idle;          ///< without a byte; zero: the system never asks
  base::Time interval = Limits{}.tcp_keep_alive_interval;  ///< between two probes
  int count = Limits{}.tcp_keep_alive_count;               ///< probes without an answer; then the connection is cut
};

/// Sets it for a TCP socket. Sockets that are accepted from a listening one inherit it.
void keep_alive(int socket, const KeepAlive& how);

}  // namespace wharf::io
