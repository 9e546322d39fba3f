#include "server/hosts/names.h"

#include <utility>

#include "base/log.h"
#include "base/peer_address.h"

namespace wharf::server {
namespace {

/// In brackets, as RFC 5952 writes it; nullopt if it is no address of IPv6.
std::optional<std::string> ipv6_host(std::string_view name) {
  if (name.find(':') == name.rfind(':')) return std::nullopt;
  const auto address = base::PeerAddress::parse(name);
  if (!address || address->port() != 0 || address->scope() != 0 || (name.starts_with('[') && !name.ends_with(']')))
    return std::nullopt;
  if (address->family() == base::PeerAddress::Family::ipv4) return base::concat("[::ffff:", address->host(), "]");
  return base::concat("[", address->host(), "]");
}

}  // namespace

base::Result<std::optional<codec::HostPattern>, std::string> pattern_of_host(std::string_view name) {
  if (name.empty()) return std::optional<codec::HostPattern>();
  const std::optional<std::string> address = ipv6_host(name);
  auto pattern = codec::HostPattern::parse(address ? std::string_view(*address) : name);
  if (!pattern) return base::Failure{pattern.error()};
  return std::optional<codec::HostPattern>(std::move(*pattern));
}

std::vector<std::string> names_of(const VirtualHost& host) {
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    const auto pattern = pattern_of_host(name);
    names.push_back(pattern && *pattern ? (*pattern)->text() : std::string());
  };
  add(host.name);
  for (const std::string& alias : host.aliases) add(alias);
  return names;
}

}  // namespace wharf::server
