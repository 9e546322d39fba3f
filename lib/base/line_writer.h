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

/// Writes lines to a file, a pipe, a terminal or a socket: to anything that is not a peer. All such writes of the server go through
/// it.
///
/// A thread of its own writes, made for the first line, so that nobody else waits: not for a pipe that nobody reads, not for a
/// terminal that was stopped, and not for a disk, which no flag and no poll() keeps from blocking. All signals that a write can
/// cause (SIGPIPE, SIGXFSZ, SIGTTOU) are blocked on that thread and become errors. The flags of the descriptor do not change: it
/// may be shared with other programs.
///
/// Lines that the file does not take wait, up to a capacity. Lines that find no room are lost, whole, and counted; further lines
/// are lost until half of the capacity is free, so that gaps are few and long.
class LineWriter {
 public:
  static constexpr std::size_t default_capacity =
      1024 * 1024;                           ///< bytes that wait; a longer line is accepted if nothing else waits
  static constexpr Time patience{500};       ///< at the end: time since the file last took something
  static constexpr Time shortest_end{50};    ///< at the end: at least this long
  static constexpr Time longest_end{1'000};  ///< at the end: at most this long, for a file that takes something
  static constexpr Time first_retry{50};     ///< after an error; doubles
  static constexpr Time last_retry{2'000};   ///< the longest time between tries

  enum class Ownership : std::uint8_t { lent, own };

  struct Settings {
    std::size_t capacity = default_capacity;
    /// Makes the line, without line feed, that says in the file itself how many were lost before it; nullptr: no such line.
    std::string (*lost_line)(std::uint64_t lost) = nullptr;
    /// Opens the file anew; a negative number is -errno. Called on the writer's thread.
    std::function<int()> open{};
  };

  /// What has happened since the last call, for a log elsewhere.
  struct News {
    bool losing = false;          ///< lines have begun to be lost
    bool is_regular = false;      ///< a file on a disk
    int fault = 0;                ///< errno of the last write before the first lost line, if it failed; 0: the file is slow
    std::uint64_t recovered = 0;  ///< lines that were lost before the file took everything again
    int not_reopened = 0;         ///< errno
  };

  /// A file that it owns is closed at the end.
  LineWriter(int file, Ownership ownership, Settings settings);
  /// end()
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Whole lines, each with its line feed. Returns how many of them are lost. From any thread; never waits for the file.
  std::size_t write(std::string_view lines);
  /// Lines that wait still go to the old file as far as it takes them, those that follow to one opened anew, or, if that fails, to
  /// the old one.
  void reopen();
  /// Waits until all lines are in the file, at most for this time. Returns whether they are.
  bool settle(Time most);
  [[nodiscard]] News news();

  /// Writes what waits to the file, as far as it goes in bounded time, and ends the thread. If a write holds the thread, the thread
  /// is left behind and ends when the write does. Returns how many lines are not in the file. Nothing may be written after.
  std::uint64_t end();

 private:
  struct State;

  void renew_after_fork();
  void start_thread();

  std::mutex mutex_;  // of the callers, so that only one of them handles what a fork left behind
  std::shared_ptr<State> state_;
  std::optional<pthread_t> thread_;
  pid_t process_;
};

}  // namespace wharf::base
