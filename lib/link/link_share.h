#pragma once
#include <utility>

namespace wharf::session {

/// Whoever counts links of its own, whatever speaks on them.
class LinkCounter {
 public:
  /// A link that was counted has gone.
  virtual void link_gone() noexcept = 0;

 protected:
  ~LinkCounter() = default;
};

/// One link among those that somebody counts. The session on that link holds it, and hands it to the session that follows: the link
/// counts until the last of them goes, which is before the counter does.
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
