#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct evp_mac_ctx_st;

namespace wharf::codec {

/// Overwrites memory, even if the compiler could prove that nobody reads it.
void wipe(void* at, std::size_t size);
/// Overwrites all memory of the string, including leftovers of a longer text or one that was moved out, and empties it. Memory that
/// the string had before it grew is out of reach.
void wipe(std::string& text);

/// Whether both are the same, in a time that depends on their sizes alone.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

/// A key for digests that nobody without it can make or predict. Any thread may use it.
class SecretKey {
 public:
  static constexpr std::size_t size = 32;
  using Bytes = std::array<unsigned char, size>;

  /// A random key. If the system has no random bytes, there are no digests either.
  SecretKey();
  explicit SecretKey(const Bytes& key);

  /// HMAC-SHA-256 (RFC 2104).
  [[nodiscard]] std::optional<Bytes> digest(std::string_view text) const;

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> prepared_;  // has the key and no text; null if there are no digests
};

}  // namespace wharf::codec
