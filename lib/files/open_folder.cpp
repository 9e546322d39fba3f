#include "files/open_folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>

#include "base/log.h"

namespace wharf::server {
namespace {

constexpr int read_file = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr int read_folder = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_DIRECTORY;
constexpr int point_to = O_PATH | O_CLOEXEC;

/// A file may be dated more than 292 years from 1970; then it counts as the farthest possible time.
std::int64_t nanoseconds(const timespec& time) {
  constexpr std::int64_t per_second = 1'000'000'000;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / per_second - 1;
  return std::clamp<std::int64_t>(time.tv_sec, -most, most) * per_second + time.tv_nsec;
}

FileStatus as_status(const struct stat& found) {
  FileStatus status;
  status.kind = S_ISREG(found.st_mode) ? FileKind::regular : S_ISDIR(found.st_mode) ? FileKind::folder : FileKind::other;
  status.identity = {found.st_dev, found.st_ino, static_cast<std::uint64_t>(found.st_size), nanoseconds(found.st_mtim),
                     nanoseconds(found.st_ctim)};
  return status;
}

OpenFailure failure_of(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EIO: return OpenFailure::unavailable;
    default: return OpenFailure::missing;
  }
}

/// Returns the negative error of the last try. If a folder is moved while a name with `..` is resolved, the kernel gives up.
int open_beneath(int root, const std::string& name, int flags, std::uint64_t resolve) {
  constexpr int tries = 16;
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_LARGEFILE);
  how.resolve = resolve;
  for (int left = tries;; --left) {
    const long file = ::syscall(SYS_openat2, root, name.empty() ? "." : name.c_str(), &how, sizeof how);
    if (file >= 0) return static_cast<int>(file);
    if (errno != EINTR && (errno != EAGAIN || left == 0)) return -errno;
  }
}

/// From segment to segment, so that a folder that has become a link meanwhile is not passed.
base::Descriptor walk(int root, std::string_view name, int flags) {
  base::Descriptor folder;
  for (;;) {
    const std::size_t slash = name.find('/');
    const std::string segment(name.empty() ? "." : name.substr(0, slash));
    const int from = folder ? folder.get() : root;
    if (slash == std::string_view::npos) return base::Descriptor(::openat(from, segment.c_str(), flags | O_NOFOLLOW));
    base::Descriptor next(::openat(from, segment.c_str(), point_to | O_DIRECTORY | O_NOFOLLOW));
    if (!next) return next;
    folder = std::move(next);
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? real.get() : std::string();
}

FileStatus status_of(const base::Descriptor& file) {
  struct stat found {};
  return ::fstat(file.get(), &found) == 0 ? as_status(found) : FileStatus{};
}

base::Result<OpenFolder, std::string> OpenFolder::open(const std::string& folder, Resolution resolution) {
  std::string path = real_path(folder);
  if (path.empty()) return base::Failure{std::string(std::strerror(errno))};
  base::Descriptor root(::open(path.c_str(), point_to | O_DIRECTORY));
  if (!root) return base::Failure{std::string(std::strerror(errno))};
  if (resolution == Resolution::kernel) {
    const base::Descriptor probe(open_beneath(root.get(), "", point_to, RESOLVE_BENEATH));
    if (!probe) resolution = Resolution::walk;  // an older kernel, or a filter of system calls that does not know it
  }
  return OpenFolder(std::move(root), std::move(path), resolution);
}

/// A folder has two links or more, except on file systems that do not count those of folders, such as overlayfs and btrfs, on which
/// it may have one even after it was removed. There the kernel's name of it shows that.
bool OpenFolder::removed() const {
  struct stat found {};
  if (::fstat(root_.get(), &found) != 0 || found.st_nlink == 0) return true;
  if (found.st_nlink > 1) return false;
  const std::string path = link_text();
  if (!path.ends_with(" (deleted)")) return false;
  struct stat named {};  // a folder may really have that name
  return ::lstat(path.c_str(), &named) != 0 || named.st_dev != found.st_dev || named.st_ino != found.st_ino;
}

base::Result<OpenFolder, std::string> OpenFolder::open_again() const {
  const base::Descriptor top(::open("/", point_to | O_DIRECTORY));
  const std::string name = path_.substr(1);
  base::Descriptor root;
  if (resolution_ == Resolution::walk) {
    root = walk(top.get(), name, point_to | O_DIRECTORY);
  } else {
    const int file = open_beneath(top.get(), name, point_to | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (file < 0) errno = -file;
    root = base::Descriptor(file);
  }
  if (!root) return base::Failure{std::string(std::strerror(errno))};
  return OpenFolder(std::move(root), path_, resolution_);
}

bool OpenFolder::is_same_as(const OpenFolder& other) const {
  const FileIdentity mine = status_of(root_).identity;
  const FileIdentity others = status_of(other.root_).identity;
  return mine.device == others.device && mine.inode == others.inode && !other.removed();
}

FileStatus OpenFolder::look(const std::string& name) const {
  struct stat found {};
  return ::fstatat(root_.get(), name.empty() ? "." : name.c_str(), &found, 0) == 0 ? as_status(found) : FileStatus{};
}

/// The check before keeps devices and FIFOs from noticing; the status of the opened file is what counts.
base::Result<OpenedFile, OpenFailure> OpenFolder::open_file(const std::string& name) const {
  if (look(name).kind != FileKind::regular) return base::Failure{OpenFailure::missing};
  auto file = open_inside(name, read_file);
  if (!file) return base::Failure{file.error()};
  const FileStatus status = status_of(*file);
  if (status.kind != FileKind::regular) return base::Failure{OpenFailure::missing};
  return OpenedFile{std::move(*file), status.identity};
}

base::Result<base::Descriptor, OpenFailure> OpenFolder::open_folder(const std::string& name) const {
  return open_inside(name, read_folder);
}

FileStatus OpenFolder::look_inside(const std::string& name) const {
  const auto file = open_inside(name, point_to);
  return file ? status_of(*file) : FileStatus{};
}

base::Result<base::Descriptor, OpenFailure> OpenFolder::open_inside(const std::string& name, int flags) const {
  if (resolution_ == Resolution::kernel) {
    const int file = open_beneath(root_.get(), name, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
    if (file >= 0) return base::Descriptor(file);
    if (file != -EXDEV) return base::Failure{failure_of(-file)};  // otherwise a link leads outside, or has an absolute path
  }
  const std::string plain = without_links(name);
  if (plain.empty()) return base::Failure{failure_of(errno)};
  base::Descriptor file = open_without_links(plain, flags);
  if (!file) return base::Failure{failure_of(errno)};
  return file;
}

base::Descriptor OpenFolder::open_without_links(const std::string& name, int flags) const {
  if (resolution_ == Resolution::walk) return walk(root_.get(), name, flags);
  const int file = open_beneath(root_.get(), name, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (file < 0) errno = -file;
  return base::Descriptor(file);
}

/// The name of the same file without symbolic links, if it is inside; else empty, and errno says why. It is only a name: when it is
/// opened, it may mean something else, but nothing outside.
std::string OpenFolder::without_links(const std::string& name) const {
  const std::string root = present_path();
  const std::string real = real_path(root + "/" + name);
  if (real.empty()) return {};
  if (real == root) return ".";
  const std::string inside = root == "/" ? root : root + "/";
  if (real.starts_with(inside)) return real.substr(inside.size());
  errno = ENOENT;
  return {};
}

/// The path of the root folder, which may have been renamed since. Without /proc it cannot be known.
std::string OpenFolder::present_path() const {
  std::string path = link_text();
  return path.starts_with('/') ? path : path_;
}

/// The kernel's name of the root folder; empty without /proc.
std::string OpenFolder::link_text() const {
  std::array<char, PATH_MAX> target{};
  const std::string link = base::concat("/proc/self/fd/", root_.get());
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  return {target.data(), size < 0 ? 0 : static_cast<std::size_t>(size)};
}

}  // namespace wharf::server
