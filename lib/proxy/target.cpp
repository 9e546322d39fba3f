#include "proxy/target.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "base/peer_address.h"
#include "codec/http/target.h"

namespace wharf::server {
namespace {

constexpr std::string_view unix_scheme = "unix:";

base::Failure<std::string> fault(const std::string& to, std::string_view what) {
  return base::Failure{std::string("proxy target '").append(to).append("': ").append(what)};
}

/// An empty text, or what is wrong with the base path.
std::string_view fault_of_base(std::string_view base) {
  if (!base.ends_with('/')) return "its path must end with '/'";
  if (base.find('?') != std::string_view::npos || !codec::split_target(base))
    return "its path has a query, a fragment, or what must be percent-encoded";
  if (may_climb(base)) return "its path has '.' or '..', or a broken percent-encoding";
  return {};
}

base::Result<ProxyTarget, std::string> parse_unix(const std::string& to) {
  const std::string_view rest = std::string_view(to).substr(unix_scheme.size());
  const std::size_t colon = std::min(rest.find(":/"), rest.size());
  ProxyTarget target{{}, "/", "localhost", "http"};
  target.endpoint.path = rest.substr(0, colon);
  if (target.endpoint.path.empty() || (target.endpoint.path.front() != '/' && target.endpoint.path.front() != '@'))
    return fault(to, "the path of a unix socket starts with '/'");
  if (const std::string_view wrong = base::fault_of_socket_path(target.endpoint.path); !wrong.empty()) return fault(to, wrong);
  if (colon != rest.size()) target.base = rest.substr(colon + 1);
  if (const std::string_view wrong = fault_of_base(target.base); !wrong.empty()) return fault(to, wrong);
  return target;
}

base::Result<ProxyTarget, std::string> parse_http(const std::string& to, std::string_view scheme) {
  const std::size_t begin = scheme.size() + std::string_view("://").size();
  const std::string_view authority = codec::target_authority(to);
  const auto parts = codec::split_authority(authority);
  if (!parts) return fault(to, base::concat("there is no host, or no port from 1 to 65535, behind ", scheme, "://"));
  ProxyTarget target{
      {std::string(parts->bare_host()), std::string(parts->port.empty() ? codec::usual_port(scheme) : parts->port), {}},
      "/",
      std::string(authority),
      scheme};
  if (target.endpoint.port.find_first_not_of('0') == std::string::npos) return fault(to, "nobody listens on port 0");
  if (const std::string_view base = std::string_view(to).substr(begin + authority.size()); !base.empty()) target.base = base;
  if (const std::string_view wrong = fault_of_base(target.base); !wrong.empty()) return fault(to, wrong);
  return target;
}

/// Takes one character from the front, percent-decoded.
char take_character(std::string_view& encoded) {
  const int high = encoded.size() >= 3 && encoded.front() == '%' ? base::hex_value(encoded[1]) : -1;
  const int low = high >= 0 ? base::hex_value(encoded[2]) : -1;
  const char c = low >= 0 ? static_cast<char>(high * 16 + low) : encoded.front();
  encoded.remove_prefix(low >= 0 ? 3 : 1);
  return c;
}

}  // namespace

base::Result<ProxyTarget, std::string> parse_proxy_target(const std::string& to) {
  if (to.starts_with(unix_scheme)) return parse_unix(to);
  for (const std::string_view scheme : {"http", "https"}) {
    const std::string_view behind = std::string_view(to).substr(std::min(scheme.size(), to.size()));
    if (behind.starts_with("://") && base::equal_ignoring_case(std::string_view(to).substr(0, scheme.size()), scheme))
      return parse_http(to, scheme);
  }
  return fault(to, "it starts neither with http:// or https:// nor with unix:/");
}

std::optional<std::string_view> behind_prefix(std::string_view encoded_path, std::string_view prefix) {
  std::string_view rest = encoded_path;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (rest.empty() && i + 1 == prefix.size()) return rest;
    if (rest.empty() || take_character(rest) != prefix[i]) return std::nullopt;
  }
  return rest;
}

bool may_climb(std::string_view encoded_path) {
  const auto decoded = codec::percent_decode(encoded_path);
  if (!decoded) return true;
  for (std::string_view rest = *decoded; !rest.empty();) {
    const std::size_t end = std::min(rest.find_first_of("/\\"), rest.size());
    const std::string_view segment = rest.substr(0, end);
    if (const std::string_view name = segment.substr(0, segment.find(';')); name == "." || name == "..") return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

}  // namespace wharf::server
