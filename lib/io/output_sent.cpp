#include "io/output_sent.h"

#include <linux/tcp.h>  // <netinet/tcp.h> has less of tcp_info
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace wharf::io {

bool nothing_was_sent(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  constexpr socklen_t wanted = offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && size >= wanted && info.tcpi_bytes_sent == 0;
}

}  // namespace wharf::io
