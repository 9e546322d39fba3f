#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_mac_ctx_st;

namespace wharf::codec {

/// Overwrites what must not stay in memory; the compiler does not leave it out.
void wipe(void* at, std::size_t size);
/// And empties it, with what a longer text or one that was moved out has left there. What the string held before it grew into
/// other memory is out of reach.
void wipe(std::string& text);

/// Whether both are the same, in a time that depends on their sizes alone.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

/// A key for digests that nobody without it can make or foretell. Any thread may use it.
class SecretKey {
 public:
  static constexpr std::size_t size = 32;
  using Bytes = std::array<unsigned char, size>;

  /// A random key. Where the system has no random bytes, there are no digests either.
  SecretKey();
  explicit SecretKey(const Bytes& key);

  /// HMAC-SHA-256 (RFC 2104).
  [[nodiscard]] std::optional<Bytes> digest(std::string_view text) const;

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> prepared_;  // has the key and no text; nothing where there are no digests
};

}  // namespace wharf::codec
