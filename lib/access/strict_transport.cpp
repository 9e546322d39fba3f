#include "access/strict_transport.h"

#include "base/ascii.h"
#include "base/log.h"

namespace wharf::server {

std::string strict_transport_value(const StrictTransportSecurity& strict) {
  if (strict.max_age.count() <= 0) return {};
  return base::concat("max-age=", strict.max_age.count(), strict.include_subdomains == Switch::on ? "; includeSubDomains" : "",
                      strict.preload == Switch::on ? "; preload" : "");
}

std::string check_strict_transport(const VirtualHost& host) {
  const StrictTransportSecurity& strict = host.strict_transport_security;
  if (strict.max_age.count() < 0) return "the max_age of strict_transport_security is a number of seconds, not less than 0";
  const bool has_more = strict.include_subdomains == Switch::on || strict.preload == Switch::on;
  if (has_more && strict.max_age.count() == 0) return "strict_transport_security needs a max_age";
  if (strict.preload == Switch::on && strict.include_subdomains == Switch::off)
    return "the preload of strict_transport_security needs include_subdomains";
  if (strict.max_age.count() == 0) return {};
  for (const Mount& mount : host.mounts)
    for (const auto& [name, value] : mount.fields)
      if (base::equal_ignoring_case(name, strict_transport_field))
        return "mount '" + mount.prefix + "': " + name + " is sent because of strict_transport_security; leave one of the two out";
  return {};
}

}  // namespace wharf::server
