// Mounts whose requests another server handles.
#include <utility>

#include "proxy/mount.h"
#include "server/certificates/certificates.h"
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
    if (std::string fault = ProxyMount::check(proxy); !fault.empty()) return fault;
    const auto tls = ProxyMount::tls_of(proxy);
    const std::string fault = tls ? Certificates::check(*tls) : std::string();
    return fault.empty() ? fault : base::concat("proxy target '", proxy.to, "': ", fault);
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
  void resolve(Mount& mount) const override {
    auto& proxy = std::get<Proxy>(mount.serves);
    for (auto* const file : {&proxy.tls_authorities, &proxy.tls_certificate, &proxy.tls_key, &proxy.tls_passphrase})
      if (!file->empty()) make_absolute(*file);
  }
};

template const MountKind& kind_of<Proxy>();

}  // namespace wharf::server
