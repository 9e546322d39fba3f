#include "codec/ws/handshake.h"

#include <openssl/evp.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "base64.h"
#include "fuzz/promise.h"

// Input: a request head. A head that passes the check keeps every promise on which an upgrade depends; any other is refused with a
// status and a reason.

namespace {

using namespace wharf::codec;

void check_key(std::string_view key) {
  unsigned char decoded[18] = {};
  require(key.size() == 24, "a key has 24 characters");
  require(EVP_DecodeBlock(decoded, reinterpret_cast<const unsigned char*>(key.data()), 24) == 18, "a key is base64");
  require(base64({reinterpret_cast<const char*>(decoded), 16}) == key, "a key is the one base64 form of 16 bytes");
  const WsAccept accept(key);
  const auto* const text = reinterpret_cast<const unsigned char*>(accept.text().data());
  require(accept.text().size() == 28 && accept.text().back() == '=', "an accept value has 28 characters");
  require(EVP_DecodeBlock(decoded, text, 24) == 18, "an accept value is base64");
}

void check_offer(const RequestHead& head, const WsOffer& offer) {
  require(head.method == "GET" && head.version == HttpVersion::http11 && !head.host.empty(), "GET, HTTP/1.1, a host");
  require(wants_websocket(head) && head.has_token("Connection", "upgrade"), "an upgrade was asked for");
  require(head.field("Sec-WebSocket-Version") == "13" && head.count("Sec-WebSocket-Version") == 1, "version 13, once");
  require(head.body != BodyFraming::chunked && head.content_length == 0, "no body");
  check_key(offer.key);
  std::set<std::string_view> names;
  for (const std::string_view name : offer.protocols) {
    require(wharf::base::is_token(name), "a subprotocol is a token");
    require(names.insert(name).second, "no subprotocol is named twice");
    require(head.has_token("Sec-WebSocket-Protocol", name), "a subprotocol was offered");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  RequestParser parser;
  if (parser.parse({reinterpret_cast<const char*>(data), size}) != RequestParser::State::done) return 0;
  const auto offer = check_handshake(parser.head());
  if (offer) {
    check_offer(parser.head(), *offer);
  } else {
    require(offer.error().status == 400 || offer.error().status == 426, "a refusal is 400 or 426");
    require(!offer.error().reason.empty(), "a refusal says why");
  }
  return 0;
}
