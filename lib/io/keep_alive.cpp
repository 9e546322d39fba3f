#include "io/keep_alive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

namespace wharf::io {
namespace {

constexpr int longest = 32'767;  // seconds, and
constexpr int most = 127;        // probes that Linux allows

void set_option(int socket, int level, int option, int value) { setsockopt(socket, level, option, &value, sizeof value); }

int seconds(base::Time time) {
  const auto whole = std::chrono::ceil<std::chrono::seconds>(std::min<base::Time>(time, std::chrono::seconds(longest)));
  return static_cast<int>(std::max<std::chrono::seconds::rep>(whole.count(), 1));
}

}  // namespace

void keep_alive(int socket, const KeepAlive& how) {
  if (how.idle <= base::Time{0}) return;
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, seconds(how.idle));
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, seconds(how.interval));
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, std::clamp(how.count, 1, most));
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
}

}  // namespace wharf::io
