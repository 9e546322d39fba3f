#pragma once
#include <cstddef>
#include <functional>
#include <memory>

namespace wharf::io {

/// Threads for one kind of what would hold up a loop, for the loops of one server and nobody else. They are made as they are needed,
/// and no signal is delivered to them. Everything may be called from any thread.
class Executor {
 public:
  struct Bounds {
    std::size_t threads = 4;   ///< at least 1
    std::size_t waiting = 64;  ///< tasks of one party that find no thread free
  };
  using Task = std::function<void()>;

  explicit Executor(const Bounds& bounds);
  /// What no thread has begun is dropped. What runs is not waited for: it goes on alone, and its thread ends with it. So a task owns
  /// all that it touches; when the process ends before, its thread goes where it stands.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Has a thread run the task, and destroy it. The parties come in turn, each with its tasks in their order; a party is a loop. False,
  /// and the task is gone: as many of the party's wait as may, or the system has no thread at all. What a task throws is dropped.
  [[nodiscard]] bool run(const void* party, Task task);
  /// Drops what no thread has begun of that party.
  void forget(const void* party);

 private:
  struct Pool;

  std::shared_ptr<Pool> pool_;  // also the threads'
};

}  // namespace wharf::io
