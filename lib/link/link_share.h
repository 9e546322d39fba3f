#pragma once
#include <utility>

namespace wharf::session {

/// Counts some links, whatever speaks on them.
class LinkCounter {
 public:
  /// A link that was counted has gone.
  virtual void link_gone() noexcept = 0;

 protected:
  ~LinkCounter() = default;
};

/// One of the links that somebody counts. The session on that link holds it and hands it to the session that follows, so the link
/// is counted until the last of them has gone. The counter outlives it.
class LinkShare {
 public:
  LinkShare() = default;
  /// The counter has counted it already.
  explicit LinkShare(LinkCounter& counter) : counter_(&counter) {}
  LinkShare(LinkShare&& other) noexcept : counter_(std::exchange(other.counter_, nullptr)) {}
  LinkShare& operator=(LinkShare&& other) noexcept {
    std::swap(counter_, other.counter_);
    return *this;
  }
  LinkShare(const LinkShare&) = delete;
  LinkShare& operator=(const LinkShare&) = delete;
  ~LinkShare() {
    if (counter_ != nullptr) counter_->link_gone();
  }

 private:
  LinkCounter* counter_ = nullptr;
};

}  // namespace wharf::session
