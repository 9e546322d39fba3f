#include "server/credential_cache.h"

#include <algorithm>
#include <string>

namespace wharf::server {

/// Of the digests of the parts, which all have the same size: where one ends can not be mistaken.
std::optional<CredentialCache::Digest> CredentialCache::digest_of(const codec::Credentials& credentials,
                                                                  std::string_view hash) const {
  std::string all;
  for (const std::string_view part : {std::string_view(credentials.user), std::string_view(credentials.password), hash}) {
    const std::optional<Digest> digest = key_.digest(part);
    if (!digest) return std::nullopt;
    all.append(digest->begin(), digest->end());
  }
  return key_.digest(all);
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
