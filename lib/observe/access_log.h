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

/// Takes the lines of one loop to a file, or standard output. All logs of the process with the same file share one LineWriter, so
/// lines do not mix and nobody waits for the file. One thread at a time; owns no clock, the owner calls flush().
class AccessLog {
 public:
  static constexpr std::size_t buffer_size = base::LineWriter::default_capacity;  ///< bytes that wait for the file
  static constexpr std::size_t longest_batch = 64 * 1024;                         ///< bytes that wait for flush()
  static constexpr std::string_view standard_output = "-";

  /// Gets a line when lines begin to be lost, when the file takes everything again, with their number, and for other faults: within
  /// flush(), and at the end.
  using Report = std::function<void(const std::string&)>;

  /// Opens a file to append to, and makes it with the mode 0640 (less the umask) if there is none; "-" is standard output. The
  /// error is one line.
  static base::Result<std::unique_ptr<AccessLog>, std::string> open(const std::string& path, Report report);
  /// Hands over what waits. The last log of a file waits, for a bounded time, until the lines are written.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// `line` is without line feed. It is handed over by the next flush(), or when there are many.
  void write(std::string_view line);
  void flush();
  /// For a file that was renamed: lines that wait still go there, those that follow to a new file of the same name. If that cannot
  /// be opened, the old one stays, and the next flush() reports it.
  void reopen();
  /// Waits until all lines that were handed over are in the file. Returns whether they are.
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
