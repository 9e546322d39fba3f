#include "server/router.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "access/strict_transport.h"
#include "base/ascii.h"
#include "base/log.h"
#include "base/sheltered.h"
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

/// Whether Strict-Transport-Security is for this response: never over plain HTTP (RFC 6797 section 7.2).
bool is_strict(const session::Exchange& exchange) { return exchange.scheme() == "https"; }

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

// ---- Hosts ----

Router::Router(const RowList& rows, const SessionLimits& limits, session::Home& home, const FileLimits& files, Outside* outside,
               Clients* clients, UnknownHosts unknown)
    : rows_(rows), limits_(limits), home_(home), outside_(outside), unknown_(unknown), files_(files, outside), clients_(clients) {
  if (outside != nullptr) passwords_.emplace(*outside);
}

Router::~Router() = default;

HostParts Router::parts() { return {rows_, limits_, home_, files_, passwords_ ? &*passwords_ : nullptr, outside_, clients_}; }

base::Result<std::unique_ptr<Router>, Error> Router::start(const RowList& rows, const std::vector<VirtualHost>& hosts,
                                                           const SessionLimits& limits, session::Home& home, Outside* outside,
                                                           const FileLimits& files, Clients* clients, UnknownHosts unknown) {
  std::unique_ptr<Router> router(new Router(rows, limits, home, files, outside, clients, unknown));
  std::vector<Host*> started;
  for (const VirtualHost& host : hosts) {
    auto made = Host::start(host, router->parts());
    if (!made) return base::Failure{made.error()};
    started.push_back(router->hosts_.emplace_back(std::move(*made)).get());
  }
  router->now_ = router->setup(std::move(started));
  return router;
}

Router::Setup Router::setup(std::vector<Host*> hosts) const {
  Setup made;
  made.hosts = std::move(hosts);
  for (Host* const host : made.hosts) {
    for (const std::string& name : host->names()) {
      if (name.empty()) made.fallback = host;
      else made.names.add(name, host);
    }
  }
  if (made.fallback == nullptr && unknown_ == UnknownHosts::served && !made.hosts.empty()) made.fallback = made.hosts.front();
  if (made.hosts.size() == 1) made.only = made.fallback;
  made.limits_requests = clients_ != nullptr && clients_->requests() != nullptr;
  for (const Host* const host : made.hosts) {
    made.logs = made.logs || host->log() != nullptr;
    made.limits_requests = made.limits_requests || host->limits_requests();
    made.strict_transport = made.strict_transport || host->has_strict_transport();
  }
  return made;
}

Error Router::prepare(const HostChange& change) {
  if (outside_ == nullptr) sweep();
  const std::vector<std::string> names = names_of(change.host);
  std::vector<Host*> hosts = now_.hosts;
  const auto place = std::find_if(hosts.begin(), hosts.end(), [&](const Host* host) { return host->names()[0] == names[0]; });
  const bool adds = change.kind == HostChange::Kind::add;
  if (adds != (place == hosts.end())) return {"the hosts of a loop are not those of the server"};
  gone_.reserve(gone_.size() + 1);
  if (change.kind != HostChange::Kind::remove) {
    auto started = Host::start(change.host, parts());
    if (!started) return started.error();
    coming_ = hosts_.emplace_back(std::move(*started)).get();
  }
  going_ = adds ? nullptr : *place;
  if (adds) hosts.push_back(coming_);
  else if (coming_ != nullptr) *place = coming_;
  else hosts.erase(place);
  next_ = setup(std::move(hosts));
  return {};
}

std::uint64_t Router::commit() noexcept {
  std::swap(now_, next_);
  next_ = {};
  coming_ = nullptr;
  Host* const out = std::exchange(going_, nullptr);
  if (out == nullptr) return 0;
  gone_.push_back({out, ++last_number_});
  base::sheltered(home_.log, "the end of a virtual host", [&] { out->retire(*this); });
  if (out->users().none()) unused();
  return last_number_;
}

void Router::abandon() noexcept {
  next_ = {};
  going_ = nullptr;
  const Host* const refused = std::exchange(coming_, nullptr);
  hosts_.remove_if([refused](const auto& host) { return host.get() == refused; });
}

void Router::send_away(std::uint64_t number) {
  for (const Gone& gone : gone_)
    if (gone.number == number) gone.host->send_away(home_.log);
}

/// Not at once: this may be called by the last user, or by what the host itself had asked to be done at the end of this turn.
void Router::unused() noexcept {
  if (outside_ == nullptr || sweep_due_) return;
  base::sheltered(home_.log, "the end of a virtual host", [this] {
    outside_->at_turn_end([this] {
      sweep_due_ = false;
      sweep();
    });
    sweep_due_ = true;
  });
}

/// Destroys the hosts that are out of service and have no users.
void Router::sweep() noexcept {
  for (std::size_t i = 0; i < gone_.size();) {
    const Host* const host = gone_[i].host;
    if (!host->users().none()) {
      ++i;
      continue;
    }
    gone_.erase(gone_.begin() + static_cast<std::ptrdiff_t>(i));
    hosts_.remove_if([host](const auto& each) { return each.get() == host; });
  }
}

// ---- Requests ----

/// By the name in Host, without port, or in a TLS handshake.
Host* Router::find(std::string_view name) const {
  if (now_.only != nullptr) return now_.only;
  Host* const* const found = now_.names.find(name);
  return found != nullptr ? *found : now_.fallback;
}

/// Over TLS the certificate, and what was asked of the client's, are those of the host that the handshake named (RFC 9110
/// sections 7.4 and 15.5.20). A client that names none there knows an address alone; a front may ask for many hosts.
bool Router::is_for_another(const session::Exchange& exchange, const Host* host) const {
  if (exchange.peer().tls == nullptr || exchange.forwarding() != nullptr) return false;
  const std::string_view named = exchange.peer().tls->server_name;
  return !named.empty() && find(named) != host;
}

/// A request that belongs elsewhere gets its response.
void Router::refuse(session::Exchange& exchange, int status, std::string_view why, std::string_view reason) const {
  home_.log.info(base::LogKind("requests for other hosts"), exchange.client().text(), " asks for the host '",
                 base::printable(exchange.request().host), "', ", reason);
  exchange.respond(session::text_response(status, why));
}

void Router::handle(session::Exchange& exchange) {
  Host* const host = noted(exchange);
  const bool is_elsewhere = now_.only == nullptr && host != nullptr && is_for_another(exchange, host);
  const bool is_served = host != nullptr && !is_elsewhere;
  if (is_served && now_.strict_transport && host->has_strict_transport() && is_strict(exchange))
    exchange.add_fields(host->strict_transport());
  if (now_.limits_requests && !admits(exchange, host)) return;
  if (host == nullptr) {
    const int status = unknown_ == UnknownHosts::not_found ? 404 : 421;
    return refuse(exchange, status, "This server has no such host.", "which it has not");
  }
  if (is_elsewhere) return refuse(exchange, 421, "This connection was made for another host.", "over a connection for another");
  serve_host(exchange, exchange.request(), *host);
}

/// By the mount that handle() would find, if it finds one.
bool Router::serves_without_tls(const session::Exchange& exchange) const {
  const codec::RequestHead& head = exchange.request();
  const Host* const host = find(codec::host_of(head.host));
  const std::optional<std::string> path = codec::percent_decode(head.path);
  if (host == nullptr || !path) return false;
  const HostMount* const mount = host->mount_for(*path);
  return mount != nullptr && mount->serves_without_tls();
}

bool Router::note(session::Exchange& exchange) {
  const Host* const host = noted(exchange);
  return !now_.limits_requests || admits(exchange, host);
}

/// The host of the request, which is a user of it from here on, with a line in its log; or nullptr.
Host* Router::noted(session::Exchange& exchange) {
  if (home_.counts != nullptr) session::add(home_.counts->exchanges);
  Host* const host = now_.only != nullptr ? now_.only : find(codec::host_of(exchange.request().host));
  if (host == nullptr) return nullptr;
  exchange.keep(host->users());
  if (now_.logs && host->log() != nullptr) host->log()->line(exchange);
  return host;
}

/// Whether the request is within the limits for it; if not, there is a response.
bool Router::admits(session::Exchange& exchange, const Host* host) const {
  RequestLimit* const all = clients_ != nullptr ? clients_->requests() : nullptr;
  return was_admitted((all == nullptr || all->admits(exchange)) && (host == nullptr || host->admits(exchange))) &&
         (host == nullptr || host->limit(exchange));
}

/// Counts what a limit has refused.
bool Router::was_admitted(bool admitted) const {
  if (!admitted && home_.counts != nullptr) session::add(home_.counts->requests_refused);
  return admitted;
}

std::unique_ptr<session::Session> Router::open_raw(session::Link& link, std::string_view row) {
  const session::TlsFacts* const facts = link.peer().tls;
  const Host* const host = find(facts != nullptr ? std::string_view(facts->server_name) : std::string_view());
  session::Protocol* const protocol = host != nullptr ? host->table().find(row) : nullptr;
  if (protocol == nullptr || protocol->raw.size == 0) {
    home_.log.error(base::LogKind("raw rows that a host does not have"), link.address(), ": cut, there is no raw row '", row,
                    "' on the virtual host '", host != nullptr ? host->names().front() : "", "'");
    return nullptr;
  }
  return session::Raw::open(link, *protocol, protocol->raw, protocol->shared);
}

void Router::refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) {
  const Host* const host = now_.fallback;
  if (host != nullptr && host->log() != nullptr) host->log()->refused(peer, end);
}

void Router::reopen_logs() {
  for (const auto& host : hosts_) host->look_again(home_.log);
}

void Router::serve_host(session::Exchange& exchange, const codec::RequestHead& head, const Host& host) const {
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
  const HostMount* const mount = host.mount_for(path);
  // Another spelling of a path must not bypass the guard of its mount, if a server behind reads both alike.
  if (!is_read_alike(path) && host.mount_for(as_others_read(path)) != mount) return exchange.respond(nothing_here());
  if (mount == nullptr) return serve_user(exchange, host, nullptr, path, {});
  if (now_.limits_requests && !was_admitted(mount->admits(exchange))) return;
  const codec::PreparedFields& fields = mount->fields();
  if (now_.strict_transport && !is_strict(exchange)) exchange.add_fields({fields, fields.always()});
  else exchange.add_fields(fields);
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
  if (!user.empty() && host.log() != nullptr) host.log()->line(exchange).user = user;
  const std::string_view entered = user.empty() ? std::string_view() : std::string_view(user);
  const codec::RequestHead& head = exchange.request();
  if (mount != nullptr && mount->takes_upgrades()) {
    if (offers_websocket(offered_upgrades(head)) && !check_origin(exchange, host)) return;
  } else if (codec::wants_websocket(head) && (head.may_upgrade() || head.is_extended_connect()) && takes_websockets(mount)) {
    return serve_websocket(exchange, host, {mount != nullptr ? mount->prefix() : "/", entered});
  }
  if (mount == nullptr) return exchange.respond(nothing_here());
  mount->serve(exchange, path, entered);
}

/// A mount that everybody can reach, without TLS or a password, must be no way to the protocols for whom other mounts refuse.
bool Router::takes_websockets(const HostMount* mount) { return mount == nullptr || !mount->serves_without_tls(); }

/// Whether the page may open a WebSocket, here or behind a proxy; if not, there is a response.
bool Router::check_origin(session::Exchange& exchange, const Host& host) {
  if (host.origins().allows(exchange)) return true;
  exchange.respond(session::text_response(403, "Pages of that origin may not connect here."));
  return false;
}

void Router::serve_websocket(session::Exchange& exchange, const Host& host, const session::RequestPlace& place) {
  if (!check_origin(exchange, host)) return;
  const session::Protocol* const chosen = upgrade_to_websocket(exchange, host.table(), place);
  if (host.log() != nullptr && chosen != nullptr) host.log()->line(exchange).protocol = chosen->row.name;
}

}  // namespace wharf::server
