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

/// The users of an htpasswd file. Each line is `user:hash`, or `user:hash:` and any remark, or empty, or a comment that begins with
/// '#'. Names are compared byte by byte. One thread at a time.
class PasswordFile {
 public:
  static constexpr std::size_t longest_file = 1024 * 1024;  ///< bytes
  static constexpr std::size_t longest_user = 255;          ///< bytes
  static constexpr base::Time look_every{1000};

  /// Reads the whole file, or says in one line what is wrong with it, where, and how to mend it: no such file, a hash that is not
  /// safe (see password_hash_fault()), a user who is there twice or as whom nobody can log in, a build without libcrypt.
  static base::Result<PasswordFile, std::string> load(const std::string& path);

  enum class Reload : std::uint8_t { unchanged, reloaded };
  /// Reads the file anew if it has changed. Checks at most once in `look_every`, and not before that time after the first call. If
  /// the file cannot be read, the users stay as they were, and the error is returned once for each change of the file.
  base::Result<Reload, std::string> reload_if_changed(base::Time now);

  [[nodiscard]] std::size_t size() const { return users_.size(); }
  [[nodiscard]] bool knows(std::string_view user) const { return users_.contains(user); }
  /// nullptr for an unknown user; valid until the file is read anew.
  [[nodiscard]] const std::string* hash_of(std::string_view user) const;
  /// The hash to check a password with, so that the time it takes does not show who is known: for an unknown user, one that no
  /// password matches, of the kind and cost of some user's, always the same for the same name. Valid until the file is read anew.
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
  std::vector<std::string> dummies_;  // one for each user, so that each kind is as frequent as among the users
  codec::SecretKey key_;
  Signature signature_;
  bool settled_ =
      false;  // read again since the signature was first seen: the first reading may have missed a change that the signature does not show
  std::optional<base::Time> next_look_;
  std::string error_;  // of the present file
};

}  // namespace wharf::server
