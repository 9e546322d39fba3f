#include "server/entry/entrance.h"

#include <algorithm>
#include <utility>

#include "http/h1.h"

namespace wharf::server {

/// From the inside out. A door where nothing is to be decided has HTTP at once.
Entrance::Entrance(const OpenDoor& door, EntranceParts parts) : door_(door), parts_(std::move(parts)), http_(&parts_.http) {
  const Door& settings = door.settings;
  if (door.tls == nullptr && settings.plain_http == PlainHttp::redirected) {
    take_plain(session::Reuse::allowed);
    http_ = &*plain_context_;
  }
  if (!settings.raw.empty() && settings.raw_use == RawUse::fallback)
    inner_.emplace(session::DetectParts{parts_.log, parts_.tls_handshake, http(*http_), {}, {}, raw(settings.raw), parts_.counts});
  first_ = speaker();
  if (door.tls != nullptr) above_tls_ = sealed();
  if (door.tls != nullptr && is_raw()) {
    first_ = tls();
  } else if (door.tls != nullptr) {
    const bool serves_plain = settings.plain_http == PlainHttp::served;
    if (!serves_plain) take_plain(session::Reuse::never);
    detect_.emplace(
        session::DetectParts{parts_.log, parts_.tls_handshake, http(serves_plain ? parts_.http : *plain_context_), tls()});
    detect_->counts = parts_.counts;
    if (serves_plain && inner_) detect_->raw = raw(settings.raw);
    first_ = detecting(*detect_);
  }
  first_ = admitted(std::move(first_));
  if (!door.proxy_networks.empty()) {
    proxy_.emplace(
        session::ProxyParts{parts_.log, parts_.proxy_header_time, parts_.proxy_header, door.proxy_networks, first_, parts_.counts});
    first_ = [this](session::Link& link) -> std::unique_ptr<session::Session> {
      return admits(link) ? std::make_unique<session::ProxyPrelude>(link, *proxy_) : nullptr;
    };
  }
}

/// Where headers are taken, those who send none have been looked at before.
session::SessionMaker Entrance::admitted(session::SessionMaker next) const {
  return [this, next = std::move(next)](session::Link& link) -> std::unique_ptr<session::Session> {
    const bool is_known = !door_.proxy_networks.empty() && !link.peer().proxied;
    return is_known || admits(link) ? next(link) : nullptr;
  };
}

/// A balancer that has not named a client yet, or names none, as for a check, is not counted. A client that it names is, wherever
/// that is from.
bool Entrance::admits(session::Link& link) const {
  const base::PeerAddress& client = link.peer().address;
  const bool is_named = link.peer().proxied && !link.peer().proxied->destination.empty();
  const auto contains = [&client](const auto& network) { return network.contains(client); };
  return (!is_named && std::ranges::any_of(door_.proxy_networks, contains)) || parts_.admit(link);
}

bool Entrance::is_raw() const { return !door_.settings.raw.empty() && door_.settings.raw_use == RawUse::always; }

/// What speaks on top of all that carries.
session::SessionMaker Entrance::speaker() const {
  if (is_raw()) return raw(door_.settings.raw);
  return inner_ ? detecting(*inner_) : http(*http_);
}

session::SessionMaker Entrance::detecting(const session::DetectParts& parts) {
  return [&parts](session::Link& link) { return std::make_unique<session::Detect>(link, parts); };
}

session::SessionMaker Entrance::raw(const std::string& row) const {
  return [router = &parts_.router, &row](session::Link& link) { return router->open_raw(link, row); };
}

session::SessionMaker Entrance::http(session::HttpContext& context) {
  return [&context](session::Link& link) { return std::make_unique<session::H1>(link, context); };
}

/// For those who come without TLS to a door that does not serve them so.
void Entrance::take_plain(session::Reuse reuse) {
  plain_requests_.emplace(parts_.router, parts_.log, door_);
  plain_context_.emplace(*plain_requests_, parts_.http.limits, parts_.log);
  plain_context_->fronts = parts_.http.fronts;
  plain_context_->reuse = reuse;
}

session::SessionMaker Entrance::tls() const {
  return [this](session::Link& link) {
    return std::make_unique<tls::TlsLink>(link, door_.tls->get(), *parts_.tls,
                                          [this](session::Link& above) { return above_tls_(above); });
  };
}

/// What speaks over TLS: what the client has chosen by ALPN, or else what speaks on the door.
session::SessionMaker Entrance::sealed() const {
  if (!door_.settings.tls || door_.settings.tls->raw_by_alpn.empty()) return speaker();
  return [this, &rows = door_.settings.tls->raw_by_alpn,
          otherwise = speaker()](session::Link& link) -> std::unique_ptr<session::Session> {
    const auto row = rows.find(link.peer().tls->alpn);
    return row != rows.end() ? parts_.router.open_raw(link, row->second) : otherwise(link);
  };
}

}  // namespace wharf::server
