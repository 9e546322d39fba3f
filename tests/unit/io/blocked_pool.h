#pragma once
#include <doctest/doctest.h>
#include <uv.h>

#include <cstddef>
#include <cstdlib>
#include <semaphore>
#include <string>
#include <utility>
#include <vector>

namespace wharf::test {

/// Keeps all threads of libuv's pool busy, so that nothing new begins there. The loop runs on until they are free.
class BlockedPool {
 public:
  explicit BlockedPool(uv_loop_t* loop) : loop_(loop) {
    for (uv_work_t& request : requests_) {
      request.data = this;
      REQUIRE(uv_queue_work(
                  loop, &request, [](uv_work_t* work) { static_cast<BlockedPool*>(work->data)->block(); },
                  [](uv_work_t* work, int) { --static_cast<BlockedPool*>(work->data)->busy_; }) == 0);
    }
    for (std::size_t i = 0; i < threads_; ++i) begun_.acquire();
  }
  ~BlockedPool() {
    unblock();
    while (busy_ != 0) uv_run(loop_, UV_RUN_ONCE);
  }
  BlockedPool(const BlockedPool&) = delete;
  BlockedPool& operator=(const BlockedPool&) = delete;

  void unblock() {
    if (std::exchange(blocked_, false)) gate_.release(static_cast<std::ptrdiff_t>(threads_));
  }

 private:
  static std::size_t size_of_pool() {
    const char* given = std::getenv("UV_THREADPOOL_SIZE");
    return given != nullptr ? std::stoul(given) : 4;  // libuv's default
  }

  void block() {
    begun_.release();
    gate_.acquire();
  }

  uv_loop_t* loop_;
  const std::size_t threads_ = size_of_pool();
  std::vector<uv_work_t> requests_ = std::vector<uv_work_t>(threads_);
  std::counting_semaphore<> begun_{0};
  std::counting_semaphore<> gate_{0};
  std::size_t busy_ = threads_;
  bool blocked_ = true;
};

}  // namespace wharf::test
