#pragma once
#include <atomic>
#include <cstdint>

namespace wharf::session {

/// Adds to a count that only one thread writes: no locked instruction.
inline void add(std::atomic<std::uint64_t>& count, std::uint64_t more = 1) {
  count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

/// What becomes of the accepted connections of one loop before a request or a message comes. Written by the loop's thread, read by any.
struct OpeningCounts {
  std::atomic<std::uint64_t> tls_handshakes{0};       ///< finished
  std::atomic<std::uint64_t> tls_1_2{0};              ///< of these: of TLS 1.2
  std::atomic<std::uint64_t> tls_resumed{0};          ///< of these: with a session of before
  std::atomic<std::uint64_t> tls_failed{0};           ///< not finished: refused, broken off or too late
  std::atomic<std::uint64_t> tls_cut{0};              ///< after the handshake, for what came
  std::atomic<std::uint64_t> connections_refused{0};  ///< one too many of its address
  std::atomic<std::uint64_t> proxy_refused{0};        ///< by reason of a PROXY header
  std::atomic<std::uint64_t> openings_refused{0};     ///< those that showed no protocol in time
};

}  // namespace wharf::session
