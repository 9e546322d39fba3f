#pragma once
#include <openssl/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace wharf::tls {

/// A key of session tickets (RFC 5077 section 4): AES-256-CBC with HMAC-SHA-256. In a file, the three parts follow each other.
struct TicketKey {
  std::array<unsigned char, 16> name{};
  std::array<unsigned char, 32> mac{};
  std::array<unsigned char, 32> cipher{};

  static constexpr std::size_t size = 80;
};

/// Keys of the tickets by which clients resume sessions: the first makes tickets, all open them. Of its own it has a new one each day,
/// and keeps the two before it; or it has those of a file, until it is given others. Threads may share it.
class TicketKeys {
 public:
  static constexpr std::size_t most_own = 3;
  static constexpr std::size_t most_of_file = 64;
  static constexpr base::Time period = std::chrono::hours(24);

  /// `now` is a clock that does not go back; any thread calls it.
  explicit TicketKeys(std::function<base::Time()> now);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  /// The keys in the bytes of a file; the error is what is wrong with them.
  static base::Result<std::vector<TicketKey>, std::string> parse(std::string_view bytes);
  /// At least one; there are no keys of its own from here on.
  void use(std::vector<TicketKey> keys);

  /// How a ticket was found to be.
  enum class Found : std::uint8_t { no, yes, by_older };
  /// The key for a new ticket. False: there is no randomness.
  [[nodiscard]] bool newest(TicketKey& key);
  /// The key of that name (16 bytes).
  [[nodiscard]] Found find(const unsigned char* name, TicketKey& key);

  /// For SSL_CTX_set_tlsext_ticket_key_evp_cb().
  static int seal_or_open(TicketKeys& keys, SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                          EVP_MAC_CTX* mac, int seals);

 private:
  struct Held {
    TicketKey key;
    base::Time born{0};
  };
  void renew();

  std::function<base::Time()> now_;
  std::mutex mutex_;
  std::vector<Held> keys_;
  bool from_file_ = false;
};

}  // namespace wharf::tls
