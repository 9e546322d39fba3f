#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "wharf/websocket.hpp"
#include "wire/wire_case.h"

namespace {

using namespace wharf::websocket;

std::string setting(const WireCase& given, const std::string& name) {
  const auto found = given.settings.find(name);
  return found == given.settings.end() ? "" : found->second;
}

std::vector<std::string> protocols_of(const WireCase& given) {
  std::vector<std::string> names;
  wharf::base::for_each_list_item(setting(given, "protocols"), [&names](std::string_view name) { names.emplace_back(name); });
  return names;
}

wharf::Compression compression_of(const WireCase& given) {
  wharf::Compression compression;
  compression.context = wharf::Compression::Context::off;
  const std::string value = setting(given, "deflate");
  if (value.empty()) return compression;
  const bool is_dedicated = value.ends_with(" dedicated");
  if (!is_dedicated && !value.ends_with(" shared")) throw std::runtime_error(given.where + ": deflate takes BITS shared|dedicated");
  compression.context = is_dedicated ? wharf::Compression::Context::dedicated : wharf::Compression::Context::shared;
  compression.window_bits = static_cast<unsigned>(std::stoul(value));
  return compression;
}

std::string line_of(const Agreement& agreement) {
  const auto end = [](unsigned bits, bool keeps) { return std::to_string(bits) + (keeps ? " kept" : " forgotten"); };
  return "deflate server " + end(agreement.server_window_bits, agreement.server_keeps_context) + ", client " +
         end(agreement.client_window_bits, agreement.client_keeps_context) + (agreement.compress_all ? ", every message" : "");
}

/// The lines of an HTTP head.
std::vector<std::string> lines_of(std::string_view head) {
  std::vector<std::string> lines;
  for (std::size_t end = head.find("\r\n"); end != std::string_view::npos && end != 0; end = head.find("\r\n")) {
    lines.emplace_back(head.substr(0, end));
    head.remove_prefix(end + 2);
  }
  return lines;
}

/// Feeds all that was received so far, with each piece more, until the handshake is decided; each time in memory of its own.
template <class Read>
auto decide(const std::vector<std::string_view>& pieces, const Read& read) {
  std::string received;
  auto handshake = read(std::string());
  for (const std::string_view piece : pieces) {
    received += piece;
    if (handshake.outcome == Outcome::incomplete) handshake = read(received);
  }
  CHECK(handshake.used <= received.size());
  const std::string rest = handshake.outcome == Outcome::accepted ? received.substr(handshake.used) : "";
  return std::pair(std::move(handshake), rest);
}

std::vector<std::string> run_server(const WireCase& given, const std::vector<std::string_view>& pieces) {
  ServerOptions options;
  options.protocols = protocols_of(given);
  options.protocol_required = given.settings.contains("required");
  options.compression = compression_of(given);
  const auto [handshake, rest] = decide(pieces, [&options](const std::string& bytes) { return answer_request(bytes, options); });
  if (handshake.outcome == Outcome::incomplete) return {"incomplete"};
  const std::vector<std::string> answer = lines_of(handshake.answer);
  if (handshake.outcome == Outcome::refused) {
    CHECK(handshake.agreement == Agreement());
    std::vector<std::string> log{"refuse " + answer.at(0).substr(9, 3) + " " + std::string(message(handshake.error))};
    if (handshake.reason != message(handshake.error))
      log[0] = "refuse " + answer.at(0).substr(9, 3) + " " + std::string(handshake.reason);
    for (const std::string& line : answer)
      if (line.starts_with("Sec-WebSocket") || line.starts_with("Upgrade")) log.push_back("answer " + line);
    return log;
  }
  std::vector<std::string> log;
  for (const std::string& line : answer) log.push_back("answer " + line);
  if (handshake.agreement.compressed) log.push_back(line_of(handshake.agreement));
  if (!rest.empty()) log.push_back("rest " + in_quotes(rest));
  return log;
}

std::vector<std::string> run_client(const WireCase& given, const std::vector<std::string_view>& pieces) {
  ClientOptions options;
  options.host = "server.example.com";
  options.protocols = protocols_of(given);
  options.compression = compression_of(given);
  if (const std::string memory = setting(given, "memory"); !memory.empty()) options.memory_limit = std::stoull(memory);
  options.random = [](std::span<unsigned char> out) {  // the nonce of RFC 6455 section 1.3
    constexpr std::string_view nonce = "the sample nonce";
    REQUIRE(out.size() == nonce.size());
    std::copy(nonce.begin(), nonce.end(), out.begin());
    return true;
  };
  const ClientRequest request = make_request(options);
  REQUIRE(request.error == Error::none);
  const auto [handshake, rest] = decide(pieces, [&request](const std::string& bytes) { return check_answer(bytes, request); });
  if (handshake.outcome == Outcome::incomplete) return {"incomplete"};
  if (handshake.outcome == Outcome::refused) {
    CHECK(handshake.agreement == Agreement());
    CHECK(handshake.protocol.empty());
    return {"refuse " + std::string(handshake.reason)};
  }
  std::vector<std::string> log{handshake.protocol.empty() ? "accept" : "accept " + handshake.protocol};
  if (handshake.agreement.compressed) log.push_back(line_of(handshake.agreement));
  if (!rest.empty()) log.push_back("rest " + in_quotes(rest));
  return log;
}

}  // namespace

TEST_CASE("opening handshakes of a client on the wire, whole and cut at every place") {
  check_wire_cases("handshake_server.wire", 31, run_server);
}

TEST_CASE("server handshakes on the wire, whole and cut at every place") {
  check_wire_cases("handshake_client.wire", 31, run_client);
}
