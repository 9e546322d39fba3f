#include "server/static_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "base/log.h"
#include "codec/http_response.h"
#include "codec/http_target.h"

namespace wharf::server {
namespace {

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), std::free);
  return real ? real.get() : std::string();
}

/// An open file. Read with pread on the loop's thread: the page cache answers, or the disk does and the loop waits.
class FileSource final : public session::BodySource {
 public:
  FileSource(int file, std::uint64_t size) : file_(file), size_(size) {}
  ~FileSource() override { ::close(file_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  [[nodiscard]] std::uint64_t size() const override { return size_; }

  std::size_t read(base::OutQueue& out, std::size_t most) override {
    char* room = out.reserve(most);
    ssize_t got = 0;
    do got = ::pread(file_, room, most, static_cast<off_t>(offset_));
    while (got < 0 && errno == EINTR);
    if (got <= 0) return 0;
    out.commit(static_cast<std::size_t>(got));
    offset_ += static_cast<std::uint64_t>(got);
    return static_cast<std::size_t>(got);
  }

 private:
  int file_;
  std::uint64_t size_;
  std::uint64_t offset_ = 0;
};

/// Whether an open file is the one that the path named before it was opened: a folder on the way may have become a link meanwhile.
/// Without /proc there is no telling.
bool is_still(int file, const std::string& path) {
  const std::string link = base::concat("/proc/self/fd/", file);
  std::string target(path.size() + 1, '\0');
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  return size < 0 || std::string_view(target.data(), static_cast<std::size_t>(size)) == path;
}

std::unique_ptr<FileSource> open_regular_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return nullptr;
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || !is_still(file, path)) {
    ::close(file);
    return nullptr;
  }
  return std::make_unique<FileSource>(file, static_cast<std::uint64_t>(status.st_size));
}

session::Response not_found() { return session::text_response(404, "There is nothing here."); }

}  // namespace

StaticFiles::StaticFiles(const Mount& mount) : prefix_(mount.prefix), folder_(real_path(mount.folder)), index_(mount.index) {}

Mount StaticFiles::resolved(Mount mount) {
  mount.folder = real_path(mount.folder);
  return mount;
}

std::string StaticFiles::check_folder(const Mount& mount) {
  if (mount.prefix.empty() || mount.prefix.front() != '/' || mount.prefix.back() != '/')
    return "mount prefix '" + mount.prefix + "' must start and end with '/'";
  struct stat status {};
  const std::string folder = real_path(mount.folder);
  if (folder.empty() || ::stat(folder.c_str(), &status) != 0 || ::faccessat(AT_FDCWD, folder.c_str(), R_OK | X_OK, AT_EACCESS) != 0)
    return "cannot serve files from '" + mount.folder + "': " + std::strerror(errno) +
           "; name a folder that exists and can be read";
  if (!S_ISDIR(status.st_mode)) return "cannot serve files from '" + mount.folder + "': it is not a folder";
  return {};
}

void StaticFiles::serve(session::Exchange& exchange, std::string_view path) const {
  const codec::RequestHead& head = exchange.request();
  if (head.method != "GET" && head.method != "HEAD") {
    session::Response response = session::text_response(405, "Only GET and HEAD are answered here.");
    response.fields.emplace_back("Allow", "GET, HEAD");
    return exchange.respond(std::move(response));
  }
  const std::optional<std::string> decoded = codec::percent_decode(path);
  if (!decoded) return exchange.respond(session::text_response(400, "The path has a broken percent-encoding."));
  exchange.respond(file_response(*decoded));
}

session::Response StaticFiles::file_response(std::string_view decoded_path) const {
  std::optional<std::string> relative = codec::safe_relative_path(decoded_path);
  if (!relative) return not_found();
  if (relative->empty() || relative->back() == '/') *relative += index_;
  const std::string path = resolve(*relative);
  std::unique_ptr<FileSource> file = path.empty() ? nullptr : open_regular_file(path);
  if (!file) return not_found();
  session::Response response;
  response.fields.emplace_back("Content-Type", codec::media_type(path));
  response.source = std::move(file);
  return response;
}

/// The file's real path, or nothing where it is not below the folder.
std::string StaticFiles::resolve(const std::string& relative) const {
  if (folder_.empty()) return {};  // it has gone since it was checked
  std::string path = real_path(folder_ + "/" + relative);
  const std::string inside = folder_ == "/" ? "/" : folder_ + "/";
  return path.starts_with(inside) ? path : std::string();
}

}  // namespace wharf::server
