#pragma once
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "access/rate_table.h"
#include "base/log.h"
#include "http/exchange.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// How often one client may send requests to a server, a virtual host or a mount. Any thread may call.
class RequestLimit {
 public:
  /// The rate is more than 0. `place` is what log lines call it. The log outlives this.
  RequestLimit(std::string place, const RequestRate& rate, std::size_t records, base::Log& log)
      : place_(std::move(place)), table_(rate.per_second, rate.burst, records), log_(log) {}

  /// An empty text, or a few words about what is wrong with a rate.
  static std::string check(const RequestRate& rate);

  /// Whether the request comes soon enough behind those before it. If not, it has got 429 (RFC 6585 section 4) with Retry-After.
  bool admits(session::Exchange& exchange);

 private:
  std::string place_;
  RateTable table_;
  base::Log& log_;
};

/// How many requests in progress and WebSockets a virtual host has on all loops. Any thread may call.
class HostLoad {
 public:
  HostLoad(std::string host, std::size_t most, base::Log& log) : host_(std::move(host)), most_(most), log_(log) {}

  /// Whether there is room for the request. It counts until its exchange ends, or, if it leaves HTTP, until its connection does,
  /// which may be after the host was removed; therefore it shares this. If there is none, it has got 503 with Retry-After.
  static bool admits(const std::shared_ptr<HostLoad>& load, session::Exchange& exchange);

 private:
  class Place;
  class Seat;

  std::string host_;
  const std::size_t most_;
  std::atomic<std::size_t> taken_{0};
  base::Log& log_;
};

}  // namespace wharf::server
