#include "observe/access_log.h"

#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/standard_descriptors.h"

namespace wharf::server {

using base::SharedLineWriter;

base::Result<std::unique_ptr<AccessLog>, std::string> AccessLog::open(const std::string& path, Report report) {
  std::unique_ptr<SharedLineWriter> file;
  if (path == standard_output) {
    if (base::is_standard_descriptor_occupied(STDOUT_FILENO))
      return base::Failure{std::string("cannot write the access log to stdout: it was closed when the server began; name a file")};
    file = SharedLineWriter::of_stream(STDOUT_FILENO);
  } else {
    auto opened = SharedLineWriter::of_file(path, buffer_size);
    if (!opened)
      return base::Failure{base::concat("cannot open access log '", path, "': ", std::strerror(opened.error()),
                                        "; name a file that can be written")};
    file = std::move(*opened);
  }
  return std::unique_ptr<AccessLog>(new AccessLog(path, std::move(file), std::move(report)));
}

AccessLog::AccessLog(std::string path, std::unique_ptr<SharedLineWriter> file, Report report)
    : path_(std::move(path)), file_(std::move(file)), report_(std::move(report)) {}

AccessLog::~AccessLog() {
  flush();
  if (const std::uint64_t lost = file_->leave(); lost != 0) report(base::concat("is not complete at the end; lines lost: ", lost));
}

void AccessLog::write(std::string_view line) {
  (batch_ += line) += '\n';
  if (batch_.size() >= longest_batch) hand_over();
}

void AccessLog::flush() {
  hand_over();
  report_news();
}

void AccessLog::hand_over() {
  if (batch_.empty()) return;
  dropped_ += (*file_)->write(batch_);
  batch_.clear();
}

void AccessLog::reopen() {
  hand_over();
  (*file_)->reopen();
}

bool AccessLog::settle(base::Time most) {
  flush();
  return (*file_)->settle(most);
}

void AccessLog::report_news() {
  const base::LineWriter::News news = (*file_)->news();
  const std::string_view slow = news.is_regular ? "the disk does not keep up" : "nobody reads it fast enough";
  if (news.losing) report(base::concat("loses lines: ", news.fault != 0 ? std::string_view(std::strerror(news.fault)) : slow));
  if (news.recovered != 0) report(base::concat("is written again; lines lost: ", news.recovered));
  if (news.not_reopened != 0)
    report(base::concat("cannot be opened again: ", std::strerror(news.not_reopened), "; the old file goes on"));
}

void AccessLog::report(std::string_view what) const { report_(base::concat("access log '", path_, "' ", what)); }

}  // namespace wharf::server
