// Mounts whose requests a row of the protocol table handles.
#include <utility>

#include "protocol/row_exchange.h"
#include "server/mount_kind.h"

namespace wharf::server {
namespace {

class RowService final : public MountService {
 public:
  RowService(std::string prefix, session::Protocol& protocol) : prefix_(std::move(prefix)), protocol_(protocol) {}

  void serve(session::Exchange& exchange, std::string_view /*path*/, std::string_view user) override {
    session::RowExchange::serve(exchange, protocol_, {prefix_, user});
  }

 private:
  std::string prefix_;
  session::Protocol& protocol_;
};

}  // namespace

template <>
class KindOf<Requests> final : public MountKind {
 public:
  [[nodiscard]] std::string check(const Mount& mount) const override {
    const auto& requests = std::get<Requests>(mount.serves);

    return requests.protocol.empty() ? "mount '" + mount.prefix + "' names no protocol" : std::string();
  }

  [[nodiscard]] OpenedService open(const Mount& mount, const MountParts& parts) const override {
    const auto& requests = std::get<Requests>(mount.serves);
    session::Protocol* const protocol = parts.table.find(requests.protocol);
    if (protocol == nullptr || protocol->row.http == nullptr)
      return base::Failure{"mount '" + mount.prefix + "': protocol '" + requests.protocol + "' handles no requests"};
    return opened<RowService>(mount.prefix, *protocol);
  }

  [[nodiscard]] std::string_view row_named(const Mount& mount) const override { return std::get<Requests>(mount.serves).protocol; }
};

template const MountKind& kind_of<Requests>();

}  // namespace wharf::server
