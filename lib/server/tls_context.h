#pragma once
#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "io/address.h"
#include "tls/context.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// What the public settings mean for a port at that address. What an operator should know of the certificate is logged. The error is
/// one line.
base::Result<std::unique_ptr<tls::Context>, std::string> tls_context(const Tls& tls, const io::Address& address, base::Log& log);

}  // namespace wharf::server
