// Mounts whose requests another server handles.
#include <utility>

#include "proxy/mount.h"
#include "server/mount_kinds.h"

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

 private:
  std::unique_ptr<ProxyMount> proxy_;
};

}  // namespace

std::string check_kind(const Proxy& proxy, const Mount& /*mount*/) { return ProxyMount::check(proxy); }

OpenedService open_kind(const Proxy& proxy, const Mount& mount, const MountParts& parts) {
  ProxyLimits limits;
  limits.pipe_idle = parts.pipe_idle;
  auto gateway = ProxyMount::open(proxy, mount.prefix, parts.outside, &parts.log, limits);
  if (!gateway) return base::Failure{gateway.error()};
  return opened<ProxyService>(std::move(*gateway));
}

}  // namespace wharf::server
