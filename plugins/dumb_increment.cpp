/// dumb-increment-protocol: every 50 ms a text message with a decimal counter that starts at 0 for each connection. A message that
/// starts with "reset\n" sets it to 0; one that starts with "closeme\n" closes the connection with 1001 and the reason "seeya".
/// Option `period`: milliseconds between two messages, 1 to 86400000.

#include <charconv>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>

#include "wharf/protocol.hpp"

namespace {

std::chrono::milliseconds period_from(std::string_view text) {
  int period = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), period);
  if (error != std::errc() || end != text.data() + text.size() || period < 1 || period > 86'400'000)
    throw std::invalid_argument("option period is '" + std::string(text) + "'; it takes milliseconds, 1 to 86400000");
  return std::chrono::milliseconds(period);
}

struct DumbIncrement {
  struct Shared {
    explicit Shared(wharf::Scope scope) : period(period_from(scope.option("period").value_or("50"))) {}
    std::chrono::milliseconds period;
  };

  wharf::Peer peer;
  Shared& shared;
  unsigned long counter = 0;

  void opened(const wharf::Request&) { peer.every(shared.period); }
  void tick() { peer.send_text(std::to_string(counter++)); }

  void message(wharf::Kind, std::string_view data) {
    if (data.starts_with("reset\n")) counter = 0;
    else if (data.starts_with("closeme\n")) peer.close(1001, "seeya");
  }
};

}  // namespace

WHARF_EXPORT(wharf::protocol<DumbIncrement>("dumb-increment-protocol"))
