#include "access/password_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "access/password_hash.h"
#include "base/ascii.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "codec/http/basic_credentials.h"

namespace wharf::server {
namespace {

using Failed = base::Failure<std::string>;

/// An empty text, or why it cannot be read.
std::string read_file(const std::string& path, std::string& text) {
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.get() < 0 && errno == ENOENT) return "there is no such file; make it with htpasswd -B -c";
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) return std::strerror(errno);
  if (!S_ISREG(status.st_mode)) return "it is not a file";
  text.resize(PasswordFile::longest_file + 1);
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::strerror(errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return size <= PasswordFile::longest_file ? "" : base::concat("it has more than ", PasswordFile::longest_file, " bytes");
}

struct Line {
  std::string_view user;
  std::string_view hash;
};

Line cut(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view rest = text.substr(std::min(colon + 1, text.size()));
  return {text.substr(0, colon), rest.substr(0, rest.find(':'))};
}

/// An empty text, or what is wrong with a line, and how to mend it. Does not show anything that may be a password.
std::string line_fault(std::string_view text, const Line& line) {
  if (text.find(':') == std::string_view::npos) return "there is no ':'; a line is user:hash";
  if (line.user.empty()) return "there is no user before ':'; a line is user:hash";
  const std::string user = base::concat("user '", base::printable(line.user), "'");
  if (line.user.size() > PasswordFile::longest_user)
    return base::concat(user, ": a name has at most ", PasswordFile::longest_user, " bytes; take the line out");
  if (!codec::can_be_user(line.user)) return base::concat(user, ": a name is UTF-8 without control characters; take the line out");
  const std::string fault = password_hash_fault(line.hash);
  return fault.empty() ? fault : base::concat(user, ": the hash ", fault, "; set the password anew with htpasswd -B");
}

/// Without the white space around it, and without another system's line ending.
std::string_view trimmed(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return base::trim(line);
}

}  // namespace

base::Result<PasswordFile, std::string> PasswordFile::load(const std::string& path) {
  if (!has_password_hashing())
    return Failed{base::concat("cannot use password file '", path, "': this build has no libcrypt to check passwords with")};
  const Signature signature = signature_of(path);  // before it is read: a change meanwhile is seen at the next check
  base::Result<Users, std::string> users = read(path);
  if (!users) return Failed{users.error()};
  return PasswordFile(path, std::move(*users), signature);
}

PasswordFile::PasswordFile(std::string path, Users users, const Signature& signature)
    : path_(std::move(path)), signature_(signature) {
  take(std::move(users));
}

PasswordFile::Signature PasswordFile::signature_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {static_cast<std::int64_t>(status.st_dev),
          static_cast<std::int64_t>(status.st_ino),
          status.st_size,
          status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

base::Result<PasswordFile::Users, std::string> PasswordFile::read(const std::string& path) {
  std::string text;
  if (const std::string fault = read_file(path, text); !fault.empty())
    return Failed{base::concat("cannot read password file '", path, "': ", fault)};
  Users users;
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view whole = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(whole.size() + 1, rest.size()));
    ++number;
    const std::string_view entry = trimmed(whole);
    if (entry.empty() || entry.front() == '#') continue;
    const Line line = cut(entry);
    std::string fault = line_fault(entry, line);
    if (fault.empty() && !users.emplace(line.user, line.hash).second)
      fault = base::concat("user '", base::printable(line.user), "' stands there twice; take one of the lines out");
    if (!fault.empty()) return Failed{base::concat("password file '", path, "', line ", number, ": ", fault)};
  }
  return users;
}

void PasswordFile::take(Users users) {
  users_ = std::move(users);
  dummies_.clear();
  for (const auto& [user, hash] : users_) dummies_.push_back(unmatched_hash(hash));
  if (dummies_.empty()) dummies_.push_back("$2y$05$" + std::string(53, '.'));  // as from htpasswd -B
}

base::Result<PasswordFile::Reload, std::string> PasswordFile::reload_if_changed(base::Time now) {
  if (!next_look_) next_look_ = now + look_every;
  if (now < *next_look_) return Reload::unchanged;
  next_look_ = now + look_every;
  const Signature seen = signature_of(path_);
  const bool again = seen == signature_;
  if (again && settled_) return Reload::unchanged;
  settled_ = again;
  signature_ = seen;

  base::Result<Users, std::string> users = read(path_);
  const std::string before = std::exchange(error_, users ? std::string() : users.error());
  if (!users && again && error_ == before) return Reload::unchanged;
  if (!users) return Failed{base::concat(error_, "; the users known before stay")};
  if (before.empty() && *users == users_) return Reload::unchanged;
  take(std::move(*users));
  return Reload::reloaded;
}

const std::string* PasswordFile::hash_of(std::string_view user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

const std::string& PasswordFile::hash_or_dummy(std::string_view user) const {
  if (const std::string* hash = hash_of(user)) return *hash;
  const auto digest = key_.digest(user);
  std::size_t number = 0;
  if (digest) std::memcpy(&number, digest->data(), sizeof number);
  return dummies_[number % dummies_.size()];
}

}  // namespace wharf::server
