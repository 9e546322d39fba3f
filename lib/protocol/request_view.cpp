#include "protocol/request_view.h"

#include "codec/http/target.h"
#include "protocol/services.h"

namespace wharf::session {

RequestView::RequestView(const codec::RequestHead& head, const LinkPeer& peer, const RequestPlace& place)
    : wharf_request{&service_table()},
      head_(&head),
      peer_(&peer),
      mount_prefix_(place.mount_prefix),
      user_(place.user),
      forwarding_(place.forwarding) {}

std::string_view RequestView::address() const {
  if (!address_) address_ = peer().text();
  return *address_;
}

std::string_view RequestView::peer_host() const {
  if (!peer_host_) peer_host_ = peer().host();
  return *peer_host_;
}

std::string_view RequestView::decoded_path() const {
  if (!decoded_) {
    decoded_path_ = codec::percent_decode(path());
    decoded_ = true;
  }
  return decoded_path_ ? std::string_view(*decoded_path_) : std::string_view();
}

std::string_view RequestView::path_below_mount() const {
  const std::string_view path = decoded_path();
  if (path.size() < mount_prefix_.size()) return path.empty() ? path : "/";  // the mount itself, without its last '/'
  if (!path.starts_with(mount_prefix_)) return path;
  return path.substr(mount_prefix_.size() - 1);
}

}  // namespace wharf::session
