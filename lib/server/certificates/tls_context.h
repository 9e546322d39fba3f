#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/address.h"
#include "link/environment.h"
#include "tls/context.h"
#include "wharf/config.hpp"

namespace wharf::server {

using MadeContext = base::Result<std::shared_ptr<const tls::Context>, std::string>;

/// A certificate that signs itself, for a door at that address.
base::Result<tls::KeyPair, std::string> made_certificate(const io::Address& address);

/// What the public settings of a door mean, with those certificates, which are a virtual host's or the door's own; without any, with
/// `pair`. The error is one line. Reads files.
MadeContext tls_context(const Tls& door, const std::string& host, const std::vector<Certificate>& certificates,
                        const tls::KeyPair& pair, const std::shared_ptr<tls::TicketKeys>& tickets);

/// The same of our own connections, all to one server.
MadeContext tls_context(const TlsClient& client);

/// The keys in the file of a door. The error is one line.
base::Result<std::vector<tls::TicketKey>, std::string> read_ticket_keys(const std::string& file);

/// All files that are named there.
std::vector<std::string> files_of(const Tls& door);
std::vector<std::string> files_of(const std::vector<Certificate>& certificates);
std::vector<std::string> files_of(const TlsClient& client);

void make_absolute(std::string& name);
/// Relative names of files are relative to the present working folder, even if that changes later.
void resolve_files(Tls& door);
void resolve_files(std::vector<Certificate>& certificates);

}  // namespace wharf::server
