#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "codec/secret.h"

namespace wharf::server {

/// The users of an htpasswd file: a line each of `user:hash`, or `user:hash:` and any remark; empty lines, and comments from '#' on at
/// the front of a line. Names are compared byte by byte. One thread at a time.
class PasswordFile {
 public:
  static constexpr std::size_t longest_file = 1024 * 1024;  ///< bytes
  static constexpr std::size_t longest_user = 255;          ///< bytes
  static constexpr base::Time look_every{1000};

  /// Reads the whole file, or says in one line what is wrong with it, where, and how to mend it: no such file, a hash that is not safe
  /// (see password_hash_fault()), a user who stands there twice or whom nobody can log in as, a build without libcrypt.
  static base::Result<PasswordFile, std::string> load(const std::string& path);

  enum class Reload : std::uint8_t { unchanged, reloaded };
  /// Reads the file anew where it has changed. Looks at most every `look_every`, for the first time so long after the first call. A file
  /// that cannot be read leaves the users as they were; the error is given once for each time that the file changes.
  base::Result<Reload, std::string> reload_if_changed(base::Time now);

  [[nodiscard]] std::size_t size() const { return users_.size(); }
  [[nodiscard]] bool knows(std::string_view user) const { return users_.contains(user); }
  /// nullptr for a user who is not known; good until the file is read anew.
  [[nodiscard]] const std::string* hash_of(std::string_view user) const;
  /// The hash to check a password with, so that the time it takes does not tell who is known: for any other user one that no password
  /// matches, of the kind and cost of some user's, always the same for the same name. Good until the file is read anew.
  [[nodiscard]] const std::string& hash_or_dummy(std::string_view user) const;

 private:
  using Users = std::map<std::string, std::string, std::less<>>;
  using Signature = std::array<std::int64_t, 7>;

  PasswordFile(std::string path, Users users, const Signature& signature);
  static base::Result<Users, std::string> read(const std::string& path);
  static Signature signature_of(const std::string& path);
  void take(Users users);

  std::string path_;
  Users users_;
  std::vector<std::string> dummies_;  // one for each user, so that each kind is as frequent as among them
  codec::SecretKey key_;
  Signature signature_;
  bool settled_ = false;  // read again since the signature was first seen: a later change may have left it as it was
  std::optional<base::Time> next_look_;
  std::string error_;  // of the file as it is now
};

}  // namespace wharf::server
