#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/peer_address.h"

namespace wharf::server {

/// A bucket of tokens: `burst` of them fit in, and they come back evenly. All that is kept of a bucket is the moment at which it is
/// full again, in nanoseconds; 0 is a full one.
class TokenBucket {
 public:
  /// `per_second` is more than 0. A burst of 0 is as many as come in a second, and at least one.
  TokenBucket(double per_second, std::size_t burst);

  /// Takes one, and returns zero; or the time after which there is one.
  [[nodiscard]] base::Time take(std::int64_t& full_at, base::Time now) const;

 private:
  std::int64_t interval_;  // between two tokens
  std::int64_t slack_;     // the longest time until a bucket is full in which it still has one
};

/// A bucket for each client, in a table of fixed size: eight share a place, and if there is no room, the one makes way that is full
/// or will be full soonest, which has the least to be remembered. So a client that is being refused is not forgotten because many
/// others come. Any thread may call.
class RateTable {
 public:
  RateTable(double per_second, std::size_t burst, std::size_t records);

  /// As TokenBucket::take(), of the network of that client.
  base::Time take(const base::PeerAddress& client, base::Time now);

  static constexpr std::size_t ways = 8;
  static constexpr std::size_t least_records = 1024;

 private:
  struct Record {
    base::PeerAddress client;
    std::int64_t full_at = 0;  // 0: no client's
  };
  using Set = std::array<Record, ways>;
  static constexpr std::size_t locks = 64;

  [[nodiscard]] static Record& record_of(Set& set, const base::PeerAddress& client);

  TokenBucket bucket_;
  std::uint64_t secret_;
  std::vector<Set> sets_;  // as many as a power of two
  std::array<std::mutex, locks> mutexes_;
};

/// For tables that others must not be able to fill at one place: each has a secret of its own.
std::uint64_t new_secret();
std::uint64_t digest_of(const base::PeerAddress& client, std::uint64_t secret);

}  // namespace wharf::server
