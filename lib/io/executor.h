#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace wharf::io {

/// Threads for one kind of what would hold up a loop, for the loops of one server and nobody else. They are made as they are needed,
/// and no signal is delivered to them. Everything may be called from any thread.
class Executor {
 public:
  struct Bounds {
    std::size_t threads = 1;   ///< at least 1
    std::size_t waiting = 64;  ///< tasks of one party that find no thread free
    std::size_t of_one = 64;   ///< threads that may be at tasks about one thing, of all parties; at least 1
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
  ///
  /// `about` names what the task may hang on, such as a mount or a name server: where Bounds::of_one threads are at tasks about the same,
  /// others that come later go before. So what does not answer takes no more of the threads than that, however many parties ask for it.
  [[nodiscard]] bool run(const void* party, Task task, std::string_view about = {});
  /// Drops what no thread has begun of that party.
  void forget(const void* party);
  /// Bounds::threads, at least 1.
  [[nodiscard]] std::size_t threads() const;

 private:
  struct Pool;

  std::shared_ptr<Pool> pool_;  // also the threads'
};

}  // namespace wharf::io
