#include "server/router.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "codec/http_target.h"
#include "codec/ws_handshake.h"
#include "server/upgrade.h"

namespace wharf::server {
namespace {

/// The host of an authority, without the port: "example.com:80" and "[::1]:80" alike.
std::string_view without_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  const bool is_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  return is_port ? authority.substr(0, colon) : authority;
}

}  // namespace

base::Result<std::unique_ptr<Router>, Error> Router::start(const RowList& rows, const std::vector<VirtualHost>& hosts,
                                                           const session::WsLimits& limits, session::Home& home) {
  auto router = std::make_unique<Router>();
  for (const VirtualHost& host : hosts) {
    auto table = ProtocolTable::start(rows, host, limits, home);
    if (!table) return base::Failure{table.error()};
    std::vector<StaticFiles> mounts(host.mounts.begin(), host.mounts.end());
    std::stable_sort(mounts.begin(), mounts.end(),
                     [](const StaticFiles& a, const StaticFiles& b) { return a.prefix().size() > b.prefix().size(); });
    router->hosts_.push_back({host.name, std::move(mounts), std::move(*table)});
  }
  return router;
}

const Router::Host& Router::host_for(std::string_view authority) const {
  const std::string_view name = without_port(authority);
  const Host* fallback = &hosts_.front();
  for (const Host& host : hosts_) {
    if (base::equal_ignoring_case(host.name, name)) return host;
    if (host.name.empty()) fallback = &host;
  }
  return *fallback;
}

void Router::handle(session::Exchange& exchange) {
  const Host& host = host_for(exchange.request().host);
  if (codec::wants_websocket(exchange.request())) return upgrade_to_websocket(exchange, *host.table);
  serve_path(exchange, host);
}

void Router::serve_path(session::Exchange& exchange, const Host& host) {
  const auto target = codec::split_target(exchange.request().target);
  if (!target) return exchange.respond(session::text_response(400, "The request's target has no path."));
  for (const StaticFiles& mount : host.mounts)
    if (target->path.starts_with(mount.prefix())) return mount.serve(exchange, target->path.substr(mount.prefix().size() - 1));
  exchange.respond(session::text_response(404, "There is nothing here."));
}

}  // namespace wharf::server
