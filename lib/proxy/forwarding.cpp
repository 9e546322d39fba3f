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

/// As programs behind a gateway interface see it, who are told Content_Length and Content-Length by the same name.
bool reads_as_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view each) { return codec::reads_alike(name, each); });
}

/// RFC 9110 section 7.6.1, and what is known to be of one connection though nobody may say so.
bool is_hop_by_hop(std::string_view name) {
  return is_one_of(name, {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
                          "HTTP2-Settings", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization"});
}

/// Fields of a request that upstream_head() writes itself, or answers itself.
bool is_rewritten(std::string_view name) {
  return reads_as_one_of(name, {"Host", "Content-Length", "Expect", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
                                "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"});
}

/// Whether there is a front that is trusted, and it writes X-Forwarded-*. One that writes Forwarded lets a client's fields through.
bool writes_x_forwarded(const codec::Forwarding* said) {
  return said != nullptr && said->kind == codec::ForwardingFields::x_forwarded;
}

/// Whether a field is not to be believed, and so not passed on: one that only servers in front write, where this peer is not
/// trusted or writes other fields; or one that a client has spelt to be read as such a field, or as one of those above.
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

void add_line(std::string& text, std::string_view name, std::string_view value) { (((text += name) += ": ") += value) += "\r\n"; }

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

/// What a trusted front says of a prefix in front of ours, without the last '/'. Many let a client's through: what is no plain path,
/// or could make another host of a link to it, is left out.
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

/// The kind of fields that the front writes is extended; the other kind may be the client's, and is made of what is believed.
void add_forwarding(std::string& text, const codec::RequestHead& head, const UpstreamRequest& request) {
  const codec::Forwarding* const said = request.forwarding;
  const base::PeerAddress client = said != nullptr ? said->client : request.peer;
  const std::string_view scheme = codec::scheme_of(said, request.scheme);
  const std::string_view host = codec::host_of(said, head);
  std::string chain = writes_x_forwarded(said) ? joined(head, "X-Forwarded-For") : std::string();
  if (chain.empty() && client != request.peer) chain = forwarded_address(client);
  const bool is_ip = request.peer.known() && request.peer.family() != base::PeerAddress::Family::unix_socket;
  if (chain.empty() || is_ip) (chain += chain.empty() ? "" : ", ") += forwarded_address(request.peer);
  add_line(text, "X-Forwarded-For", chain);
  add_line(text, "X-Forwarded-Proto", scheme);
  if (!host.empty()) add_line(text, "X-Forwarded-Host", host);
  if (said != nullptr && said->port != 0) add_line(text, "X-Forwarded-Port", base::concat(said->port));
  if (const std::string prefix = base::concat(prefix_before(head, said), request.prefix); !prefix.empty())
    add_line(text, "X-Forwarded-Prefix", prefix);
  if (head.count("Forwarded") == 0) return;
  const bool is_sound = said != nullptr && !writes_x_forwarded(said) && !codec::parse_forwarded(head.fields).empty();
  std::string elements = is_sound ? joined(head, "Forwarded") : forwarded_element(client, host, scheme);
  if (is_sound || client != request.peer) (elements += ", ") += forwarded_element(request.peer, head.host, request.scheme);
  add_line(text, "Forwarded", elements);
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
    if (is_hop_by_hop(field.name) || is_rewritten(field.name) || is_forged(field.name, request.forwarding)) continue;
    if (names(options, field.name)) continue;
    if (forwards && base::equal_ignoring_case(field.name, "Max-Forwards")) continue;
    if (request.via == Switch::off && base::equal_ignoring_case(field.name, "Via")) continue;
    add_line(text, field.name, field.value);
  }
  if (forwards) add_line(text, "Max-Forwards", base::concat(*forwards - 1));
  add_forwarding(text, head, request);
  if (request.via == Switch::on)
    add_line(text, "Via", base::concat(codec::name_of(head.version).substr(std::string_view("HTTP/").size()), " ", own_name));
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
