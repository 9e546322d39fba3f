/// fraggle-protocol: the server sends a message of 1 to 1,024 binary fragments of 1 to 512 random bytes each, then a message of 4
/// bytes: the sum of all those bytes, big-endian. The client adds up what it gets and compares. After a while the server begins
/// again, for as long as the client stays. It waits for a client that does not read. What the client sends is ignored.
///
/// libwebsockets' test-fraggle speaks the same protocol, one round right after the other. Option `period`: milliseconds from the
/// beginning of one round to that of the next, 1 to 86400000, 100 if not given.

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>

#include "options.h"
#include "wharf/protocol.hpp"

namespace {

constexpr std::uint32_t most_fragments = 1024;
constexpr std::uint32_t longest_fragment = 512;

struct Fraggle {
  struct Shared {
    explicit Shared(wharf::Scope scope) : period(plugins::number_option(scope, "period", 100, {1, 86'400'000})) {}

    std::uint32_t between(std::uint32_t least, std::uint32_t most) { return std::uniform_int_distribution(least, most)(random); }

    std::chrono::milliseconds period;
    std::mt19937 random{std::random_device{}()};
  };

  wharf::Peer peer;
  Shared& shared;
  std::uint32_t fragments = 0;  // of this message
  std::uint32_t sent = 0;
  std::uint32_t sum = 0;  // at most 1,024 * 512 * 255, so it does not overflow
  bool resting = true;

  void opened(const wharf::Request&) {
    peer.every(shared.period);
    begin();
  }
  void tick() {
    if (resting) begin();
  }
  void drained() {
    if (!resting) go_on();
  }
  void message(wharf::Kind, std::string_view) {}

  void begin() {
    fragments = shared.between(1, most_fragments);
    sent = sum = 0;
    resting = false;
    go_on();
  }

  void go_on() {
    while (sent < fragments)
      if (send_fragment() != wharf::Flow::go) return;
    resting = true;
    const char bytes[] = {byte_of_sum(24), byte_of_sum(16), byte_of_sum(8), byte_of_sum(0)};
    peer.send_binary({bytes, sizeof bytes});
  }

  wharf::Flow send_fragment() {
    std::array<char, longest_fragment> bytes;
    const std::size_t size = shared.between(1, longest_fragment);
    for (std::size_t i = 0; i < size; ++i) {
      const auto byte = static_cast<std::uint8_t>(shared.random());
      bytes[i] = static_cast<char>(byte);
      sum += byte;
    }
    const bool is_first = sent == 0;
    const bool is_last = ++sent == fragments;
    using wharf::Part;
    const Part part = is_first ? (is_last ? Part::whole : Part::first) : (is_last ? Part::last : Part::next);
    return peer.send_part(wharf::Kind::binary, part, {bytes.data(), size});
  }

  [[nodiscard]] char byte_of_sum(unsigned shift) const { return static_cast<char>(sum >> shift & 0xFF); }
};

}  // namespace

WHARF_EXPORT(wharf::protocol<Fraggle>("fraggle-protocol"))
