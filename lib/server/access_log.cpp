#include "server/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "base/broken_pipe.h"
#include "base/log.h"

namespace wharf::server {
namespace {

std::string not_opened(const std::string& path) {
  return base::concat("cannot open access log '", path, "': ", std::strerror(errno), "; name a file that can be written");
}

/// write(), but a pipe without a reader is an error and no signal.
ssize_t write_quietly(int file, std::string_view bytes) {
  base::BrokenPipeIsAnError quiet;
  const ssize_t sent = ::write(file, bytes.data(), bytes.size());
  const int error = errno;
  if (sent < 0 && error == EPIPE) quiet.forget();
  errno = error;
  return sent;
}

/// What a pipe takes at once, undivided: as many whole lines as fit, or the beginning of a line that is longer.
std::string_view first_piece(std::string_view rest) {
  if (rest.size() <= PIPE_BUF) return rest;
  const std::size_t end = rest.substr(0, PIPE_BUF).rfind('\n');
  return rest.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

}  // namespace

base::Result<AccessLog::File, std::string> AccessLog::open_file(const std::string& path) {
  const bool is_own = path != standard_output;
  // Without O_NONBLOCK a named pipe would wait for its reader.
  constexpr int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  const int number = is_own ? ::open(path.c_str(), flags, 0640) : STDOUT_FILENO;
  struct stat status {};
  if (number < 0) return base::Failure{not_opened(path)};
  if (::fstat(number, &status) == 0) return File{number, S_ISREG(status.st_mode)};
  std::string error = not_opened(path);
  if (is_own) ::close(number);
  return base::Failure{std::move(error)};
}

base::Result<std::unique_ptr<AccessLog>, std::string> AccessLog::open(const std::string& path, Report report) {
  const base::Result<File, std::string> file = open_file(path);
  if (!file) return base::Failure{file.error()};
  return std::unique_ptr<AccessLog>(new AccessLog(path, *file, std::move(report)));
}

AccessLog::AccessLog(std::string path, File file, Report report)
    : path_(std::move(path)), file_(file), report_(std::move(report)) {}

AccessLog::~AccessLog() {
  send(0);
  close_file();
}

void AccessLog::close_file() const {
  if (path_ != standard_output) ::close(file_.number);
}

void AccessLog::write(std::string_view line) {
  const auto is_full = [this, line] { return !waiting_.empty() && waiting_.size() + line.size() + 1 > buffer_size; };
  if (is_full()) send(lost_ == 0 ? patience : 0);
  if (is_full()) return drop_line();
  (waiting_ += line) += '\n';
  if (waiting_.size() >= buffer_size) send(0);
}

void AccessLog::flush() {
  if (!send(0) || lost_ == 0) return;
  report_(base::concat("access log '", path_, "' is written again; lines lost: ", std::exchange(lost_, 0)));
}

void AccessLog::drop_line() {
  ++dropped_;
  if (lost_++ != 0) return;
  const char* const reason = fault_ == EAGAIN ? "nobody reads it fast enough" : std::strerror(fault_);
  report_(base::concat("access log '", path_, "' loses lines: ", reason));
}

/// Whether nothing waits any longer.
bool AccessLog::send(int most_milliseconds) {
  std::string_view rest = waiting_;
  while (!rest.empty()) {
    const long sent = send_piece(rest, most_milliseconds);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) fault_ = errno;
    if (sent <= 0) break;
    torn_ = rest[static_cast<std::size_t>(sent) - 1] != '\n';
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  waiting_.erase(0, waiting_.size() - rest.size());
  return waiting_.empty();
}

/// As write(), or -1 with EAGAIN where it would have to wait for longer.
long AccessLog::send_piece(std::string_view rest, int most_milliseconds) const {
  if (file_.is_regular) return ::write(file_.number, rest.data(), rest.size());
  pollfd writable{file_.number, POLLOUT, 0};
  const int ready = ::poll(&writable, 1, most_milliseconds);
  if (ready > 0) return write_quietly(file_.number, first_piece(rest));
  if (ready == 0) errno = EAGAIN;
  return -1;
}

std::string AccessLog::reopen() {
  flush();
  if (path_ == standard_output) return {};
  const base::Result<File, std::string> file = open_file(path_);
  if (!file) return file.error();
  if (torn_ && !waiting_.empty()) {  // its end would be no line of the new file
    waiting_.erase(0, waiting_.find('\n') + 1);
    drop_line();
  }
  torn_ = false;
  close_file();
  file_ = *file;
  return {};
}

}  // namespace wharf::server
