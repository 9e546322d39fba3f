#include "access/clients.h"

#include <functional>
#include <utility>

namespace wharf::server {

Clients::Clients(const Limits& limits, const codec::TrustedFronts& fronts, base::Log& log)
    : fronts_(fronts), log_(log), records_(limits.address_records) {
  if (limits.address_connections != 0) connections_.emplace(limits.address_connections);
  if (limits.address_connection_rate != 0)
    connection_rate_.emplace(static_cast<double>(limits.address_connection_rate), limits.address_connection_burst, records_);
  if (limits.address_request_rate != 0)
    requests_.emplace("the server", RequestRate{static_cast<double>(limits.address_request_rate), limits.address_request_burst},
                      records_, log);
}

std::string Clients::check(const Limits& limits) {
  if (limits.address_connection_burst != 0 && limits.address_connection_rate == 0)
    return "the limit address_connection_burst needs address_connection_rate, too";
  if (limits.address_request_burst != 0 && limits.address_request_rate == 0)
    return "the limit address_request_burst needs address_request_rate, too";
  return {};
}

bool Clients::admit(session::Link& link) {
  if (!connections_ && !connection_rate_) return true;
  const base::PeerAddress& client = link.peer().address;
  using Family = base::PeerAddress::Family;
  if ((client.family() != Family::ipv4 && client.family() != Family::ipv6) || fronts_.contain(client)) return true;
  if (connection_rate_ && connection_rate_->take(client, link.now()) != base::Time{0}) {
    log_.info(base::LogKind("clients that connect too fast"), "the client at ", client.host(),
              " makes connections faster than address_connection_rate allows: one was cut");
    return false;
  }
  if (!connections_) return true;
  if (auto place = connections_->take(client)) {
    link.attach(std::move(place));
    return true;
  }
  log_.info(base::LogKind("clients with too many connections"), "the client at ", client.host(),
            " has as many connections as address_connections allows: one more was cut");
  return false;
}

template <class Shared, class... Parts>
std::shared_ptr<Shared> Clients::shared(ByName<Shared>& all, const std::string& name, const Parts&... parts) {
  const std::lock_guard lock(mutex_);
  std::weak_ptr<Shared>& known = all[name];
  if (auto found = known.lock()) return found;
  auto made = std::make_shared<Shared>(parts..., std::ref(log_));
  known = made;
  std::erase_if(all, [](const auto& each) { return each.second.expired(); });
  return made;
}

std::shared_ptr<RequestLimit> Clients::requests_of(const std::string& place, const RequestRate& rate) {
  if (rate.per_second == 0) return nullptr;
  return shared(limits_, base::concat(place, " ", std::to_string(rate.per_second), " ", rate.burst), place, rate, records_);
}

std::shared_ptr<HostLoad> Clients::load_of(const std::string& host, std::size_t most) {
  return most == 0 ? nullptr : shared(loads_, base::concat(host, " ", most), host, most);
}

}  // namespace wharf::server
