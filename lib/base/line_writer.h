#pragma once
#include <pthread.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace wharf::base {

/// Lines to a file, a pipe, a terminal, a socket: to whatever is not a peer. The one way in which this house writes to such.
///
/// A thread of its own does it, made for the first line, so that nobody else waits: not for a pipe that nobody reads, not for a terminal
/// that was stopped, and not for a disk, which no flag and no poll() keeps from blocking. All signals that a write can bring (SIGPIPE,
/// SIGXFSZ, SIGTTOU) are blocked on that thread, where they are errors then. The flags of the descriptor stay as they are: it may be
/// shared with other programs.
///
/// What the file does not take waits, up to a capacity. Lines that find no room are lost, whole and at the end, and counted; they go on
/// to be lost until half of the capacity is free, so that gaps are few and long.
class LineWriter {
 public:
  static constexpr std::size_t default_capacity = 1024 * 1024;  ///< bytes that wait; a longer line goes where nothing else waits
  static constexpr Time patience{500};                          ///< since the file took something, when the writer ends
  static constexpr Time shortest_end{50};                       ///< where that was long ago
  static constexpr Time longest_end{1'000};                     ///< for a file that takes something, in all
  static constexpr Time first_retry{50};                        ///< after an error; doubles
  static constexpr Time last_retry{2'000};                      ///< between tries at most

  enum class Ownership : std::uint8_t { lent, own };

  struct Settings {
    std::size_t capacity = default_capacity;
    /// The line, without line feed, that says in the file itself how many were lost before it; nullptr: none does.
    std::string (*lost_line)(std::uint64_t lost) = nullptr;
    /// Opens the file anew; a negative number is -errno. Called on the writer's thread.
    std::function<int()> open{};
  };

  /// What is to be told elsewhere, since the last time that it was asked for.
  struct News {
    bool losing = false;          ///< lines have begun to be lost
    bool is_regular = false;      ///< a file on a disk
    int fault = 0;                ///< errno of the last write (before the first lost line), where it failed; 0: the file is slow
    std::uint64_t recovered = 0;  ///< lines that were lost before the file took all again
    int not_reopened = 0;         ///< errno
  };

  /// A file of one's own is closed in the end.
  LineWriter(int file, Ownership ownership, Settings settings);
  /// end()
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Whole lines, each with its line feed. Returns how many of them are lost. From any thread; never waits for the file.
  std::size_t write(std::string_view lines);
  /// What waits still goes to the old file as far as it takes it, what follows to one opened anew; where that fails, to the old one.
  void reopen();
  /// Waits until all that was written is in the file, for so long at most. Whether it is.
  bool settle(Time most);
  [[nodiscard]] News news();

  /// Takes what waits to the file, as far as it goes in bounded time, and ends the thread; one that cannot be ended, because a write
  /// holds it, is left behind and ends when the write does. Returns how many lines are not in the file. Nothing may be written after.
  std::uint64_t end();

 private:
  struct State;

  void renew_after_fork();
  void start_thread();

  std::mutex mutex_;  // of the callers, so that what a fork leaves behind is seen by one of them
  std::shared_ptr<State> state_;
  std::optional<pthread_t> thread_;
  pid_t process_;
};

}  // namespace wharf::base
