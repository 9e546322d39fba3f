#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/promise.h"
#include "wharf/websocket.hpp"

// Input: a byte that says what the client asks for, then a response as a server could send it. In place of the accept value it may
// have "ACCEPT". An accepted handshake keeps every promise on which a conversation depends; cuts change nothing.

namespace {

using namespace wharf::websocket;

constexpr std::uint64_t memory_for_14 = std::uint64_t{64} * 1024;  // enough for a window of 2^14 bytes and not for one of 2^15

ClientRequest request_of(unsigned setup) {
  ClientOptions options;
  options.host = "example.com";
  if ((setup & 1) != 0) options.protocols = {"chat", "superchat"};
  const Compression::Context contexts[] = {Compression::Context::off, Compression::Context::shared, Compression::Context::dedicated,
                                           Compression::Context::standard};
  options.compression.context = contexts[setup >> 1 & 3];
  options.compression.window_bits = 8 + (setup >> 3 & 7);
  if ((setup & 64) != 0) options.head_limit = 200;
  if ((setup & 128) != 0) options.memory_limit = memory_for_14;
  return make_request(options);
}

void check_accepted(const ClientHandshake& handshake, const ClientRequest& request) {
  require(handshake.error == Error::none && handshake.status == 101, "101 alone is accepted");
  require(check_connection(*find_field(handshake.fields, "Connection")) == Error::none ||
              std::count_if(handshake.fields.begin(), handshake.fields.end(),
                            [](const auto& field) { return field.first.size() == 10; }) > 1,
          "Connection has Upgrade");
  require(check_accept(*find_field(handshake.fields, "Sec-WebSocket-Accept"), request.key) == Error::none, "the key was answered");
  const auto& offered = request.protocols;
  require(handshake.protocol.empty() || std::find(offered.begin(), offered.end(), handshake.protocol) != offered.end(),
          "the subprotocol was offered");
  const Agreement& agreement = handshake.agreement;
  require(!agreement.compressed || request.compression.context != Compression::Context::off, "compression was offered");
  require(!agreement.compressed || agreement.client_window_bits <= request.compression.window_bits, "the client keeps to its wish");
  require(request.memory_limit == 0 || !agreement.compressed || agreement.server_window_bits <= 14, "the window fits the memory");
  Stream stream(Role::client, agreement);  // accepts every agreement
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ClientRequest request = request_of(data[0]);
  require(request.error == Error::none, "the request is fine");
  std::string answer(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const std::size_t at = answer.find("ACCEPT"); at != std::string::npos) answer.replace(at, 6, accept_value(request.key));

  const ClientHandshake whole = check_answer(answer, request);
  require(whole.used <= answer.size(), "no more is used than there is");
  require((whole.outcome == Outcome::refused) == (whole.error != Error::none), "a refusal has a name");
  require((whole.outcome == Outcome::refused) == !whole.reason.empty(), "a refusal says why");
  if (whole.outcome == Outcome::accepted) check_accepted(whole, request);

  // The first prefix that is decided is decided as the whole, and what follows does not change it.
  for (std::size_t length = 0; length <= std::min<std::size_t>(answer.size(), 600); ++length) {
    const ClientHandshake part = check_answer(std::string_view(answer).substr(0, length), request);
    if (part.outcome == Outcome::incomplete) continue;
    require(part.outcome == whole.outcome && part.error == whole.error && part.protocol == whole.protocol, "cuts change nothing");
    require(part.agreement == whole.agreement, "cuts change no agreement");
    break;
  }
  return 0;
}
