#include "codec/secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace wharf::codec {

void wipe(void* at, std::size_t size) { OPENSSL_cleanse(at, size); }

void wipe(std::string& text) {
  text.resize(text.capacity());
  wipe(text.data(), text.size());
  text.clear();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void SecretKey::Free::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

SecretKey::SecretKey() {
  Bytes key;
  if (RAND_bytes(key.data(), static_cast<int>(key.size())) == 1) *this = SecretKey(key);
  wipe(key.data(), key.size());
}

// Preparing costs several times what a digest does.
SecretKey::SecretKey(const Bytes& key) {
  EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  prepared_.reset(hmac == nullptr ? nullptr : EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  char hash[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0), OSSL_PARAM_construct_end()};
  if (prepared_ && EVP_MAC_init(prepared_.get(), key.data(), key.size(), parameters) != 1) prepared_.reset();
}

std::optional<SecretKey::Bytes> SecretKey::digest(std::string_view text) const {
  const std::unique_ptr<evp_mac_ctx_st, Free> context(prepared_ ? EVP_MAC_CTX_dup(prepared_.get()) : nullptr);
  if (!context) return std::nullopt;
  Bytes made;
  std::size_t made_size = 0;
  const auto* from = reinterpret_cast<const unsigned char*>(text.data());
  const bool is_made = EVP_MAC_update(context.get(), from, text.size()) == 1 &&
                       EVP_MAC_final(context.get(), made.data(), &made_size, made.size()) == 1 && made_size == made.size();
  return is_made ? std::optional(made) : std::nullopt;
}

}  // namespace wharf::codec
