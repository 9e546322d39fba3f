#include "access/address_counts.h"

namespace wharf::server {

class AddressCounts::Place final : public session::Belonging {
 public:
  Place(AddressCounts& counts, const base::PeerAddress& client) : counts_(counts), client_(client) {}
  ~Place() override { counts_.give_back(client_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  AddressCounts& counts_;
  base::PeerAddress client_;
};

AddressCounts::AddressCounts(std::size_t most) : most_(most) {
  for (auto& part : parts_) part = std::make_unique<Part>(new_secret());
}

std::unique_ptr<session::Belonging> AddressCounts::take(const base::PeerAddress& client) {
  const base::PeerAddress network = client.client_network();
  Part& part = part_of(network);
  {
    const std::lock_guard lock(part.mutex);
    std::size_t& count = part.counts[network];
    if (count >= most_) return nullptr;
    ++count;
  }
  try {
    return std::make_unique<Place>(*this, network);
  } catch (...) {
    give_back(network);
    throw;
  }
}

void AddressCounts::give_back(const base::PeerAddress& client) noexcept {
  Part& part = part_of(client);
  const std::lock_guard lock(part.mutex);
  const auto found = part.counts.find(client);
  if (--found->second == 0) part.counts.erase(found);
}

std::size_t AddressCounts::clients() {
  std::size_t sum = 0;
  for (const auto& part : parts_) {
    const std::lock_guard lock(part->mutex);
    sum += part->counts.size();
  }
  return sum;
}

}  // namespace wharf::server
