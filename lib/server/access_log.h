#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wharf::server {

/// Where the lines of one loop go: a file, or standard output. Each loop has one of its own, and all may name the same file: whole lines
/// are appended with each write, of at most PIPE_BUF where it is a pipe. One thread at a time; owns no clock, flush() comes from outside.
///
/// What the file does not take waits. A line that finds no room any more is dropped and counted: the loop does not wait for a log, but
/// once for `patience` where a pipe or a terminal is behind.
class AccessLog {
 public:
  static constexpr std::size_t buffer_size = 64 * 1024;  ///< bytes that wait; a line longer than that still goes
  static constexpr int patience = 100;                   ///< milliseconds
  static constexpr std::string_view standard_output = "-";

  /// Is told in one line when lines begin to be lost, and how many were lost when the file takes all again.
  using Report = std::function<void(const std::string&)>;

  /// Opens a file to append to, and makes it with the mode 0640 (less the umask) where there is none; "-" is standard output. The error
  /// is one line.
  static base::Result<std::unique_ptr<AccessLog>, std::string> open(const std::string& path, Report report);
  /// Writes what waits, as far as it is taken.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// `line` is without line feed. It is written by the next flush(), or when the buffer is full.
  void write(std::string_view line);
  void flush();
  /// For a file that was renamed: what waits still goes there, what follows to a new file of the same name. An empty text, or in one line
  /// why that can not be opened; then the old one stays.
  std::string reopen();

  /// Lines lost so far.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct File {
    int number = -1;
    bool is_regular = false;  // takes what is written at once, or says why not
  };

  AccessLog(std::string path, File file, Report report);
  static base::Result<File, std::string> open_file(const std::string& path);
  bool send(int most_milliseconds);
  [[nodiscard]] long send_piece(std::string_view rest, int most_milliseconds) const;
  void drop_line();
  void close_file() const;

  std::string path_;
  File file_;
  Report report_;
  std::string waiting_;     // whole lines, but for the first where torn_ says so
  bool torn_ = false;       // the beginning of the first is in the file already
  int fault_ = 0;           // errno of the last write
  std::uint64_t lost_ = 0;  // since the file last took all
  std::uint64_t dropped_ = 0;
};

}  // namespace wharf::server
