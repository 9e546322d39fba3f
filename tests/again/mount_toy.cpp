// A kind of mounts as docs/architecture.md says that one is added: this file, and the struct in the configuration (add_toy.py).
#include <utility>

#include "server/mount_kind.h"

namespace wharf::server {
namespace {

class ToyService final : public MountService {
 public:
  explicit ToyService(std::string words) : words_(std::move(words)) {}

  void serve(session::Exchange& exchange, std::string_view path, std::string_view /*user*/) override {
    exchange.respond(session::text_response(200, words_ + " at " + std::string(path)));
  }

 private:
  std::string words_;
};

}  // namespace

template <>
class KindOf<Toy> final : public MountKind {
 public:
  [[nodiscard]] std::string check(const Mount& mount) const override {
    return std::get<Toy>(mount.serves).words.empty() ? "mount '" + mount.prefix + "': a toy has words" : std::string();
  }
  [[nodiscard]] OpenedService open(const Mount& mount, const MountParts& /*parts*/) const override {
    return opened<ToyService>(std::get<Toy>(mount.serves).words);
  }
};

template const MountKind& kind_of<Toy>();

}  // namespace wharf::server
