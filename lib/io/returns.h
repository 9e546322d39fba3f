#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace wharf::io {

/// Other threads hand back to a loop what they have done for it. That allocates no memory. Lives as long as the loop or any of
/// those threads: what comes back to a loop that has ended is dropped.
class Returns {
 public:
  class Errand {
   public:
    virtual ~Errand() = default;
    /// It has come back, on the loop's thread.
    virtual void back() = 0;

   private:
    friend class Returns;
    std::shared_ptr<Errand> next_;
  };

  ~Returns() { close(); }
  Returns() = default;
  Returns(const Returns&) = delete;
  Returns& operator=(const Returns&) = delete;

  /// `wake` makes the loop call run() soon; it is called from the threads.
  void open(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }

  /// From any thread, which must not keep the errand; each comes back once. After close() it is destroyed here.
  void hand_back(std::shared_ptr<Errand> errand) {
    const std::lock_guard lock(mutex_);
    if (!wake_) return;
    const bool first = last_ == nullptr;
    Errand* const added = errand.get();
    (first ? first_ : last_->next_) = std::move(errand);
    last_ = added;
    if (first) wake_();
  }

  /// Takes those that came before this call, in their order, even if one of them ends the loop. Returns how many of them threw;
  /// exceptions end here.
  std::size_t run() {
    std::size_t failed = 0;
    for (std::shared_ptr<Errand> next = take(); next;) {
      const std::shared_ptr<Errand> errand = std::exchange(next, std::move(next->next_));
      try {
        errand->back();
      } catch (...) {
        ++failed;
      }
    }
    return failed;
  }

  /// From here on nothing is accepted, and what came before is dropped.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      wake_ = nullptr;
    }
    for (std::shared_ptr<Errand> next = take(); next;) next = std::move(next->next_);
  }

 private:
  std::shared_ptr<Errand> take() {
    const std::lock_guard lock(mutex_);
    last_ = nullptr;
    return std::exchange(first_, nullptr);
  }

  std::mutex mutex_;
  std::function<void()> wake_;  // empty when closed
  std::shared_ptr<Errand> first_;
  Errand* last_ = nullptr;
};

}  // namespace wharf::io
