#pragma once
#include "base/clock.h"

namespace wharf::io {

/// When the system asks the other end of a silent TCP connection whether it is there (RFC 9293 section 3.8.4). One that went without a
/// word, or that something on the way has forgotten, is found out so. In whole seconds, rounded up, as the system counts them.
struct KeepAlive {
  base::Time idle{180'000};     ///< without a byte; zero: the system never asks
  base::Time interval{30'000};  ///< between two questions
  int count = 4;                ///< questions without an answer; then the connection is cut
};

/// Of a TCP socket. What a listening one has, those have that are accepted from it.
void keep_alive(int socket, const KeepAlive& how);

}  // namespace wharf::io
