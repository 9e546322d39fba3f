#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace wharf::server {

/// Does one thing after the other on a thread of its own, which begins with the first.
class Clerk {
 public:
  Clerk() = default;
  /// All that it was asked to do is done first. Not from within.
  ~Clerk();
  Clerk(const Clerk&) = delete;
  Clerk& operator=(const Clerk&) = delete;

  /// From any thread. The task throws nothing. False: the system has no thread, and the task is not taken.
  [[nodiscard]] bool ask(std::function<void()> task);

 private:
  void work();

  std::mutex mutex_;  // guards what follows
  std::condition_variable news_;
  std::deque<std::function<void()>> tasks_;
  bool leaves_ = false;
  std::thread thread_;
};

}  // namespace wharf::server
