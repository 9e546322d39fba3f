#pragma once
#include <utility>

namespace wharf::server {

class UpstreamPool;

/// One of the connections that a pool may have at once, for whatever speaks on it: given back when that goes. Before the pool.
class UpstreamShare {
 public:
  UpstreamShare() = default;
  /// The pool has counted it already.
  explicit UpstreamShare(UpstreamPool& pool) : pool_(&pool) {}
  UpstreamShare(UpstreamShare&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
  UpstreamShare& operator=(UpstreamShare&& other) noexcept {
    std::swap(pool_, other.pool_);
    return *this;
  }
  UpstreamShare(const UpstreamShare&) = delete;
  UpstreamShare& operator=(const UpstreamShare&) = delete;
  ~UpstreamShare();

 private:
  UpstreamPool* pool_ = nullptr;
};

}  // namespace wharf::server
