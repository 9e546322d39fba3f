#include "proxy/places.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/http/target.h"
#include "proxy/target.h"

namespace wharf::server {
namespace {

bool begins_with(std::string_view text, std::string_view lower_case) {
  return base::equal_ignoring_case(text.substr(0, lower_case.size()), lower_case);
}

bool is_white(char c) { return c == ' ' || c == '\t'; }

/// A reference that names a host or begins with '/', cut into its parts.
struct Parts {
  std::string_view scheme;     // http or https; empty: that of the request
  std::string_view authority;  // empty: none
  std::string_view origin;     // scheme and authority, as written
  std::string_view path;       // empty or begins with '/'
  std::string_view rest;       // query and fragment
};

std::optional<Parts> split_reference(std::string_view reference) {
  Parts parts;
  for (const std::string_view scheme : {"http:", "https:"})
    if (begins_with(reference, scheme)) parts.scheme = reference.substr(0, scheme.size() - 1);
  std::string_view behind = reference.substr(parts.scheme.empty() ? 0 : parts.scheme.size() + 1);
  if (behind.starts_with("//")) {
    parts.authority = behind.substr(2, behind.find_first_of("/?#", 2) - 2);
    behind.remove_prefix(2 + parts.authority.size());
    if (parts.authority.empty()) return std::nullopt;
  } else if (!parts.scheme.empty() || !behind.starts_with('/')) {
    return std::nullopt;
  }
  parts.origin = reference.substr(0, reference.size() - behind.size());
  parts.path = behind.substr(0, behind.find_first_of("?#"));
  parts.rest = behind.substr(parts.path.size());
  return parts;
}

bool is_same_authority(std::string_view one, std::string_view other, std::string_view scheme) {
  const auto first = codec::split_authority(one);
  const auto second = codec::split_authority(other);
  if (!first || !second || !base::equal_ignoring_case(first->host, second->host)) return false;
  const std::string_view usual = codec::usual_port(begins_with(scheme, "https") ? "https" : "http");
  return (first->port.empty() ? usual : first->port) == (second->port.empty() ? usual : second->port);
}

std::string_view without_slash(std::string_view folder) { return folder.substr(0, folder.size() - 1); }

/// The path as clients know it; nullopt: it is not in the base, or is one that clients know already.
std::optional<std::string> map_path(std::string_view path, const ProxyPlaces& places) {
  const auto in_base = behind_prefix(path, places.base);
  if (!in_base) return std::nullopt;
  if (const auto in_mount = behind_prefix(path, places.prefix); in_mount && in_mount->size() < in_base->size()) return std::nullopt;
  const bool is_root = in_base->empty() && !path.ends_with('/');
  std::string mapped = codec::percent_encode_path(is_root ? without_slash(places.prefix) : places.prefix);
  if (mapped.empty()) mapped = "/";
  return mapped += *in_base;
}

/// "//", or what browsers take for it, would begin the name of a host.
std::string as_path(std::string path, std::string_view rest) {
  if (path.size() > 1 && (path[1] == '/' || path[1] == '\\' || path[1] == '\t')) path.insert(0, "/.");
  return path += rest;
}

std::string map_cookie_path(std::string_view path, const ProxyPlaces& places) {
  std::string root = places.prefix == "/" ? "/" : codec::percent_encode_path(without_slash(places.prefix));
  const auto in_base = behind_prefix(path, places.base);
  if (in_base && in_base->empty()) {
    const auto in_mount = behind_prefix(path, places.prefix);
    return in_mount && in_mount->empty() ? std::string(path) : root;
  }
  if (!in_base && path.size() > 1) {
    const std::string folder = base::concat(path, path.ends_with('/') ? "" : "/");
    if (codec::percent_encode_path(places.base).starts_with(folder)) return root;
  }
  return map_path(path, places).value_or(std::string(path));
}

/// RFC 6265 section 5.1.3.
bool is_within_domain(std::string_view host, std::string_view domain) {
  if (host.size() < domain.size() || !base::equal_ignoring_case(host.substr(host.size() - domain.size()), domain)) return false;
  return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

bool is_foreign_domain(std::string_view domain, const ProxyPlaces& places) {
  if (domain.starts_with('.')) domain.remove_prefix(1);
  return !domain.empty() && base::equal_ignoring_case(domain, codec::host_of(places.target)) &&
         !is_within_domain(codec::host_of(places.host), domain);
}

/// `name=value` as it has to be sent; nullopt: not at all.
std::optional<std::string> map_attribute(std::string_view attribute, const ProxyPlaces& places) {
  const std::size_t equals = std::min(attribute.find('='), attribute.size());
  const std::string_view name = base::trim(attribute.substr(0, equals));
  const std::string_view value = base::trim(attribute.substr(std::min(equals + 1, attribute.size())));
  if (base::equal_ignoring_case(name, "Domain") && is_foreign_domain(value, places)) return std::nullopt;
  if (!base::equal_ignoring_case(name, "Path") || !value.starts_with('/')) return std::string(attribute);
  return base::concat(attribute.substr(0, equals + 1), map_cookie_path(value, places));
}

}  // namespace

std::string map_reference(std::string_view reference, const ProxyPlaces& places) {
  const auto parts = split_reference(reference);
  if (!parts) return std::string(reference);
  const bool of_client = parts->authority.empty() || is_same_authority(parts->authority, places.host, parts->scheme) ||
                         is_same_authority(parts->authority, places.front_host, parts->scheme);
  const bool has_its_scheme = parts->scheme.empty() || base::equal_ignoring_case(parts->scheme, places.scheme);
  if (!of_client && !(has_its_scheme && is_same_authority(parts->authority, places.target, places.scheme)))
    return std::string(reference);
  const std::string_view path = parts->path.empty() ? std::string_view("/") : parts->path;
  auto mapped = map_path(path, places);
  if (of_client && (!mapped || *mapped == path)) return std::string(reference);
  if (of_client && !parts->origin.empty()) return base::concat(parts->origin, *mapped, parts->rest);
  if (!mapped && behind_prefix(path, places.prefix) && behind_prefix(path, places.base)) mapped = path;
  return mapped ? as_path(std::move(*mapped), parts->rest) : std::string(reference);
}

std::string map_refresh(std::string_view value, const ProxyPlaces& places) {
  std::size_t at = value.find_first_not_of("0123456789. \t");
  if (at == std::string_view::npos) return std::string(value);
  if (value[at] == ';' || value[at] == ',') ++at;
  const auto skip_white = [&value, &at] {
    while (at < value.size() && is_white(value[at])) ++at;
  };
  skip_white();
  if (begins_with(value.substr(at), "url")) {
    const std::size_t before = std::exchange(at, at + 3);
    skip_white();
    if (at < value.size() && value[at] == '=') ++at;
    else at = before;
    skip_white();
  }
  const char quote = at < value.size() && (value[at] == '"' || value[at] == '\'') ? value[at++] : '\0';
  const std::size_t end = quote != '\0' ? std::min(value.find(quote, at), value.size()) : value.size();
  return base::concat(value.substr(0, at), map_reference(value.substr(at, end - at), places), value.substr(end));
}

std::string map_cookie(std::string_view value, const ProxyPlaces& places) {
  if (begins_with(base::trim(value), "__host-")) return std::string(value);
  const std::size_t pair = std::min(value.find(';'), value.size());
  std::string mapped(value.substr(0, pair));
  for (std::string_view rest = value.substr(pair); !rest.empty();) {
    const std::size_t end = std::min(rest.find(';', 1), rest.size());
    if (const auto attribute = map_attribute(rest.substr(1, end - 1), places)) (mapped += ';') += *attribute;
    rest.remove_prefix(end);
  }
  return mapped;
}

void map_fields(session::Fields& fields, const ProxyPlaces& places, const Proxy& proxy) {
  for (auto& [name, value] : fields) {
    if (proxy.map_places == Switch::on) {
      if (base::equal_ignoring_case(name, "Location") || base::equal_ignoring_case(name, "Content-Location"))
        value = map_reference(value, places);
      if (base::equal_ignoring_case(name, "Refresh")) value = map_refresh(value, places);
    }
    if (proxy.map_cookies == Switch::on && base::equal_ignoring_case(name, "Set-Cookie")) value = map_cookie(value, places);
  }
}

}  // namespace wharf::server
