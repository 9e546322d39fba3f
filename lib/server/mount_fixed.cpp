// Mounts with always the same response.
#include <utility>

#include "base/ascii.h"
#include "server/mount_kind.h"

namespace wharf::server {
namespace {

class FixedService final : public MountService {
 public:
  explicit FixedService(Fixed fixed) : fixed_(std::move(fixed)) {}

  void serve(session::Exchange& exchange, std::string_view /*path*/, std::string_view /*user*/) override {
    session::Response response;
    response.status = fixed_.status;
    if (!fixed_.media_type.empty()) response.fields.emplace_back("Content-Type", fixed_.media_type);
    response.content = fixed_.body;
    exchange.respond(std::move(response));
  }

 private:
  Fixed fixed_;
};

}  // namespace

template <>
class KindOf<Fixed> final : public MountKind {
 public:
  [[nodiscard]] std::string check(const Mount& mount) const override {
    const auto& fixed = std::get<Fixed>(mount.serves);

    if (fixed.status < 200 || fixed.status > 599)
      return "a fixed response has a status from 200 to 599, not " + std::to_string(fixed.status);
    if (!base::is_field_value(fixed.media_type)) return "the media type of a fixed response has a control character";
    return {};
  }

  [[nodiscard]] OpenedService open(const Mount& mount, const MountParts& /*parts*/) const override {
    const auto& fixed = std::get<Fixed>(mount.serves);
    return opened<FixedService>(fixed);
  }
};

template const MountKind& kind_of<Fixed>();

}  // namespace wharf::server
