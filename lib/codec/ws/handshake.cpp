#include "codec/ws/handshake.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

using Refused = base::Failure<WsRefusal>;

Refused refuse(std::string_view reason) { return {{400, reason, false}}; }

constexpr bool is_base64_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || base::is_digit(c) || c == '+' || c == '/';
}

bool has_duplicates(std::vector<std::string_view> names) {
  if (names.size() < 2) return false;
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

}  // namespace

// 22 characters, of which the last has only two bits that count, and "==".
bool is_handshake_key(std::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  const std::string_view digits = key.substr(0, 22);
  return std::all_of(digits.begin(), digits.end(), is_base64_char) &&
         std::string_view("AQgw").find(digits.back()) != std::string_view::npos;
}

bool wants_websocket(const RequestHead& head) {
  if (head.is_extended_connect()) return base::equal_ignoring_case(head.protocol, "websocket");
  return head.has_token("Upgrade", "websocket");
}

base::Result<WsOffer, WsRefusal> check_handshake(const RequestHead& head) {
  const bool connects = head.is_extended_connect();
  if (!connects && head.method != "GET") return refuse("A WebSocket handshake must be a GET request.");
  if (!connects && !head.may_upgrade()) return refuse("A WebSocket handshake must be HTTP/1.1.");
  if (head.host.empty()) return refuse("A WebSocket handshake must have a Host field.");
  if (!wants_websocket(head)) return refuse("A WebSocket handshake must have \"Upgrade: websocket\".");
  if (!connects && !head.has_token("Connection", "upgrade"))
    return refuse("A WebSocket handshake must have \"Connection: Upgrade\".");
  if (head.body == BodyFraming::chunked || head.content_length != 0) return refuse("A WebSocket handshake must not have a body.");

  if (head.count("Sec-WebSocket-Version") > 1) return refuse("A WebSocket handshake must not repeat Sec-WebSocket-Version.");
  if (head.field("Sec-WebSocket-Version") != "13")
    return Refused{{connects ? 400 : 426, "This server speaks WebSocket version 13 only.", true}};

  WsOffer offer;
  if (!connects) {
    offer.key = head.field("Sec-WebSocket-Key");
    if (head.count("Sec-WebSocket-Key") != 1) return refuse("A WebSocket handshake must have exactly one Sec-WebSocket-Key.");
    if (!is_handshake_key(offer.key)) return refuse("Sec-WebSocket-Key must be the base64 form of 16 bytes.");
  }

  for (const Field& field : head.fields)
    if (base::equal_ignoring_case(field.name, "Sec-WebSocket-Protocol"))
      base::for_each_list_item(field.value, [&offer](std::string_view name) { offer.protocols.push_back(name); });
  if (!std::all_of(offer.protocols.begin(), offer.protocols.end(), base::is_token))
    return refuse("Sec-WebSocket-Protocol must be a list of tokens.");
  if (offer.protocols.empty() && head.count("Sec-WebSocket-Protocol") != 0)
    return refuse("Sec-WebSocket-Protocol must name at least one subprotocol.");
  if (has_duplicates(offer.protocols)) return refuse("Sec-WebSocket-Protocol must not name a subprotocol twice.");
  return offer;
}

WsAccept::WsAccept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, 20> digest;
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1) {
    ERR_clear_error();  // otherwise this thread would keep the error
    throw std::runtime_error("this OpenSSL has no SHA-1, or no memory for it, and the WebSocket handshake is made with that");
  }
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text_.data()), digest.data(), static_cast<int>(digest.size()));
}

}  // namespace wharf::codec
