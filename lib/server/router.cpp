#include "server/router.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "access/strict_transport.h"
#include "base/ascii.h"
#include "codec/http/target.h"
#include "codec/ws/handshake.h"
#include "protocol/raw.h"
#include "protocol/upgrade.h"
#include "proxy/forwarding.h"

namespace wharf::server {
namespace {

/// Whether a segment is "." or "..": clients remove them (RFC 3986 section 5.2.4), so a path that still has them hides where it
/// leads.
bool has_dot_segment(std::string_view path) {
  for (std::size_t at = path.find("/."); at != std::string_view::npos; at = path.find("/.", at + 1)) {
    const std::string_view segment = path.substr(at + 1, path.find('/', at + 1) - (at + 1));
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

/// The path as some servers behind a proxy read it: backslashes are slashes, empty segments are merged, parameters of segments are
/// left out.
std::string as_others_read(std::string_view path) {
  std::string plain;
  bool in_parameter = false;
  for (const char each : path) {
    const char c = each == '\\' ? '/' : each;
    if (c == '/') in_parameter = false;
    if (c == ';') in_parameter = true;
    if (!in_parameter && !(c == '/' && plain.ends_with('/'))) plain += c;
  }
  return plain;
}

bool is_read_alike(std::string_view path) {
  return path.find_first_of(";\\") == std::string_view::npos && path.find("//") == std::string_view::npos;
}

session::Response nothing_here() { return session::text_response(404, "There is nothing here."); }

/// RFC 9110 section 7.4: what belongs to https is not for a connection without TLS, unless a trusted front has it on its other side.
bool is_misdirected(const session::Exchange& exchange) {
  const bool secured = exchange.peer().scheme() == "https" || exchange.forwarding() != nullptr;
  return !secured && codec::target_scheme(exchange.request().target) == "https";
}

/// Whether the first field is for this response: never over plain HTTP (RFC 6797 section 7.2).
bool is_strict(const codec::PreparedFields& fields, const session::Exchange& exchange) {
  return fields.always() != 0 && exchange.scheme() == "https";
}

/// A URL without a path means the same as `*` (RFC 9112 section 3.2.4).
bool concerns_server(const codec::RequestHead& head) {
  if (head.method != "OPTIONS") return false;
  const std::string_view authority = codec::target_authority(head.target);
  const bool ends_there = authority.data() + authority.size() == head.target.data() + head.target.size();
  return head.target == "*" || (!authority.empty() && ends_there);
}

/// `OPTIONS *` (RFC 9110 section 9.3.7).
session::Response options_of_server() {
  session::Response response;
  response.status = 204;
  response.fields.emplace_back("Allow", "GET, HEAD, OPTIONS");
  return response;
}

/// For a line of the log.
std::string named(const VirtualHost& host) {
  return host.name.empty() ? std::string("the default virtual host") : "the virtual host '" + host.name + "'";
}

}  // namespace

/// A request that waits at a gate; the bytes of its head do not stay that long.
class Router::Waiting final : public session::Visit {
 public:
  Waiting(const Host& host, const HostMount& mount, std::string_view path) : host_(host), mount_(mount), path_(path) {}

  void go_on(session::Exchange& exchange) override {
    if (user.empty()) enter(exchange, host_, mount_, path_);
    else serve_user(exchange, host_, &mount_, path_, user);
  }

 private:
  const Host& host_;
  const HostMount& mount_;
  std::string path_;
};

std::string Router::check(const VirtualHost& host) {
  for (const Mount& mount : host.mounts)
    if (std::string fault = HostMount::check(mount); !fault.empty()) return fault;
  if (std::string fault = check_strict_transport(host); !fault.empty()) return fault;
  for (const std::string& origin : host.origins)
    if (std::string fault = AllowedOrigins::check(origin); !fault.empty()) return fault;
  if (std::string fault = RequestLimit::check(host.request_rate); !fault.empty()) return base::concat(named(host), ": ", fault);
  for (std::size_t i = 0; i < host.mounts.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (host.mounts[i].prefix == host.mounts[j].prefix) return "there are two mounts '" + host.mounts[i].prefix + "'";
  return {};
}

base::Result<std::unique_ptr<Router>, Error> Router::start(const RowList& rows, const std::vector<VirtualHost>& hosts,
                                                           const session::WsLimits& limits, session::Home& home, Outside* outside,
                                                           const FileLimits& files, Clients* clients) {
  std::unique_ptr<Router> router(new Router(home, files, outside, clients));
  for (const VirtualHost& host : hosts)
    if (Error error = router->start_host(rows, host, limits)) return base::Failure{std::move(error)};
  return router;
}

Error Router::start_host(const RowList& rows, const VirtualHost& host, const session::WsLimits& limits) {
  Host& started = hosts_.emplace_back(host);
  const std::string strict = strict_transport_value(host.strict_transport_security);
  if (!strict.empty()) started.strict_transport.add_always(strict_transport_field, strict);
  auto table = ProtocolTable::start(rows, host, limits, home_);
  if (!table) return table.error();
  started.table = std::move(*table);
  if (!host.access_log.file.empty()) {
    auto log = RequestLog::open(host.access_log, outside_, home_.log);
    if (!log) return {log.error()};
    started.log = std::move(*log);
  }
  if (clients_ != nullptr) {
    started.requests = clients_->requests_of(named(host), host.request_rate);
    started.load = clients_->load_of(named(host), host.connections);
  }
  for (const Mount& mount : host.mounts) {
    auto opened = HostMount::open(mount, {home_.log, files_, *started.table, limits.pipe_idle, passwords_ ? &*passwords_ : nullptr,
                                          outside_, clients_, host.name, strict});
    if (!opened) return {opened.error()};
    started.mounts.push_back(std::move(*opened));
  }
  std::stable_sort(started.mounts.begin(), started.mounts.end(),
                   [](const auto& a, const auto& b) { return a->prefix().size() > b->prefix().size(); });
  return {};
}

const Router::Host& Router::host_for(std::string_view authority) const {
  if (hosts_.size() == 1) return hosts_.front();
  const std::string_view name = codec::host_of(authority);
  const Host* fallback = &hosts_.front();
  for (const Host& host : hosts_) {
    if (base::equal_ignoring_case(host.name, name)) return host;
    if (host.name.empty()) fallback = &host;
  }
  return *fallback;
}

void Router::handle(session::Exchange& exchange) {
  const Host& host = noted(exchange);
  if (is_strict(host.strict_transport, exchange)) exchange.add_fields(host.strict_transport);
  if (admits(exchange, host)) serve_host(exchange, exchange.request(), host);
}

void Router::note(session::Exchange& exchange) { noted(exchange); }

const Router::Host& Router::noted(session::Exchange& exchange) {
  if (home_.counts != nullptr) session::add(home_.counts->exchanges);
  const Host& host = host_for(exchange.request().host);
  if (host.log) host.log->line(exchange);
  return host;
}

/// Whether the request is within the limits for it; if not, there is a response.
bool Router::admits(session::Exchange& exchange, const Host& host) const {
  if (clients_ == nullptr) return true;
  if (RequestLimit* const all = clients_->requests(); all != nullptr && !all->admits(exchange)) return false;
  if (host.requests && !host.requests->admits(exchange)) return false;
  return !host.load || HostLoad::admits(host.load, exchange);
}

std::unique_ptr<session::Session> Router::open_raw(session::Link& link, std::string_view row) {
  const session::TlsFacts* const facts = link.peer().tls;
  const Host& host = host_for(facts != nullptr ? std::string_view(facts->server_name) : std::string_view());
  session::Protocol* const protocol = host.table->find(row);
  if (protocol == nullptr || protocol->raw.size == 0) {
    home_.log.error(base::LogKind("raw rows that a host does not have"), link.address(), ": cut, there is no raw row '", row,
                    "' on the virtual host '", host.name, "'");
    return nullptr;
  }
  return session::Raw::open(link, *protocol, protocol->raw, protocol->shared);
}

void Router::refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) {
  const Host& host = host_for({});
  if (host.log) host.log->refused(peer, end);
}

void Router::reopen_logs() {
  for (const Host& host : hosts_) {
    if (host.log) host.log->reopen();
    for (const auto& mount : host.mounts)
      if (const std::string fault = mount->look_again(); !fault.empty()) home_.log.error(fault);
  }
}

void Router::serve_host(session::Exchange& exchange, const codec::RequestHead& head, const Host& host) {
  if (!head.target.starts_with('/')) {  // a URL, `*`, or what CONNECT is for
    if (is_misdirected(exchange))
      return exchange.respond(session::text_response(421, "An https URL is not served over a connection without TLS."));
    if (concerns_server(head)) return exchange.respond(options_of_server());
  }
  const bool tunnels = head.method == "CONNECT" && !(head.is_extended_connect() && codec::wants_websocket(head));
  if (tunnels) return exchange.respond(session::text_response(501, "This server opens no tunnels."));
  if (head.path.empty()) return exchange.respond(session::text_response(400, "The request's target has no path."));
  std::optional<std::string> storage;
  std::string_view path = head.path;
  if (path.find('%') != std::string_view::npos) {
    storage = codec::percent_decode(path);
    if (!storage) return exchange.respond(session::text_response(400, "The path has a broken percent-encoding."));
    path = *storage;
  }
  if (has_dot_segment(path)) return exchange.respond(nothing_here());
  serve_path(exchange, host, path);
}

const HostMount* Router::mount_for(const Host& host, std::string_view decoded_path) {
  const auto found =
      std::find_if(host.mounts.begin(), host.mounts.end(), [&](const auto& mount) { return mount->matches(decoded_path); });
  return found != host.mounts.end() ? found->get() : nullptr;
}

/// Another spelling of a path must not bypass the guard of its mount, if a server behind reads both alike.
void Router::serve_path(session::Exchange& exchange, const Host& host, std::string_view path) {
  const HostMount* const mount = mount_for(host, path);
  if (!is_read_alike(path) && mount_for(host, as_others_read(path)) != mount) return exchange.respond(nothing_here());
  if (mount == nullptr) return serve_user(exchange, host, nullptr, path, {});
  if (!mount->admits(exchange)) return;
  const codec::PreparedFields& fields = mount->fields();
  exchange.add_fields({fields, is_strict(fields, exchange) ? 0 : fields.always()});
  enter(exchange, host, *mount, path);
}

/// Asks the gate of the mount, now or later.
void Router::enter(session::Exchange& exchange, const Host& host, const HostMount& mount, std::string_view path) {
  std::string user;
  switch (mount.enter(exchange, user)) {
    case AccessGate::Verdict::enters: return serve_user(exchange, host, &mount, path, user);
    case AccessGate::Verdict::refused: return;
    case AccessGate::Verdict::later: exchange.suspend(std::make_unique<Waiting>(host, mount, path));
  }
}

/// The gate has been passed.
void Router::serve_user(session::Exchange& exchange, const Host& host, const HostMount* mount, std::string_view path,
                        const std::string& user) {
  if (host.log && !user.empty()) host.log->line(exchange).user = user;
  const std::string_view entered = user.empty() ? std::string_view() : std::string_view(user);
  const codec::RequestHead& head = exchange.request();
  if (mount != nullptr && mount->takes_upgrades()) {
    if (offers_websocket(offered_upgrades(head)) && !check_origin(exchange, host)) return;
  } else if ((head.may_upgrade() || head.is_extended_connect()) && codec::wants_websocket(head)) {
    return serve_websocket(exchange, host, {mount != nullptr ? mount->prefix() : "/", entered});
  }
  if (mount == nullptr) return exchange.respond(nothing_here());
  mount->serve(exchange, path, entered);
}

/// Whether the page may open a WebSocket, here or behind a proxy; if not, there is a response.
bool Router::check_origin(session::Exchange& exchange, const Host& host) {
  if (host.origins.allows(exchange)) return true;
  exchange.respond(session::text_response(403, "Pages of that origin may not connect here."));
  return false;
}

void Router::serve_websocket(session::Exchange& exchange, const Host& host, const session::RequestPlace& place) {
  if (!check_origin(exchange, host)) return;
  const session::Protocol* const chosen = upgrade_to_websocket(exchange, *host.table, place);
  if (host.log && chosen != nullptr) host.log->line(exchange).protocol = chosen->row.name;
}

}  // namespace wharf::server
