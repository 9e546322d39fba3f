#include "access/password_hash.h"

#ifdef HAVE_CRYPT
#include <crypt.h>
#endif

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <memory>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/secret.h"

namespace wharf::server {
namespace {

// The base64 alphabet of all these kinds, in the order of yescrypt's values.
constexpr std::string_view alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool is_encoded(std::string_view text) { return text.find_first_not_of(alphabet) == std::string_view::npos; }

/// A decimal number without sign and leading zeros; -1 for anything else.
long number_of(std::string_view digits) {
  long value = -1;
  const char* const end = digits.data() + digits.size();
  if (digits.empty() || !base::is_digit(digits.front()) || (digits.front() == '0' && digits.size() > 1)) return -1;
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  return error == std::errc() && stop == end ? value : -1;
}

std::string broken(std::string_view kind) { return base::concat("is not a whole ", kind, " hash"); }

/// "$2y$05$", 22 characters of salt and 31 of digest.
std::string bcrypt_fault(std::string_view hash) {
  if (hash.size() != 60 || hash[6] != '$' || !base::is_digit(hash[4]) || !base::is_digit(hash[5]) || !is_encoded(hash.substr(7)))
    return broken("bcrypt");
  const int cost = (hash[4] - '0') * 10 + (hash[5] - '0');
  if (cost < 4) return broken("bcrypt");
  if (cost > most_bcrypt_cost) return base::concat("has the cost ", cost, ", and ", most_bcrypt_cost, " is the most");
  return {};
}

/// "$6$", perhaps "rounds=5000$", a salt of at most 16 characters, '$' and the digest.
std::string sha_fault(std::string_view kind, std::string_view rest, std::size_t digest_size) {
  constexpr std::string_view rounds_name = "rounds=";
  if (rest.starts_with(rounds_name)) {
    const std::size_t end = std::min(rest.find('$'), rest.size());
    const long rounds = number_of(rest.substr(rounds_name.size(), end - rounds_name.size()));
    if (rounds < 1000 || end == rest.size()) return broken(kind);
    if (rounds > most_sha_rounds) return base::concat("has ", rounds, " rounds, and ", most_sha_rounds, " is the most");
    rest.remove_prefix(end + 1);
  }
  const std::size_t salt = rest.find('$');
  if (salt > 16 || !is_encoded(rest.substr(0, salt)) || rest.size() - salt - 1 != digest_size || !is_encoded(rest.substr(salt + 1)))
    return broken(kind);
  return {};
}

/// "$y$", flavour, N and r as in "j9T", '$', a salt, '$' and the digest. It takes 128 * N * r bytes.
std::string yescrypt_fault(std::string_view rest) {
  if (rest.size() < 5 || rest[0] != 'j' || rest[3] != '$' || !is_encoded(rest.substr(0, 3))) return broken("yescrypt");
  const std::size_t log_n = alphabet.find(rest[1]) + 1;
  const std::size_t r = alphabet.find(rest[2]) + 1;
  const std::string_view tail = rest.substr(4);
  const std::size_t salt = tail.find('$');
  if (log_n < 10 || r > 32 || salt == 0 || salt > 86 || !is_encoded(tail.substr(0, salt)) || tail.size() - salt - 1 != 43 ||
      !is_encoded(tail.substr(salt + 1)))
    return broken("yescrypt");
  if (log_n > 40 || std::size_t{128} * r << log_n > std::size_t{most_yescrypt_memory})
    return base::concat("takes more memory than ", most_yescrypt_memory / 1024 / 1024, " MiB");
  return {};
}

#ifdef HAVE_CRYPT
/// Empty if libcrypt cannot do it.
std::string crypted(const std::string& password, const std::string& setting) {
  const auto data = std::make_unique<crypt_data>();
  const char* const made = ::crypt_r(password.c_str(), setting.c_str(), data.get());
  std::string hash = made == nullptr || *made == '*' ? std::string() : made;
  codec::wipe(data.get(), sizeof *data);
  return hash;
}
#else
std::string crypted(const std::string&, const std::string&) { return {}; }
#endif

/// Tries it at the least cost, because not every libcrypt has it, and not every one can say so.
bool libcrypt_has_yescrypt() {
  static const bool has = crypted("", "$y$j75$......$").starts_with("$y$j75$......$");
  return has;
}

}  // namespace

bool has_password_hashing() {
#ifdef HAVE_CRYPT
  return true;
#else
  return false;
#endif
}

std::string password_hash_fault(std::string_view hash) {
  const std::string_view rest = hash.substr(std::min<std::size_t>(hash.size(), 3));
  for (const std::string_view kind : {"$2y$", "$2b$", "$2a$"})
    if (hash.starts_with(kind)) return bcrypt_fault(hash);
  if (hash.starts_with("$6$")) return sha_fault("SHA-512", rest, 86);
  if (hash.starts_with("$5$")) return sha_fault("SHA-256", rest, 43);
  if (hash.starts_with("$y$"))
    return libcrypt_has_yescrypt() ? yescrypt_fault(rest) : "is yescrypt, which this libcrypt does not have";
  if (hash.starts_with("$apr1$") || hash.starts_with("$1$")) return "is MD5, which is too weak";
  if (hash.starts_with("{SHA}")) return "is SHA-1, which is too weak";
  if (hash.starts_with("{SSHA}")) return "is salted SHA-1, which is too weak";
  if (hash.starts_with("$2x$")) return "is of a faulty bcrypt ($2x$)";
  if (hash.starts_with('$')) return "is of a kind that is not known here";
  return "is a plain password or DES, which protects nothing";
}

std::string unmatched_hash(std::string_view hash) {
  constexpr std::size_t bcrypt_digest = 29;
  const std::size_t digest = hash.starts_with("$2") ? bcrypt_digest : hash.rfind('$') + 1;
  return std::string(hash.substr(0, digest)) + std::string(hash.size() - digest, '.');
}

bool password_matches(std::string_view password, const std::string& hash) {
  if (password.find('\0') != std::string_view::npos) return false;
  std::string terminated(password);
  const std::string made = crypted(terminated, hash);
  codec::wipe(terminated);
  return !made.empty() && codec::equal_in_constant_time(made, hash);
}

}  // namespace wharf::server
