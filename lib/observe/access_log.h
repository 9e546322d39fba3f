#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/shared_line_writer.h"

namespace wharf::server {

/// Where the lines of one loop go: a file, or standard output. All that name the same file in a process share one LineWriter, so lines do
/// not mix and nobody waits for the file. One thread at a time; owns no clock, flush() comes from outside.
class AccessLog {
 public:
  static constexpr std::size_t buffer_size = base::LineWriter::default_capacity;  ///< bytes that wait for the file
  static constexpr std::size_t longest_batch = 64 * 1024;                         ///< bytes that wait for flush()
  static constexpr std::string_view standard_output = "-";

  /// Is told in one line when lines begin to be lost, how many were lost when the file takes all again, and what else goes wrong: within
  /// flush(), and at the end.
  using Report = std::function<void(const std::string&)>;

  /// Opens a file to append to, and makes it with the mode 0640 (less the umask) where there is none; "-" is standard output. The error
  /// is one line.
  static base::Result<std::unique_ptr<AccessLog>, std::string> open(const std::string& path, Report report);
  /// Hands over what waits. The last one of a file sees the lines written, in bounded time.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// `line` is without line feed. It is handed over by the next flush(), or when there are many.
  void write(std::string_view line);
  void flush();
  /// For a file that was renamed: what waits still goes there, what follows to a new file of the same name. Where that cannot be opened,
  /// the old one stays, and the next flush() reports it.
  void reopen();
  /// Waits until all that was handed over is in the file. Whether it is.
  bool settle(base::Time most);

  /// Lines lost so far.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  AccessLog(std::string path, std::unique_ptr<base::SharedLineWriter> file, Report report);
  void hand_over();
  void report_news();
  void report(std::string_view what) const;

  std::string path_;
  std::unique_ptr<base::SharedLineWriter> file_;
  Report report_;
  std::string batch_;  // whole lines
  std::uint64_t dropped_ = 0;
};

}  // namespace wharf::server
