#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/line_writer.h"
#include "base/result.h"

namespace wharf::base {

/// A share in the LineWriter of a file or standard stream; there is one in the process for each of them. The last to leave ends it.
class SharedLineWriter {
 public:
  /// Standard output (1) or standard error (2). Standard error itself says what was lost on it.
  static std::unique_ptr<SharedLineWriter> of_stream(int number);
  /// A file to append to, made with the mode 0640 (less the umask) if there is none. It can be reopened. The error is an errno.
  static Result<std::unique_ptr<SharedLineWriter>, int> of_file(const std::string& path, std::size_t capacity);

  ~SharedLineWriter() { leave(); }
  SharedLineWriter(const SharedLineWriter&) = delete;
  SharedLineWriter& operator=(const SharedLineWriter&) = delete;

  LineWriter& operator*() const { return *writer_; }
  LineWriter* operator->() const { return writer_; }

  /// The last one waits as LineWriter::end() does, and returns how many lines will never be in the file. Nothing may be used after.
  std::uint64_t leave();

 private:
  SharedLineWriter(std::string name, int file, LineWriter::Ownership ownership, LineWriter::Settings settings);

  std::string name_;
  LineWriter* writer_ = nullptr;
};

}  // namespace wharf::base
