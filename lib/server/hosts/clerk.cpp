#include "server/hosts/clerk.h"

#include <system_error>
#include <utility>

namespace wharf::server {

Clerk::~Clerk() {
  {
    const std::lock_guard lock(mutex_);
    leaves_ = true;
  }
  news_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool Clerk::ask(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
      return false;
    }
  }
  tasks_.push_back(std::move(task));
  news_.notify_one();
  return true;
}

void Clerk::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    news_.wait(lock, [this] { return leaves_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

}  // namespace wharf::server
