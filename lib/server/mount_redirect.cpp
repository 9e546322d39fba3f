// Mounts that name another place.
#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "codec/http/target.h"
#include "server/mount_kind.h"
#include "server/moved.h"

namespace wharf::server {
namespace {

constexpr std::array<int, 4> redirect_statuses{301, 302, 307, 308};

class RedirectService final : public MountService {
 public:
  RedirectService(std::size_t prefix_size, Redirect to) : prefix_size_(prefix_size), to_(std::move(to)) {}

  void serve(session::Exchange& exchange, std::string_view path, std::string_view /*user*/) override {
    std::string location = to_.location;
    if (location.back() == '/' && path.size() > prefix_size_) {
      std::string_view rest = path.substr(prefix_size_);
      while (rest.starts_with('/')) rest.remove_prefix(1);  // "//" at the front would name another host
      location += codec::percent_encode_path(rest);
    }
    if (!exchange.request().query.empty())
      location += base::concat(location.find('?') == std::string::npos ? "?" : "&", exchange.request().query);
    exchange.respond(moved(to_.status, std::move(location)));
  }

 private:
  std::size_t prefix_size_;
  Redirect to_;
};

}  // namespace

template <>
class KindOf<Redirect> final : public MountKind {
 public:
  [[nodiscard]] std::string check(const Mount& mount) const override {
    const auto& redirect = std::get<Redirect>(mount.serves);

    if (std::find(redirect_statuses.begin(), redirect_statuses.end(), redirect.status) == redirect_statuses.end())
      return "a redirect has status 301, 302, 307 or 308, not " + std::to_string(redirect.status);
    const bool visible =
        std::all_of(redirect.location.begin(), redirect.location.end(), [](char c) { return c > ' ' && c < '\x7F'; });
    if (redirect.location.empty() || !visible)
      return "a redirect needs a percent-encoded location, not '" + redirect.location + "'";
    return {};
  }

  [[nodiscard]] OpenedService open(const Mount& mount, const MountParts& /*parts*/) const override {
    const auto& redirect = std::get<Redirect>(mount.serves);
    return opened<RedirectService>(mount.prefix.size(), redirect);
  }
};

template const MountKind& kind_of<Redirect>();

}  // namespace wharf::server
