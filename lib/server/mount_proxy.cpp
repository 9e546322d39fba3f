// Mounts whose requests another server handles.
#include <utility>

#include "proxy/mount.h"
#include "server/mount_kind.h"

namespace wharf::server {
namespace {

class ProxyService final : public MountService {
 public:
  explicit ProxyService(std::unique_ptr<ProxyMount> proxy) : proxy_(std::move(proxy)) {}

  void serve(session::Exchange& exchange, std::string_view /*path*/, std::string_view /*user*/) override {
    proxy_->serve(exchange);
  }
  [[nodiscard]] bool adds_slash(const codec::RequestHead& head) const override { return proxy_->adds_slash(head); }
  [[nodiscard]] bool takes_upgrades() const override { return true; }
  void retire() override { proxy_->retire(); }

 private:
  std::unique_ptr<ProxyMount> proxy_;
};

}  // namespace

template <>
class KindOf<Proxy> final : public MountKind {
 public:
  [[nodiscard]] std::string check(const Mount& mount) const override {
    const auto& proxy = std::get<Proxy>(mount.serves);
    return ProxyMount::check(proxy);
  }

  [[nodiscard]] OpenedService open(const Mount& mount, const MountParts& parts) const override {
    const auto& proxy = std::get<Proxy>(mount.serves);
    ProxyLimits limits;
    limits.pipe_idle = parts.pipe_idle;
    limits.users = parts.users;
    auto gateway = ProxyMount::open(proxy, mount.prefix, parts.outside, &parts.log, limits);
    if (!gateway) return base::Failure{gateway.error()};
    return opened<ProxyService>(std::move(*gateway));
  }

  [[nodiscard]] bool makes_connections() const override { return true; }
};

template const MountKind& kind_of<Proxy>();

}  // namespace wharf::server
