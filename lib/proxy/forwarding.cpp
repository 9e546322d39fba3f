#include "proxy/forwarding.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/http/target.h"
#include "proxy/target.h"

namespace wharf::server {
namespace {

constexpr std::string_view own_name = "wharf";

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view each) { return base::equal_ignoring_case(name, each); });
}

/// As programs behind a gateway interface read it: they get Content_Length and Content-Length by the same name.
bool reads_as_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view each) { return codec::reads_alike(name, each); });
}

/// RFC 9110 section 7.6.1, and fields that are known to belong to one connection even if Connection does not name them.
bool is_hop_by_hop(std::string_view name) {
  return is_one_of(name, {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
                          "HTTP2-Settings", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization"});
}

/// Fields of a request that UpstreamHead writes itself, or that this server handles itself.
bool is_rewritten(std::string_view name) {
  return reads_as_one_of(name, {"Host", "Content-Length", "Expect", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
                                "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"});
}

/// Whether there is a trusted front, and it writes X-Forwarded-*. One that writes Forwarded lets a client's fields through.
bool writes_x_forwarded(const codec::Forwarding* said) {
  return said != nullptr && said->kind == codec::ForwardingFields::x_forwarded;
}

/// Whether a field must not be believed, and so is not passed on: one that only servers in front write, if this peer is not trusted
/// or writes other fields; or one that a client has spelt to be read as such a field, or as one of those above.
bool is_forged(std::string_view name, const codec::Forwarding* forwarding) {
  if (codec::is_oddly_spelt(name))
    return codec::is_forwarding_field(name) ||
           reads_as_one_of(name, {"Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Proxy-Authorization"});
  return !writes_x_forwarded(forwarding) && codec::is_forwarding_field(name);
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

std::string joined(const codec::RequestHead& head, std::string_view name) {
  std::string list;
  for (const codec::Field& field : head.fields)
    if (base::equal_ignoring_case(field.name, name) && !field.value.empty()) (list += list.empty() ? "" : ", ") += field.value;
  return list;
}

/// Of one server that was asked (RFC 7239 section 5).
std::string forwarded_element(const base::PeerAddress& from, std::string_view host, std::string_view scheme) {
  const std::string node = forwarded_address(from);
  std::string element = from.family() == base::PeerAddress::Family::ipv6 ? base::concat("for=\"[", node, "]\"") : "for=" + node;
  if (!host.empty()) {
    element += ";host=\"";
    for (const char c : host) (element += c == '"' || c == '\\' ? "\\" : "") += c;
    element += '"';
  }
  return ((element += ";proto=") += scheme);
}

/// The prefix in front of ours that a trusted front names, without the last '/'. Many let a client's through: one that is no plain
/// path, or could make another host of a link to it, is left out.
std::string_view prefix_before(const codec::RequestHead& head, const codec::Forwarding* said) {
  if (!writes_x_forwarded(said) || head.count("X-Forwarded-Prefix") != 1) return {};
  std::string_view prefix = head.field("X-Forwarded-Prefix");
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  const auto decoded = codec::percent_decode(prefix);
  const auto target = codec::split_target(prefix);
  if (!decoded || !target || target->path != prefix || prefix.find_first_of("\"'<>`") != std::string_view::npos) return {};
  if (decoded->find("//") != std::string::npos || decoded->find('\\') != std::string::npos || may_climb(prefix)) return {};
  return prefix;
}

bool has_max_forwards(const codec::RequestHead& head) { return head.method == "OPTIONS" || head.method == "TRACE"; }

/// RFC 9110 section 7.6.2; nullopt if there is none, or if it does not apply.
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

UpstreamHead::UpstreamHead(const codec::RequestHead& head, const UpstreamRequest& request) {
  constexpr std::size_t most_added = 10;
  request_.method = head.method;
  request_.target = request.path;
  request_.body = head.body;
  request_.content_length = head.content_length;
  request_.upgrade = request.upgrade;
  request_.persistence = request.persistence;
  request_.fields.reserve(head.fields.size() + most_added);
  add("Host", request.host == Switch::off || head.host.empty() ? request.authority : head.host);
  add_end_to_end(head, request);
  add_forwarding(head, request);
  if (request.via == Switch::on) {
    via_ = base::concat(codec::name_of(head.version).substr(std::string_view("HTTP/").size()), " ", own_name);
    add("Via", via_);
  }
  if (request.expectation == Expectation::to_continue) add("Expect", "100-continue");
}

void UpstreamHead::add_end_to_end(const codec::RequestHead& head, const UpstreamRequest& request) {
  const std::vector<std::string_view> options = connection_options(head.fields);
  const auto forwards = max_forwards(head);
  for (const codec::Field& field : head.fields) {
    if (is_hop_by_hop(field.name) || is_rewritten(field.name) || is_forged(field.name, request.forwarding)) continue;
    if (names(options, field.name)) continue;
    if (forwards && base::equal_ignoring_case(field.name, "Max-Forwards")) continue;
    if (request.via == Switch::off && base::equal_ignoring_case(field.name, "Via")) continue;
    add(field.name, field.value);
  }
  if (forwards) add("Max-Forwards", max_forwards_ = base::concat(*forwards - 1));
}

/// The kind of fields that the front writes is extended; the other kind may be the client's, and is replaced by what is believed.
void UpstreamHead::add_forwarding(const codec::RequestHead& head, const UpstreamRequest& request) {
  const codec::Forwarding* const said = request.forwarding;
  const base::PeerAddress client = said != nullptr ? said->client : request.peer;
  const std::string_view scheme = codec::scheme_of(said, request.scheme);
  const std::string_view host = codec::host_of(said, head);
  if (writes_x_forwarded(said)) chain_ = joined(head, "X-Forwarded-For");
  if (chain_.empty() && client != request.peer) chain_ = forwarded_address(client);
  const bool is_ip = request.peer.known() && request.peer.family() != base::PeerAddress::Family::unix_socket;
  if (chain_.empty() || is_ip) (chain_ += chain_.empty() ? "" : ", ") += forwarded_address(request.peer);
  add("X-Forwarded-For", chain_);
  add("X-Forwarded-Proto", scheme);
  if (!host.empty()) add("X-Forwarded-Host", host);
  if (said != nullptr && said->port != 0) add("X-Forwarded-Port", port_ = base::concat(said->port));
  prefix_ = base::concat(prefix_before(head, said), request.prefix);
  if (!prefix_.empty()) add("X-Forwarded-Prefix", prefix_);
  if (head.count("Forwarded") == 0) return;
  const bool is_sound = said != nullptr && !writes_x_forwarded(said) && !codec::parse_forwarded(head.fields).empty();
  forwarded_ = is_sound ? joined(head, "Forwarded") : forwarded_element(client, host, scheme);
  if (is_sound || client != request.peer) (forwarded_ += ", ") += forwarded_element(request.peer, head.host, request.scheme);
  add("Forwarded", forwarded_);
}

Refusal check_forwarding(const codec::RequestHead& head) {
  if (connection_options(head.fields).size() > most_connection_options)
    return {400, "Connection names more options than the limit."};
  if (head.method == "CONNECT") return {501, "A tunnel is not passed on."};
  if (own_hops(head) >= most_hops) return {502, "The request goes round in circles."};
  if (max_forwards(head).value_or(1) != 0) return {};
  if (head.method == "OPTIONS") return {204, {}};
  return {501, "The request may go no further, and is not answered here."};
}

std::string offered_upgrades(const codec::RequestHead& head) {
  std::string offered;
  if (!head.may_upgrade() || has_body(head) || !head.has_token("Connection", "upgrade")) return offered;
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
