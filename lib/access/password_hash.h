#pragma once
#include <string>
#include <string_view>

namespace wharf::server {

/// The most that a hash may ask for, so that a login costs seconds at worst, and a reasonable amount of memory.
inline constexpr int most_bcrypt_cost = 15;
inline constexpr long most_sha_rounds = 5'000'000;
inline constexpr long most_yescrypt_memory = 64L * 1024 * 1024;  ///< bytes

/// Whether this build has libcrypt, without which no password can be checked.
bool has_password_hashing();

/// An empty text for a hash that password_matches() can check: bcrypt ($2y$, $2b$, $2a$), SHA-512 and SHA-256 crypt ($6$, $5$), and
/// yescrypt ($y$) if libcrypt has it. Else the end of a sentence that says what is wrong with the hash, without showing it.
std::string password_hash_fault(std::string_view hash);

/// A hash of the same kind, cost and salt that no password is known for. `hash` is one without fault.
std::string unmatched_hash(std::string_view hash);

/// Whether `hash`, one without fault, is that of the password. Slow on purpose: 2 ms to seconds, for which it keeps its thread
/// busy; any thread may call it. The copies of the password that it makes are wiped. No password has a NUL or more than 511 bytes;
/// bcrypt heeds only the first 72.
bool password_matches(std::string_view password, const std::string& hash);

}  // namespace wharf::server
