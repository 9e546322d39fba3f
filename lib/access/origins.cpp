#include "access/origins.h"

#include <algorithm>
#include <optional>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/http/target.h"

namespace wharf::server {
namespace {

constexpr std::string_view same_origin_keyword = "same-origin";
constexpr std::string_view null_origin = "null";
constexpr std::string_view file_origin = "file://";  // of pages without a host, so of nobody in particular

std::string lower(std::string_view text) {
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(), base::lower);
  return low;
}

/// RFC 3986 section 3.1.
bool is_scheme(std::string_view text) {
  const auto is_letter = [](char c) { return base::lower(c) >= 'a' && base::lower(c) <= 'z'; };
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), [is_letter](char c) {
    return is_letter(c) || base::is_digit(c) || c == '+' || c == '-' || c == '.';
  });
}

/// "host" or "host:port" in lower case, without the usual port of the scheme. nullopt if it is no authority.
std::optional<std::string> serialised_host(std::string_view text, std::string_view scheme) {
  const std::optional<codec::Authority> authority = codec::split_authority(text);
  if (!authority) return std::nullopt;
  std::string_view port = authority->port;
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  const bool is_default = port.empty() || port == codec::usual_port(scheme);
  return is_default ? lower(authority->host) : base::concat(lower(authority->host), ":", port);
}

struct Origin {
  std::string scheme;
  std::string host;  ///< with its port, as serialised_host() has it

  [[nodiscard]] std::string text() const { return scheme + "://" + host; }
};

/// nullopt for anything but scheme "://" host [ ":" port ].
std::optional<Origin> read_origin(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos || !is_scheme(text.substr(0, end)) || text.ends_with(':')) return std::nullopt;
  const std::string scheme = lower(text.substr(0, end));
  std::optional<std::string> host = serialised_host(text.substr(end + 3), scheme);
  return host ? std::optional(Origin{scheme, *std::move(host)}) : std::nullopt;
}

}  // namespace

AllowedOrigins::AllowedOrigins(const std::vector<std::string>& entries) : all_(entries.empty()) {
  for (const std::string& entry : entries) {
    if (entry == same_origin_keyword) same_origin_ = true;
    else if (entry == null_origin || entry == file_origin) origins_.push_back(entry);
    else if (const std::optional<Origin> origin = read_origin(entry)) origins_.push_back(origin->text());
  }
}

std::string AllowedOrigins::check(const std::string& entry) {
  const bool has_pattern = entry.find('*') != std::string::npos;  // without this check it would pass as a host's name
  if (entry == same_origin_keyword || entry == null_origin || entry == file_origin || (read_origin(entry) && !has_pattern))
    return {};
  const auto fault = [&entry](std::string_view reason) {
    return base::concat("origin '", base::printable(entry), "' is not taken: ", reason);
  };
  if (has_pattern) return fault("there are no patterns; name each origin, or none at all, which allows every one");
  const std::size_t end = entry.find("://");
  if (end == std::string::npos)
    return fault("it begins with a scheme, as in https://example.com; or is same-origin, null or file://");
  if (entry.find_first_of("/?#", end + 3) != std::string::npos)
    return fault("it ends with the host or its port, without a '/' or a path behind them");
  if (entry.find('@', end) != std::string::npos) return fault("it has no user in front of the host");
  if (std::any_of(entry.begin(), entry.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return fault("write the host in ASCII, as browsers send it: xn--...");
  return fault("it is a scheme, a host, and a port if it is not the usual one, as in https://example.com:8443");
}

bool AllowedOrigins::allows(std::string_view origin, std::size_t origin_fields, std::string_view host, Transport transport) const {
  if (all_ || origin_fields == 0) return true;
  if (origin_fields > 1) return false;
  const auto is_listed = [this](std::string_view text) {
    return std::find(origins_.begin(), origins_.end(), text) != origins_.end();
  };
  if (origin == null_origin || origin == file_origin) return is_listed(origin);
  const std::optional<Origin> from = read_origin(origin);
  if (!from) return false;
  if (is_listed(from->text())) return true;
  const bool may_be_here = from->scheme == "https" || (from->scheme == "http" && transport == Transport::plain);
  return same_origin_ && may_be_here && serialised_host(host, from->scheme) == from->host;
}

bool AllowedOrigins::allows(const session::Exchange& exchange) const {
  const codec::RequestHead& head = exchange.request();
  const Transport transport = exchange.scheme() == "https" ? Transport::tls : Transport::plain;
  return allows(head.field("Origin"), head.count("Origin"), exchange.host(), transport);
}

}  // namespace wharf::server
