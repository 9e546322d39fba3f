#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/peer_address.h"
#include "codec/http/forwarded.h"
#include "codec/http/request_head.h"
#include "link/peer.h"
#include "wharf/abi.h"

namespace wharf::session {

/// The mount of a request, and its sender.
struct RequestPlace {
  std::string_view mount_prefix = "/";            ///< of the decoded path, with a slash at its end
  std::string_view user;                          ///< null data: no user was asked for
  const codec::Forwarding* forwarding = nullptr;  ///< what trusted fronts say; lives as long as the view
};

/// A request as rows see it. Lives as long as the head and the peer's link. Costly facts are computed when they are first asked
/// for.
class RequestView : public wharf_request {
 public:
  RequestView(const codec::RequestHead& head, const LinkPeer& peer, const RequestPlace& place = {});

  [[nodiscard]] const codec::RequestHead& head() const { return *head_; }
  [[nodiscard]] std::string_view path() const { return head().path; }
  [[nodiscard]] std::string_view query() const { return head().query; }
  [[nodiscard]] const base::PeerAddress& peer() const { return forwarding_ != nullptr ? forwarding_->client : peer_->address; }
  /// Of the connection, which may be that of a front; nullptr: it is not encrypted.
  [[nodiscard]] const TlsFacts* tls() const { return peer_->tls; }
  /// What began that connection; nullptr: no PROXY header did.
  [[nodiscard]] const ProxyFacts* proxied() const { return peer_->proxied ? &*peer_->proxied : nullptr; }
  [[nodiscard]] std::string_view address() const;
  [[nodiscard]] std::string_view peer_host() const;
  [[nodiscard]] std::string_view scheme() const { return codec::scheme_of(forwarding_, peer_->scheme()); }
  [[nodiscard]] std::string_view host() const { return codec::host_of(forwarding_, *head_); }
  /// Null data if the path cannot be decoded.
  [[nodiscard]] std::string_view decoded_path() const;
  [[nodiscard]] std::string_view path_below_mount() const;
  [[nodiscard]] std::string_view user() const { return user_; }

  /// The head has moved.
  void rebase(const codec::RequestHead& head) { head_ = &head; }

 private:
  const codec::RequestHead* head_;
  const LinkPeer* peer_;
  std::string_view mount_prefix_;
  std::string_view user_;
  const codec::Forwarding* forwarding_;
  mutable std::optional<std::string> address_;
  mutable std::optional<std::string> peer_host_;
  mutable std::optional<std::string> decoded_path_;
  mutable bool decoded_ = false;
};

}  // namespace wharf::session
