#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace wharf::io {

/// Threads for one kind of work that would hold up a loop, for the loops of one server and nobody else. They are made as they are
/// needed, and no signal is delivered to them. Everything may be called from any thread.
class Executor {
 public:
  struct Bounds {
    std::size_t threads = 1;   ///< at least 1
    std::size_t waiting = 64;  ///< tasks of one party that wait for a free thread
    std::size_t of_one = 64;   ///< threads that may run tasks about one thing, for all parties; at least 1
  };
  using Task = std::function<void()>;

  explicit Executor(const Bounds& bounds);
  /// Drops tasks that no thread has begun. Does not wait for those that run: they go on alone, and their threads end with them. So
  /// a task must own all that it touches; if the process ends earlier, the thread ends wherever it is.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Has a thread run the task, and destroy it. The parties take turns, each with its tasks in their order; a party is a loop.
  /// False, and the task is gone: too many of the party's tasks wait, or the system has no thread at all. Exceptions of a task are
  /// dropped.
  ///
  /// `about` names what the task may hang on, such as a mount or a name server: if Bounds::of_one threads run tasks about the same, later
  /// tasks about others go first. So a thing that does not answer takes no more threads than that, however many parties use it.
  [[nodiscard]] bool run(const void* party, Task task, std::string_view about = {});
  /// Drops the tasks of that party that no thread has begun.
  void forget(const void* party);
  /// Bounds::threads, at least 1.
  [[nodiscard]] std::size_t threads() const;

 private:
  struct Pool;

  std::shared_ptr<Pool> pool_;  // shared with the threads
};

}  // namespace wharf::io
