#pragma once
#include <span>
#include <string>

#include "base/result.h"
#include "tls/certificate.h"

namespace wharf::tls {

/// A new key on P-256 and a certificate of it, signed by itself, for a year from yesterday on. `names` are host names and addresses
/// (RFC 5280 section 4.2.1.6); the first is the subject's too. The error is one line.
base::Result<KeyPair, std::string> self_signed(std::span<const std::string> names);

}  // namespace wharf::tls
