#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "access/address_counts.h"
#include "access/rate_table.h"
#include "access/request_limit.h"
#include "base/log.h"
#include "codec/http/forwarded.h"
#include "link/link.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// What the clients of a server may do, counted by address. One for all loops, which it outlives; any thread may call. What is not
/// limited costs nothing.
class Clients {
 public:
  /// All three outlive this.
  Clients(const Limits& limits, const codec::TrustedFronts& fronts, base::Log& log);

  /// An empty text, or what is wrong with the limits, in one line.
  static std::string check(const Limits& limits);

  /// Once for each accepted connection, when it is known who is at the other end: at the begin, or, if that is told by bytes that
  /// come first, right behind them. False: it is one too many, and to be cut. Unix sockets and trusted fronts stand for many
  /// clients, and are not counted.
  bool admit(session::Link& link);

  /// The server's limit for requests; nullptr: requests are not limited.
  [[nodiscard]] RequestLimit* requests() { return requests_ ? &*requests_ : nullptr; }

  /// The same of a place with a limit of its own; nullptr: it has none. All that ask for one place and one limit share it, so that
  /// loops do.
  std::shared_ptr<RequestLimit> requests_of(const std::string& place, const RequestRate& rate);
  std::shared_ptr<HostLoad> load_of(const std::string& host, std::size_t most);

 private:
  template <class Shared>
  using ByName = std::map<std::string, std::weak_ptr<Shared>>;
  template <class Shared, class... Parts>
  std::shared_ptr<Shared> shared(ByName<Shared>& all, const std::string& name, const Parts&... parts);

  const codec::TrustedFronts& fronts_;
  base::Log& log_;
  std::size_t records_;
  std::optional<AddressCounts> connections_;
  std::optional<RateTable> connection_rate_;
  std::optional<RequestLimit> requests_;
  std::mutex mutex_;  // guards what follows
  ByName<RequestLimit> limits_;
  ByName<HostLoad> loads_;
};

}  // namespace wharf::server
