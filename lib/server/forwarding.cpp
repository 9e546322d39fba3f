#include "server/forwarding.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/log.h"

namespace wharf::server {
namespace {

constexpr std::string_view own_name = "wharf";

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view each) { return base::equal_ignoring_case(name, each); });
}

/// RFC 9110 section 7.6.1, and what is known to be of one connection though nobody may say so.
bool is_hop_by_hop(std::string_view name) {
  return is_one_of(name, {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
                          "HTTP2-Settings", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization"});
}

/// Fields of a request that upstream_head() writes itself, or answers itself.
bool is_rewritten(std::string_view name) {
  return is_one_of(
      name, {"Host", "Content-Length", "Expect", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"});
}

std::vector<std::string_view> connection_options(const std::vector<codec::Field>& fields) {
  std::vector<std::string_view> options;
  for (const codec::Field& field : fields)
    if (base::equal_ignoring_case(field.name, "Connection"))
      base::for_each_list_item(field.value, [&options](std::string_view option) { options.push_back(option); });
  return options;
}

bool names(const std::vector<std::string_view>& options, std::string_view name) {
  return std::any_of(options.begin(), options.end(),
                     [name](std::string_view each) { return base::equal_ignoring_case(name, each); });
}

void add_line(std::string& text, std::string_view name, std::string_view value) { (((text += name) += ": ") += value) += "\r\n"; }

/// What came from other proxies, and the client.
std::string forwarded_for(const codec::RequestHead& head, const std::vector<std::string_view>& options,
                          const base::PeerAddress& client) {
  std::string list;
  if (!names(options, "X-Forwarded-For"))
    for (const codec::Field& field : head.fields)
      if (base::equal_ignoring_case(field.name, "X-Forwarded-For") && !field.value.empty()) (list += field.value) += ", ";
  return list += forwarded_address(client);
}

bool has_max_forwards(const codec::RequestHead& head) { return head.method == "OPTIONS" || head.method == "TRACE"; }

/// RFC 9110 section 7.6.2; nullopt where there is none, or where it is not to be heeded.
std::optional<std::uint64_t> max_forwards(const codec::RequestHead& head) {
  const std::string_view value = has_max_forwards(head) ? head.field("Max-Forwards") : std::string_view();
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  return !value.empty() && error == std::errc() && end == value.data() + value.size() ? std::optional(count) : std::nullopt;
}

std::size_t own_hops(const codec::RequestHead& head) {
  std::size_t hops = 0;
  for (const codec::Field& field : head.fields) {
    if (!base::equal_ignoring_case(field.name, "Via")) continue;
    base::for_each_list_item(field.value, [&hops](std::string_view hop) {
      const std::size_t space = hop.find(' ');
      if (space != std::string_view::npos && base::equal_ignoring_case(base::trim(hop.substr(space)), own_name)) ++hops;
    });
  }
  return hops;
}

bool may_pass(std::string_view protocol) {
  const std::size_t slash = protocol.find('/');
  const std::string_view name = protocol.substr(0, slash);
  if (!base::is_token(name) || (slash != std::string_view::npos && !base::is_token(protocol.substr(slash + 1)))) return false;
  return !is_one_of(name, {"HTTP", "TLS", "h2", "h2c", "h3"});
}

bool has_body(const codec::RequestHead& head) {
  return head.body == codec::BodyFraming::chunked || (head.body == codec::BodyFraming::length && head.content_length > 0);
}

}  // namespace

std::string upstream_head(const codec::RequestHead& head, const UpstreamRequest& request) {
  const std::vector<std::string_view> options = connection_options(head.fields);
  const auto forwards = max_forwards(head);
  std::string text;
  text.reserve(512);
  ((((text += head.method) += ' ') += request.path) += " HTTP/1.1\r\n");
  add_line(text, "Host", head.host.empty() ? request.authority : head.host);
  for (const codec::Field& field : head.fields) {
    if (is_hop_by_hop(field.name) || is_rewritten(field.name) || names(options, field.name)) continue;
    if (forwards && base::equal_ignoring_case(field.name, "Max-Forwards")) continue;
    if (request.via == Switch::off && base::equal_ignoring_case(field.name, "Via")) continue;
    add_line(text, field.name, field.value);
  }
  if (forwards) add_line(text, "Max-Forwards", base::concat(*forwards - 1));
  add_line(text, "X-Forwarded-For", forwarded_for(head, options, request.client));
  add_line(text, "X-Forwarded-Proto", "http");
  if (!head.host.empty()) add_line(text, "X-Forwarded-Host", head.host);
  if (!request.prefix.empty()) add_line(text, "X-Forwarded-Prefix", request.prefix);
  if (request.via == Switch::on)
    add_line(text, "Via", base::concat(head.version == codec::HttpVersion::http10 ? "1.0 " : "1.1 ", own_name));
  if (request.expectation == Expectation::to_continue) add_line(text, "Expect", "100-continue");
  if (head.body == codec::BodyFraming::length) add_line(text, "Content-Length", base::concat(head.content_length));
  if (head.body == codec::BodyFraming::chunked) add_line(text, "Transfer-Encoding", "chunked");
  if (!request.upgrade.empty()) {
    add_line(text, "Upgrade", request.upgrade);
    add_line(text, "Connection", "Upgrade");
  } else if (request.persistence == Persistence::once) {
    add_line(text, "Connection", "close");
  }
  return text += "\r\n";
}

Refusal check_forwarding(const codec::RequestHead& head) {
  if (connection_options(head.fields).size() > most_connection_options)
    return {400, "Connection names more options than the limit."};
  if (own_hops(head) >= most_hops) return {502, "The request goes round in circles."};
  if (max_forwards(head).value_or(1) != 0) return {};
  if (head.method == "OPTIONS") return {204, {}};
  return {501, "The request may go no further, and is not answered here."};
}

std::string offered_upgrades(const codec::RequestHead& head) {
  std::string offered;
  if (head.version != codec::HttpVersion::http11 || has_body(head) || !head.has_token("Connection", "upgrade")) return offered;
  for (const codec::Field& field : head.fields) {
    if (!base::equal_ignoring_case(field.name, "Upgrade")) continue;
    base::for_each_list_item(field.value, [&offered](std::string_view protocol) {
      if (may_pass(protocol)) (offered += offered.empty() ? "" : ", ") += protocol;
    });
  }
  return offered;
}

bool offers_upgrade(const codec::RequestHead& head, std::string_view chosen) {
  if (offered_upgrades(head).empty()) return false;
  std::size_t count = 0;
  bool all = true;
  base::for_each_list_item(chosen, [&](std::string_view protocol) {
    ++count;
    all = all && may_pass(protocol) && head.has_token("Upgrade", protocol);
  });
  return count > 0 && all;
}

bool offers_websocket(std::string_view offered) {
  bool offers = false;
  base::for_each_list_item(offered, [&offers](std::string_view protocol) {
    offers = offers || base::equal_ignoring_case(protocol.substr(0, protocol.find('/')), "websocket");
  });
  return offers;
}

bool is_idempotent(std::string_view method) {
  for (const std::string_view each : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
    if (method == each) return true;
  return false;
}

session::Fields end_to_end_fields(const codec::AnswerHead& head, Switch via) {
  const std::vector<std::string_view> options = connection_options(head.fields);
  session::Fields fields;
  fields.reserve(head.fields.size());
  for (const auto& [name, value] : head.fields) {
    const bool offers = head.status == 426 && base::equal_ignoring_case(name, "Upgrade");
    if (!offers && (is_hop_by_hop(name) || names(options, name) || base::equal_ignoring_case(name, "Content-Length"))) continue;
    if (via == Switch::off && base::equal_ignoring_case(name, "Via")) continue;
    fields.emplace_back(name, value);
  }
  return fields;
}

std::string forwarded_address(const base::PeerAddress& address) {
  const bool is_ip = address.family() == base::PeerAddress::Family::ipv4 || address.family() == base::PeerAddress::Family::ipv6;
  return is_ip ? address.host() : "unknown";
}

}  // namespace wharf::server
