#include "access/credential_cache.h"

#include <algorithm>
#include <string>

#include "base/log.h"

namespace wharf::server {

/// A user's name has no ':' and a hash has no NUL, so the parts cannot be confused.
std::optional<CredentialCache::Digest> CredentialCache::digest_of(const codec::Credentials& credentials,
                                                                  std::string_view hash) const {
  std::string all = base::concat(hash, std::string_view("\0", 1), credentials.user, ":", credentials.password);
  std::optional<Digest> digest = key_.digest(all);
  codec::wipe(all);
  return digest;
}

bool CredentialCache::knows(const codec::Credentials& credentials, std::string_view hash, base::Time now) {
  const std::optional<Digest> digest = digest_of(credentials, hash);
  if (!digest) return false;
  const auto found = until_.find(*digest);
  if (found == until_.end()) return false;
  if (now < found->second) return true;
  until_.erase(found);
  return false;
}

void CredentialCache::remember(const codec::Credentials& credentials, std::string_view hash, base::Time now) {
  const std::optional<Digest> digest = digest_of(credentials, hash);
  if (!digest || most_ == 0) return;
  if (until_.size() >= most_ && !until_.contains(*digest))
    until_.erase(std::min_element(until_.begin(), until_.end(), [](const auto& a, const auto& b) { return a.second < b.second; }));
  until_[*digest] = now + keep_;
}

}  // namespace wharf::server
