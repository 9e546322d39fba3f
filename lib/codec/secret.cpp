#include "codec/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace wharf::codec {

void wipe(void* at, std::size_t size) { OPENSSL_cleanse(at, size); }

void wipe(std::string& text) {
  wipe(text.data(), text.size());
  text.clear();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

SecretKey::SecretKey() : usable_(RAND_bytes(key_.data(), static_cast<int>(key_.size())) == 1) {}

std::optional<SecretKey::Bytes> SecretKey::digest(std::string_view text) const {
  if (!usable_) return std::nullopt;
  Bytes made;
  unsigned made_size = 0;
  const auto* from = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), from, text.size(), made.data(), &made_size) == nullptr ||
      made_size != made.size())
    return std::nullopt;
  return made;
}

}  // namespace wharf::codec
