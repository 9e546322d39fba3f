#include "proxy/mount.h"

#include <algorithm>
#include <chrono>
#include <utility>

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

}  // namespace

std::string ProxyMount::check(const Proxy& proxy) {
  if (const auto target = parse_proxy_target(proxy.to); !target) return target.error();
  for (const auto& option : options::of_proxy)
    if (!options::is_in_range(option, proxy))
      return base::concat("proxy target '", proxy.to, "': its ", more_than_zero(), " must be more than 0");
  return {};
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
