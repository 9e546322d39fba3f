#include "base/shared_line_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <utility>

#include "base/log.h"

namespace wharf::base {
namespace {

struct Shared {
  std::unique_ptr<LineWriter> writer;
  std::size_t users = 0;
};

struct Writers {
  std::mutex mutex;
  std::map<std::string, Shared, std::less<>> by_name;
};

/// Never destroyed: a server may be destroyed after main() has returned, and log something then.
Writers& all_writers() {
  static auto* const writers = new Writers;
  return *writers;
}

/// A negative number is -errno. Without O_NONBLOCK a named pipe would wait for its reader.
int open_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
  return file < 0 ? -errno : file;
}

std::string lost_on_standard_error(std::uint64_t lost) { return concat("error: log: ", lost, " lines were lost"); }

}  // namespace

std::unique_ptr<SharedLineWriter> SharedLineWriter::of_stream(int number) {
  LineWriter::Settings settings;
  if (number == STDERR_FILENO) settings.lost_line = lost_on_standard_error;
  return std::unique_ptr<SharedLineWriter>(
      new SharedLineWriter(concat("stream ", number), number, LineWriter::Ownership::lent, std::move(settings)));
}

Result<std::unique_ptr<SharedLineWriter>, int> SharedLineWriter::of_file(const std::string& path, std::size_t capacity) {
  const int file = open_file(path);
  if (file < 0) return Failure{-file};
  LineWriter::Settings settings;
  settings.capacity = capacity;
  settings.open = [path] { return open_file(path); };
  return std::unique_ptr<SharedLineWriter>(
      new SharedLineWriter(concat("file ", path), file, LineWriter::Ownership::own, std::move(settings)));
}

SharedLineWriter::SharedLineWriter(std::string name, int file, LineWriter::Ownership ownership, LineWriter::Settings settings)
    : name_(std::move(name)) {
  auto made = std::make_unique<LineWriter>(file, ownership, std::move(settings));
  Writers& all = all_writers();
  const std::lock_guard lock(all.mutex);
  Shared& shared = all.by_name[name_];
  if (shared.users++ == 0) shared.writer = std::move(made);
  writer_ = shared.writer.get();
}

std::uint64_t SharedLineWriter::leave() {
  if (writer_ == nullptr) return 0;
  std::unique_ptr<LineWriter> last;
  {
    Writers& all = all_writers();
    const std::lock_guard lock(all.mutex);
    const auto mine = all.by_name.find(name_);
    writer_ = nullptr;
    if (--mine->second.users != 0) return 0;
    last = std::move(mine->second.writer);
    all.by_name.erase(mine);
  }
  return last->end();
}

}  // namespace wharf::base
