#include "files/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace wharf::server {

std::unique_ptr<session::BodySource> FileSource::open(const char* path) {
  base::Descriptor file(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
  return std::unique_ptr<session::BodySource>(new FileSource(std::move(file), static_cast<std::uint64_t>(status.st_size)));
}

std::size_t FileSource::read(base::OutQueue& out, std::size_t most) {
  char* const room = out.reserve(most);
  ssize_t got = 0;
  do got = ::pread(file_.get(), room, most, static_cast<off_t>(offset_));
  while (got < 0 && errno == EINTR);
  if (got <= 0) return 0;
  out.commit(static_cast<std::size_t>(got));
  offset_ += static_cast<std::uint64_t>(got);
  return static_cast<std::size_t>(got);
}

std::optional<session::FilePart> FileSource::file_part(std::uint64_t& size) {
  size = size_ - offset_;
  return session::FilePart{file_.get(), offset_};
}

}  // namespace wharf::server
