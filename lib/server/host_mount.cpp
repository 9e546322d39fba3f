#include "server/host_mount.h"

#include <utility>
#include <variant>

#include "access/clients.h"
#include "access/strict_transport.h"
#include "base/ascii.h"
#include "codec/http/head_writer.h"
#include "codec/http/target.h"
#include "server/moved.h"

namespace wharf::server {
namespace {

/// A browser heeds every policy of a response, so this one allows the style of folder listings.
void add_security(codec::PreparedFields& fields, const Mount& mount) {
  const std::string_view style = kind_of(mount).style_policy(mount);
  fields.add("Content-Security-Policy",
             base::concat("default-src 'self'; ", style.empty() ? "" : "style-src 'self' ", style, style.empty() ? "" : "; ",
                          "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"));
  fields.add("Referrer-Policy", "no-referrer");
  fields.add("X-Content-Type-Options", "nosniff");
  fields.add("X-Frame-Options", "DENY");
}

std::string check_fields(const Mount& mount) {
  for (const auto& [name, value] : mount.fields) {
    if (!base::is_token(name)) return "mount '" + mount.prefix + "': '" + name + "' is no name of a field";
    if (!base::is_field_value(value)) return "mount '" + mount.prefix + "': the value of " + name + " has a control character";
    if (codec::is_server_field(name)) return "mount '" + mount.prefix + "': " + name + " is written by the server itself";
  }
  return {};
}

}  // namespace

const MountKind& kind_of(const Mount& mount) {
  return std::visit([]<class Kind>(const Kind& /*kind*/) -> const MountKind& { return kind_of<Kind>(); }, mount.serves);
}

std::string HostMount::check(const Mount& mount) {
  if (mount.prefix.empty() || mount.prefix.front() != '/' || mount.prefix.back() != '/')
    return "mount prefix '" + mount.prefix + "' must start and end with '/'";
  if (const auto decoded = codec::percent_decode(mount.prefix); decoded && *decoded != mount.prefix)
    return "mount prefix '" + mount.prefix + "' is compared with decoded paths: write '" + *decoded + "'";
  if (mount.prefix.find_first_of(";\\") != std::string::npos || mount.prefix.find("//") != std::string::npos)
    return "mount prefix '" + mount.prefix + "' must not have ';', '\\' or '//', which servers read in different ways";
  if (mount.prefix.find("/./") != std::string::npos || mount.prefix.find("/../") != std::string::npos)
    return "mount prefix '" + mount.prefix + "' is never asked for: clients leave out '.' and '..'";
  if (std::string fault = RequestLimit::check(mount.request_rate); !fault.empty()) return "mount '" + mount.prefix + "': " + fault;
  if (mount.access && mount.access->file.empty()) return "mount '" + mount.prefix + "': its password file has no name";
  if (std::string fault = check_fields(mount); !fault.empty()) return fault;
  return kind_of(mount).check(mount);
}

base::Result<std::unique_ptr<HostMount>, std::string> HostMount::open(const Mount& mount, const MountParts& parts) {
  std::unique_ptr<HostMount> opened(new HostMount);
  opened->prefix_ = mount.prefix;
  opened->without_tls_ = mount.without_tls;
  if (!parts.strict_transport.empty()) opened->fields_.add_always(strict_transport_field, parts.strict_transport);
  if (mount.security == SecurityFields::on) add_security(opened->fields_, mount);
  for (const auto& [name, value] : mount.fields) opened->fields_.add(name, value);
  if (parts.clients != nullptr) {
    const std::string of_host = parts.host.empty() ? std::string() : base::concat(" of the virtual host '", parts.host, "'");
    opened->requests_ = parts.clients->requests_of(base::concat("the mount '", mount.prefix, "'", of_host), mount.request_rate);
  }
  if (mount.access) {
    auto gate = AccessGate::open(*mount.access, parts.passwords, parts.log);
    if (!gate) return base::Failure{gate.error()};
    opened->gate_ = std::move(*gate);
  }
  auto service = kind_of(mount).open(mount, parts);
  if (!service) return base::Failure{service.error()};
  opened->service_ = std::move(*service);
  opened->takes_upgrades_ = opened->service_->takes_upgrades();
  return opened;
}

AccessGate::Verdict HostMount::enter(session::Exchange& exchange, std::string& user) const {
  return gate_ ? gate_->check(exchange, user) : AccessGate::Verdict::enters;
}

void HostMount::serve(session::Exchange& exchange, std::string_view path, std::string_view user) const {
  const bool lacks_slash = path.size() < prefix_.size();
  if (!lacks_slash || !service_->adds_slash(exchange.request())) return service_->serve(exchange, path, user);
  const std::string query = exchange.request().query.empty() ? std::string() : base::concat("?", exchange.request().query);
  exchange.respond(moved(301, codec::percent_encode_path(prefix_) + query));
}

}  // namespace wharf::server
