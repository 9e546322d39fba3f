#pragma once
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace wharf::base {

/// Work handed to a loop by other threads. post() may be called from any thread as long as the mailbox exists; everything else
/// belongs to the loop's thread.
class Mailbox {
 public:
  using Task = std::function<void()>;

  /// `wake` makes the loop call run() soon; it is called from the posting thread.
  void open(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wake_ = std::move(wake);
  }

  /// False, and the task is not taken, if the mailbox was closed.
  bool post(Task task) {
    const std::lock_guard lock(mutex_);
    if (!wake_) return false;
    tasks_.push_back(std::move(task));
    if (tasks_.size() == 1) wake_();
    return true;
  }

  /// Runs what was posted before this call, in the order of posting. Returns how many of them threw; exceptions end here.
  std::size_t run() {
    std::vector<Task> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    std::size_t failed = 0;
    for (Task& task : tasks) {
      try {
        task();
      } catch (...) {
        ++failed;
      }
    }
    return failed;
  }

  /// From here on nothing is accepted; what was posted before still runs at the next run().
  void close() {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Task> tasks_;
};

}  // namespace wharf::base
