#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "access/rate_table.h"
#include "base/peer_address.h"
#include "link/belonging.h"

namespace wharf::server {

/// How many connections each client has. A client without any takes no memory, so connections bound the table. Any thread may call;
/// it outlives the places.
class AddressCounts {
 public:
  explicit AddressCounts(std::size_t most);

  /// A place for one more connection of that client, as long as what is returned; nullptr: it has as many as it may have.
  std::unique_ptr<session::Belonging> take(const base::PeerAddress& client);
  /// Clients that have connections.
  [[nodiscard]] std::size_t clients();

 private:
  class Place;
  struct Digest {
    std::size_t operator()(const base::PeerAddress& client) const { return digest_of(client, secret); }
    std::uint64_t secret;
  };
  struct Part {
    explicit Part(std::uint64_t secret) : counts(0, Digest{secret}) {}

    std::mutex mutex;
    std::unordered_map<base::PeerAddress, std::size_t, Digest> counts;
  };
  static constexpr std::size_t part_count = 64;

  Part& part_of(const base::PeerAddress& client) { return *parts_[digest_of(client, secret_) % part_count]; }
  void give_back(const base::PeerAddress& client) noexcept;

  std::size_t most_;
  std::uint64_t secret_ = new_secret();
  std::array<std::unique_ptr<Part>, part_count> parts_;
};

}  // namespace wharf::server
