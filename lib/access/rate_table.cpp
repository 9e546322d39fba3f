#include "access/rate_table.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstring>
#include <random>

namespace wharf::server {
namespace {

constexpr double second = 1e9;    // in nanoseconds
constexpr double longest = 1e17;  // three years, so that sums do not overflow

std::int64_t nanoseconds(base::Time time) { return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count(); }

/// The finalizer of SplitMix64: each bit of the result depends on each bit of the number.
std::uint64_t mixed(std::uint64_t number) {
  number = (number ^ (number >> 30U)) * 0xBF58476D1CE4E5B9U;
  number = (number ^ (number >> 27U)) * 0x94D049BB133111EBU;
  return number ^ (number >> 31U);
}

}  // namespace

TokenBucket::TokenBucket(double per_second, std::size_t burst)
    : interval_(static_cast<std::int64_t>(std::clamp(second / per_second, 1.0, longest))) {
  const double tokens = burst != 0 ? static_cast<double>(burst) : std::max(1.0, std::floor(per_second));
  slack_ = static_cast<std::int64_t>(std::min(static_cast<double>(interval_) * (tokens - 1), longest));
}

base::Time TokenBucket::take(std::int64_t& full_at, base::Time now) const {
  const std::int64_t present = nanoseconds(now);
  const std::int64_t full = std::max(full_at, present);
  if (const std::int64_t wait = full - present - slack_; wait > 0)
    return std::chrono::ceil<base::Time>(std::chrono::nanoseconds(wait));
  full_at = full + interval_;
  return base::Time{0};
}

RateTable::RateTable(double per_second, std::size_t burst, std::size_t records)
    : bucket_(per_second, burst),
      secret_(new_secret()),
      sets_(std::bit_ceil(std::clamp(records, least_records, std::size_t{1} << 26U) / ways)) {}

base::Time RateTable::take(const base::PeerAddress& client, base::Time now) {
  const base::PeerAddress network = client.client_network();
  const std::size_t place = digest_of(network, secret_) & (sets_.size() - 1);
  const std::lock_guard lock(mutexes_[place % locks]);
  return bucket_.take(record_of(sets_[place], network).full_at, now);
}

/// Its own, or a new one.
RateTable::Record& RateTable::record_of(Set& set, const base::PeerAddress& client) {
  Record* least = &set.front();
  for (Record& record : set) {
    if (record.full_at != 0 && record.client == client) return record;
    if (record.full_at < least->full_at) least = &record;
  }
  *least = {client, 0};
  return *least;
}

std::uint64_t new_secret() {
  std::random_device random;
  return std::uint64_t{random()} << 32U | random();
}

std::uint64_t digest_of(const base::PeerAddress& client, std::uint64_t secret) {
  std::array<std::uint64_t, 2> halves{};
  std::memcpy(halves.data(), client.bytes().data(), sizeof halves);
  const std::uint64_t first = mixed(secret ^ halves[0]);
  return mixed(first +
               mixed(secret + halves[1] + (std::uint64_t{client.scope()} << 8U) + static_cast<std::uint64_t>(client.family())));
}

}  // namespace wharf::server
