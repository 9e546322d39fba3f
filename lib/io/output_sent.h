#pragma once

namespace wharf::io {

/// Of a TCP socket: not a byte was ever sent, so a reset can destroy none. False if the system does not say.
bool nothing_was_sent(int socket);

}  // namespace wharf::io
