#include "proxy/mount.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "codec/host_pattern.h"
#include "proxy/forwarding.h"
#include "proxy/target.h"
#include "wharf/options.hpp"

namespace wharf::server {
namespace {

/// Bounded, so that it can be added to the clock without overflow.
base::Time bounded(std::chrono::milliseconds time) { return std::min<base::Time>(time, std::chrono::hours(24 * 365)); }

session::Response response_to(const Refusal& refusal) {
  if (refusal.status != 204) return session::text_response(refusal.status, refusal.line);
  session::Response response;
  response.status = refusal.status;
  return response;
}

/// The options that must be, like "a, b and c".
std::string more_than_zero() {
  std::string names;
  for (const auto& option : options::of_proxy)
    if (option.range.least > 0) (names += names.empty() ? "" : ", ") += option.name;
  const std::size_t last = names.rfind(", ");
  return last == std::string::npos ? names : names.replace(last, 2, " and ");
}

/// Of a host, in full and without a wildcard, or an address.
bool is_server_name(const std::string& name) {
  const bool is_address = name.find(':') != std::string::npos;
  const auto pattern = codec::HostPattern::parse(is_address ? base::concat("[", name, "]") : name);
  return pattern && !pattern->is_wildcard();
}

/// What could have no effect, and a name that no certificate could have.
std::string_view fault_of_tls(const Proxy& proxy, const ProxyTarget& target) {
  const bool verifies = proxy.tls_verify == Switch::on;
  const bool has_settings = !verifies || !proxy.tls_authorities.empty() || !proxy.tls_server_name.empty() ||
                            !proxy.tls_certificate.empty() || !proxy.tls_key.empty() || !proxy.tls_passphrase.empty();
  if (target.scheme != "https") return has_settings ? "options for TLS have no effect, as it does not begin with https://" : "";
  if (!verifies && !proxy.tls_authorities.empty()) return "tls_authorities has no effect, as tls_verify is off";
  if (proxy.tls_certificate.empty() && !proxy.tls_key.empty()) return "tls_key has no effect without a tls_certificate";
  if (proxy.tls_certificate.empty() && !proxy.tls_passphrase.empty())
    return "tls_passphrase has no effect without a tls_certificate";
  const std::string& name = proxy.tls_server_name;
  if (!name.empty() && !is_server_name(name)) return "tls_server_name is neither a name of a host nor an address";
  if (name.empty() && !is_server_name(target.endpoint.host))
    return "no certificate can have the name of its host; see tls_server_name";
  return {};
}

}  // namespace

std::string ProxyMount::check(const Proxy& proxy) {
  const auto target = parse_proxy_target(proxy.to);
  if (!target) return target.error();
  if (const std::string_view wrong = fault_of_tls(proxy, *target); !wrong.empty())
    return base::concat("proxy target '", proxy.to, "': ", wrong);
  for (const auto& option : options::of_proxy)
    if (!options::is_in_range(option, proxy))
      return base::concat("proxy target '", proxy.to, "': its ", more_than_zero(), " must be more than 0");
  return {};
}

std::optional<TlsClient> ProxyMount::tls_of(const Proxy& proxy) {
  const auto target = parse_proxy_target(proxy.to);
  if (!target || target->scheme != "https") return std::nullopt;
  const std::string& name = proxy.tls_server_name.empty() ? target->endpoint.host : proxy.tls_server_name;
  TlsClient tls{std::string(codec::without_root(name)), proxy.tls_authorities, proxy.tls_certificate, proxy.tls_key,
                proxy.tls_passphrase};
  if (proxy.tls_verify == Switch::off) tls.verification = TlsClient::Verification::off;
  return tls;
}

base::Result<std::unique_ptr<ProxyMount>, std::string> ProxyMount::open(const Proxy& proxy, std::string_view prefix,
                                                                        Outside* outside, base::Log* log,
                                                                        const ProxyLimits& limits) {
  if (std::string fault = check(proxy); !fault.empty()) return base::Failure{std::move(fault)};
  std::unique_ptr<ProxyMount> mount(new ProxyMount);
  mount->prefix_ = prefix;
  mount->add_slash_ = proxy.add_slash;
  if (outside == nullptr) return mount;
  auto target = parse_proxy_target(proxy.to);
  UpstreamSettings settings{.name = proxy.to,
                            .endpoint = target->endpoint,
                            .connect_time = bounded(proxy.connect_time),
                            .idle_connections = proxy.idle_connections,
                            .limits = limits.upstream,
                            .most_connections = proxy.most_connections,
                            .most_waiting = proxy.most_waiting,
                            .users = limits.users};
  settings.limits.response_time = bounded(proxy.answer_time);
  if (const auto tls = tls_of(proxy)) {
    auto dialer = outside->over_tls(*tls);
    if (!dialer) return base::Failure{base::concat("proxy target '", proxy.to, "': ", dialer.error())};
    settings.dialer = std::move(*dialer);
  }
  Proxy bounds = proxy;
  bounds.waiting_time = bounded(proxy.waiting_time);
  mount->upstream_ = std::make_unique<Upstream>(std::move(bounds), std::move(*target), prefix, std::move(settings), *outside, log,
                                                limits.pipe_idle);
  return mount;
}

void ProxyMount::retire() {
  if (upstream_) upstream_->pool.retire();
}

/// RFC 9110 section 7.8: clients that upgrade seldom follow a redirection.
bool ProxyMount::adds_slash(const codec::RequestHead& head) const {
  return add_slash_ == Switch::on && (head.method == "GET" || head.method == "HEAD") && offered_upgrades(head).empty();
}

void ProxyMount::serve(session::Exchange& exchange) {
  const codec::RequestHead& head = exchange.request();
  if (const Refusal refusal = check_forwarding(head); refusal.status != 0) return exchange.respond(response_to(refusal));
  const auto rest = behind_prefix(head.path, prefix_);
  if (!rest || may_climb(*rest)) return exchange.respond(session::text_response(404, "There is nothing here."));
  if (!upstream_) return exchange.respond(session::text_response(502, "The server behind this one cannot be reached."));
  std::string path = upstream_->target.base;
  path += *rest;
  if (const std::size_t query = head.target.find('?'); query != std::string_view::npos) path += head.target.substr(query);
  ProxyExchange::serve(exchange, *upstream_, std::move(path));
}

}  // namespace wharf::server
