#include "io/socket_file.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <system_error>
#include <vector>

#include "base/descriptor.h"
#include "base/log.h"

namespace wharf::io {
namespace {

constexpr mode_t permissions = 0777;

/// Held while a path is being taken: of two servers that begin at once, neither takes the socket of the other, which does not listen
/// yet, for one that was left behind. If something else locks the folder, that is not waited for for long.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    folder_ = base::Descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder_) return;
    static constexpr int most_tries = 100;
    static constexpr int pause = 10;  // milliseconds
    for (int tries = 0; flock(folder_.get(), LOCK_EX | LOCK_NB) != 0 && tries < most_tries; ++tries) ::poll(nullptr, 0, pause);
  }

 private:
  base::Descriptor folder_;  // closing it unlocks
};

bool is_same(const struct stat& one, const struct stat& other) { return one.st_dev == other.st_dev && one.st_ino == other.st_ino; }

/// Removes a socket's file on which nobody listens. A connection that is not refused, even for lack of room or of permission, means
/// that somebody does.
bool remove_stale(const Address& address, const std::string& path) {
  struct stat file {};
  struct stat now {};
  if (lstat(path.c_str(), &file) != 0) return errno == ENOENT;
  if (!S_ISSOCK(file.st_mode)) return false;
  const base::Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe || connect(probe.get(), address.get(), address.size) == 0 || errno != ECONNREFUSED) return false;
  return lstat(path.c_str(), &now) == 0 && is_same(file, now) && unlink(path.c_str()) == 0;
}

/// By a descriptor of the file itself, so that what another puts in its place is not changed.
base::Descriptor descriptor_of(const std::string& path) {
  return base::Descriptor(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

SocketFile::Fault give_access(const base::Descriptor& file, const struct stat& found, const SocketFileAccess& access) {
  const uid_t owner = access.owner.value_or(static_cast<uid_t>(-1));
  const gid_t group = access.group.value_or(static_cast<gid_t>(-1));
  if ((access.owner || access.group) && fchownat(file.get(), "", owner, group, AT_EMPTY_PATH) != 0)
    return {errno, "; a process without privileges can give its files only to groups of its own, and to no other owner"};
  if ((found.st_mode & permissions) == access.mode) return {};
  const std::string itself = base::concat("/proc/self/fd/", file.get());
  if (chmod(itself.c_str(), access.mode) != 0) return {errno, "; the mode of the file cannot be set without /proc"};
  return {};
}

template <class Number>
std::optional<Number> number_of(const std::string& text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == static_cast<Number>(-1)) return std::nullopt;
  return value;
}

/// An entry of the system's users or groups; it says by itself when its texts need more room.
template <class Entry, class Look>
std::optional<Entry> look_up(const std::string& name, std::vector<char>& room, Look look) {
  static constexpr std::size_t most_room = std::size_t{1024} * 1024;
  for (room.resize(4096); room.size() <= most_room; room.resize(room.size() * 4)) {
    Entry entry{};
    Entry* found = nullptr;
    const int error = look(name.c_str(), &entry, room.data(), room.size(), &found);
    if (error == ERANGE) continue;
    return found != nullptr ? std::optional(entry) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

base::Result<SocketFileAccess, std::string> SocketFileAccess::of(unsigned mode, const std::string& owner,
                                                                 const std::string& group) {
  if ((mode & ~permissions) != 0) return base::Failure{std::string("the mode of its file must be from 0 to 0777")};
  SocketFileAccess access{mode};
  std::vector<char> room;
  if (!owner.empty() && !(access.owner = number_of<uid_t>(owner))) {
    const auto user = look_up<passwd>(owner, room, getpwnam_r);
    if (!user) return base::Failure{"there is no user '" + owner + "'"};
    access.owner = user->pw_uid;
  }
  if (!group.empty() && !(access.group = number_of<gid_t>(group))) {
    const auto found = look_up<::group>(group, room, getgrnam_r);
    if (!found) return base::Failure{"there is no group '" + group + "'"};
    access.group = found->gr_gid;
  }
  return access;
}

base::Result<std::unique_ptr<const SocketFile>, SocketFile::Fault> SocketFile::listen(int socket, const Address& address,
                                                                                      int backlog, const SocketFileAccess& access) {
  const FolderLock lock(address.path());
  std::unique_ptr<SocketFile> file(new SocketFile(address.path()));
  fchmod(socket, access.mode);  // so the file is never open to more than these
  int status = bind(socket, address.get(), address.size);
  if (status != 0 && errno == EADDRINUSE) {
    if (remove_stale(address, file->path_)) status = bind(socket, address.get(), address.size);
    else errno = EADDRINUSE;
  }
  if (status != 0) return base::Failure{Fault{errno}};
  if (const Fault fault = file->begin(access); fault.error != 0) return base::Failure{fault};
  if (::listen(socket, backlog) != 0) return base::Failure{Fault{errno}};
  return std::unique_ptr<const SocketFile>(std::move(file));
}

SocketFile::Fault SocketFile::begin(const SocketFileAccess& access) {
  const base::Descriptor file = descriptor_of(path_);
  if (!file || fstat(file.get(), &file_) != 0) return {errno};
  if (!S_ISSOCK(file_.st_mode) || file_.st_nlink != 1) return {EEXIST, "; something else replaced the socket at once"};
  known_ = true;
  return give_access(file, file_, access);
}

SocketFile::Fault SocketFile::change(const SocketFileAccess& access) const {
  const base::Descriptor file = descriptor_of(path_);
  struct stat now {};
  if (!known_ || !file || fstat(file.get(), &now) != 0 || !is_same(now, file_)) return {};
  return give_access(file, now, access);
}

std::unique_ptr<const SocketFile> SocketFile::of_other_process(std::string path) {
  std::unique_ptr<SocketFile> file(new SocketFile(std::move(path)));
  file->known_ = lstat(file->path_.c_str(), &file->file_) == 0 && S_ISSOCK(file->file_.st_mode);
  file->leave();
  return std::unique_ptr<const SocketFile>(std::move(file));
}

bool SocketFile::is_there() const {
  struct stat now {};
  return known_ && lstat(path_.c_str(), &now) == 0 && is_same(now, file_);
}

SocketFile::~SocketFile() {
  if (claimed_.load() && is_there()) unlink(path_.c_str());
}

}  // namespace wharf::io
