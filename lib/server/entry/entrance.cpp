#include "server/entry/entrance.h"

#include <algorithm>
#include <utility>

#include "http/h1.h"

namespace wharf::server {

/// From the inside out. A door where nothing is to be decided has HTTP at once.
Entrance::Entrance(const OpenDoor& door, const EntranceParts& parts) : door_(door), parts_(parts) {
  first_ = speaker();
  if (door.tls != nullptr && !door.settings.raw.empty()) {
    first_ = tls();
  } else if (door.tls != nullptr) {
    detect_.emplace(session::DetectParts{parts_.log, parts_.tls_handshake, plain_http(), tls()});
    first_ = [this](session::Link& link) { return std::make_unique<session::Detect>(link, *detect_); };
  }
  first_ = admitted(std::move(first_));
  if (!door.proxy_networks.empty()) {
    proxy_.emplace(session::ProxyParts{parts_.log, parts_.proxy_header_time, parts_.proxy_header, door.proxy_networks, first_});
    first_ = [this](session::Link& link) { return std::make_unique<session::ProxyPrelude>(link, *proxy_); };
  }
}

/// A balancer that names no client, as for a check, is not counted.
session::SessionMaker Entrance::admitted(session::SessionMaker next) const {
  return [this, next = std::move(next)](session::Link& link) -> std::unique_ptr<session::Session> {
    const base::PeerAddress& client = link.peer().address;
    const bool is_balancer =
        std::ranges::any_of(door_.proxy_networks, [&client](const auto& network) { return network.contains(client); });
    return is_balancer || parts_.admit(link) ? next(link) : nullptr;
  };
}

/// What speaks on top of all that carries.
session::SessionMaker Entrance::speaker() const {
  if (const std::string& row = door_.settings.raw; !row.empty())
    return [router = &parts_.router, &row](session::Link& link) { return router->open_raw(link, row); };
  return [context = &parts_.http](session::Link& link) { return std::make_unique<session::H1>(link, *context); };
}

/// What speaks with those who come to a door with TLS without it.
session::SessionMaker Entrance::plain_http() {
  if (door_.settings.plain_http == PlainHttp::served) return speaker();
  plain_requests_.emplace(parts_.router, parts_.log, door_.settings.plain_http, io::peer_address(door_.address).port());
  plain_context_.emplace(*plain_requests_, parts_.http.limits, parts_.log);
  plain_context_->fronts = parts_.http.fronts;
  plain_context_->reuse = session::Reuse::never;
  return [this](session::Link& link) { return std::make_unique<session::H1>(link, *plain_context_); };
}

session::SessionMaker Entrance::tls() const {
  return [this](session::Link& link) { return std::make_unique<tls::TlsLink>(link, door_.tls->get(), *parts_.tls, speaker()); };
}

}  // namespace wharf::server
