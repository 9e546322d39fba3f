#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "codec/http/basic_credentials.h"
#include "codec/secret.h"

namespace wharf::server {

/// Remembers which credentials were found right recently, so that password_matches() runs once for a client that sends them with
/// each request. Keeps digests under a key of its own, never a password; wrong credentials are not kept. One thread at a time.
class CredentialCache {
 public:
  static constexpr std::size_t default_most = 256;       ///< the oldest makes room
  static constexpr base::Time default_keep{5 * 60'000};  ///< from remember(), however often they are used

  explicit CredentialCache(std::size_t most = default_most, base::Time keep = default_keep) : most_(most), keep_(keep) {}

  /// `hash` is the user's in the password file now: with a new one, the old credentials are unknown.
  [[nodiscard]] bool knows(const codec::Credentials& credentials, std::string_view hash, base::Time now);
  void remember(const codec::Credentials& credentials, std::string_view hash, base::Time now);

  [[nodiscard]] std::size_t size() const { return until_.size(); }

 private:
  using Digest = codec::SecretKey::Bytes;
  [[nodiscard]] std::optional<Digest> digest_of(const codec::Credentials& credentials, std::string_view hash) const;

  std::size_t most_;
  base::Time keep_;
  codec::SecretKey key_;
  std::map<Digest, base::Time> until_;
};

}  // namespace wharf::server
