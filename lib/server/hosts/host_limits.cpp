#include "server/hosts/host_limits.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace wharf::server {
namespace {

using Milliseconds = std::chrono::milliseconds;

void take(const std::optional<Milliseconds>& given, base::Time& limit) {
  if (given) limit = bounded(*given);
}

/// 0 is no limit.
void take_or_never(const std::optional<Milliseconds>& given, base::Time& limit) {
  if (given) limit = *given > Milliseconds(0) ? bounded(*given) : base::never;
}

}  // namespace

base::Time bounded(Milliseconds limit) {
  static constexpr base::Time longest = std::chrono::hours(24 * 365);
  return std::clamp(base::Time{limit}, base::Time{0}, longest);
}

HostLimits limits_of_hosts(const Limits& server) {
  return {.body = server.body,
          .body_idle = server.body_idle,
          .body_grace = server.body_grace,
          .body_rate = server.body_rate,
          .answer_time = server.answer_time,
          .keep_alive_idle = server.keep_alive_idle,
          .message = server.message,
          .close_handshake = server.close_handshake,
          .ping_after = server.ping_after,
          .pong_timeout = server.pong_timeout,
          .pipe_idle = server.pipe_idle};
}

void apply(const HostLimits& given, session::WsLimits& limits) {
  if (given.message) limits.message = *given.message;
  take(given.close_handshake, limits.close_handshake);
  take_or_never(given.ping_after, limits.ping_after);
  take_or_never(given.pong_timeout, limits.pong_timeout);
  take_or_never(given.pipe_idle, limits.pipe_idle);
}

void apply(const HostLimits& given, session::ExchangeLimits& limits) {
  if (given.body) limits.body = *given.body != 0 ? *given.body : session::ExchangeLimits::any_size;
  if (given.body_rate) limits.body_rate = *given.body_rate;
  take(given.body_idle, limits.body_idle);
  take(given.body_grace, limits.body_grace);
  take(given.answer_time, limits.answer_time);
  take(given.keep_alive_idle, limits.idle);
}

}  // namespace wharf::server
