#include "tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace wharf::tls {
namespace {

constexpr int refused = 0;
constexpr int done = 1;
constexpr int renewed = 2;

bool randomize(TicketKey& key) {
  return RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
         RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1 &&
         RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1;
}

bool set_mac(EVP_MAC_CTX* mac, TicketKey& key) {
  std::array<char, 7> digest{"SHA256"};
  const std::array<OSSL_PARAM, 3> parameters{OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
                                             OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
                                             OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

}  // namespace

TicketKeys::TicketKeys(std::function<base::Time()> now) : now_(std::move(now)) {}

TicketKeys::~TicketKeys() { OPENSSL_cleanse(keys_.data(), keys_.size() * sizeof(Held)); }

base::Result<std::vector<TicketKey>, std::string> TicketKeys::parse(std::string_view bytes) {
  if (bytes.empty() || bytes.size() % TicketKey::size != 0 || bytes.size() > most_of_file * TicketKey::size)
    return base::Failure{base::concat("it has ", bytes.size(), " bytes, and not 1 to ", most_of_file, " keys of ", TicketKey::size,
                                      " bytes, as `openssl rand ", TicketKey::size, "` makes them")};
  std::vector<TicketKey> keys(bytes.size() / TicketKey::size);
  for (TicketKey& key : keys) {
    std::memcpy(key.name.data(), bytes.data(), key.name.size());
    std::memcpy(key.mac.data(), bytes.data() + key.name.size(), key.mac.size());
    std::memcpy(key.cipher.data(), bytes.data() + key.name.size() + key.mac.size(), key.cipher.size());
    bytes.remove_prefix(TicketKey::size);
  }
  return keys;
}

void TicketKeys::use(std::vector<TicketKey> keys) {
  std::vector<Held> held;
  held.reserve(keys.size());
  for (const TicketKey& key : keys) held.push_back({key});
  OPENSSL_cleanse(keys.data(), keys.size() * sizeof(TicketKey));
  const std::lock_guard lock(mutex_);
  keys_.swap(held);
  OPENSSL_cleanse(held.data(), held.size() * sizeof(Held));
  from_file_ = true;
}

/// A key makes tickets for one day, and opens them for two more.
void TicketKeys::renew() {
  const base::Time now = now_();
  const auto too_old = [now](const Held& held) { return now - held.born >= period * static_cast<int>(most_own); };
  keys_.erase(std::remove_if(keys_.begin(), keys_.end(), too_old), keys_.end());
  if (!keys_.empty() && now - keys_.front().born < period) return;
  Held fresh{{}, now};
  if (!randomize(fresh.key)) return;
  keys_.insert(keys_.begin(), fresh);
  if (keys_.size() > most_own) keys_.resize(most_own);
}

bool TicketKeys::newest(TicketKey& key) {
  const std::lock_guard lock(mutex_);
  if (!from_file_) renew();
  if (keys_.empty()) return false;
  key = keys_.front().key;
  return true;
}

TicketKeys::Found TicketKeys::find(const unsigned char* name, TicketKey& key) {
  const std::lock_guard lock(mutex_);
  if (!from_file_) renew();
  for (const Held& held : keys_) {
    if (std::memcmp(held.key.name.data(), name, held.key.name.size()) != 0) continue;
    key = held.key;
    return &held == &keys_.front() ? Found::yes : Found::by_older;
  }
  return Found::no;
}

/// A ticket of TLS 1.3 is for one use, so each use brings a new one (RFC 8446 appendix C.4).
int TicketKeys::seal_or_open(TicketKeys& keys, SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                             EVP_MAC_CTX* mac, int seals) {
  try {
    TicketKey key;
    Found found = Found::yes;
    const EVP_CIPHER* const kind = EVP_aes_256_cbc();
    bool ready = false;
    if (seals != 0) {
      if (!keys.newest(key) || RAND_bytes(vector, EVP_CIPHER_get_iv_length(kind)) != 1) return refused;
      std::copy(key.name.begin(), key.name.end(), name);
      ready = EVP_EncryptInit_ex(cipher, kind, nullptr, key.cipher.data(), vector) == 1 && set_mac(mac, key);
    } else {
      found = keys.find(name, key);
      if (found == Found::no) return refused;
      ready = EVP_DecryptInit_ex(cipher, kind, nullptr, key.cipher.data(), vector) == 1 && set_mac(mac, key);
    }
    OPENSSL_cleanse(&key, sizeof key);
    if (!ready) return refused;
    return seals == 0 && (found == Found::by_older || SSL_version(ssl) == TLS1_3_VERSION) ? renewed : done;
  } catch (...) {  // there is no memory; without a ticket it goes on, too
    return refused;
  }
}

}  // namespace wharf::tls
