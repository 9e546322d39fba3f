#pragma once
#include <chrono>

#include "base/clock.h"
#include "http/exchange.h"
#include "protocol/protocol.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// The limits of what speaks on a connection as soon as the virtual host is known.
struct SessionLimits {
  session::WsLimits ws{};
  session::ExchangeLimits exchange{};
};

/// A limit of time that can be added to the clock without overflow, even if it means "never".
base::Time bounded(std::chrono::milliseconds limit);

/// All that a virtual host may have otherwise, as the server has it.
HostLimits limits_of_hosts(const Limits& server);

/// Those that are set replace what is there.
void apply(const HostLimits& given, session::WsLimits& limits);
void apply(const HostLimits& given, session::ExchangeLimits& limits);

}  // namespace wharf::server
