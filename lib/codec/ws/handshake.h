#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/http/request_head.h"

namespace wharf::codec {

/// What a client asked for in a valid opening handshake (RFC 6455 section 4.2.1). Views are into the request head.
struct WsOffer {
  std::string_view key;                     ///< Sec-WebSocket-Key, checked: base64 of 16 bytes. Empty with an extended CONNECT
  std::vector<std::string_view> protocols;  ///< names offered in Sec-WebSocket-Protocol, in the client's order, over all its fields
};

/// Why a handshake was refused, and with what status: 400, or 426 in HTTP/1.1 if another version was asked for.
struct WsRefusal {
  int status = 400;
  std::string_view reason;     ///< one sentence, static storage
  bool tells_version = false;  ///< the response needs `Sec-WebSocket-Version: 13` (RFC 6455 section 4.4)
};

/// Whether the request asks to leave HTTP for WebSocket at all: an Upgrade list that has `websocket`, or an extended CONNECT whose
/// `:protocol` it is. Call check_handshake() only then.
bool wants_websocket(const RequestHead& head);

/// Whether it is a Sec-WebSocket-Key: the base64 form of 16 bytes.
bool is_handshake_key(std::string_view key);

/// Every check of RFC 6455 section 4.2.1 on a parsed head: method GET, HTTP/1.1, `Connection` has upgrade, version exactly 13
/// (else 426), exactly one key of 22 base64 characters and "==", subprotocols that are tokens without duplicates, no body. An
/// extended CONNECT has no use for Connection, Upgrade and the key (RFC 8441 section 5): they are not looked at, and the rest
/// holds.
base::Result<WsOffer, WsRefusal> check_handshake(const RequestHead& head);

/// The Sec-WebSocket-Accept value for a key (RFC 6455 section 4.2.2, item 5.4): base64 of SHA-1, 28 characters.
class WsAccept {
 public:
  explicit WsAccept(std::string_view key);
  [[nodiscard]] std::string_view text() const { return {text_.data(), 28}; }

 private:
  std::array<char, 29> text_;  // EVP_EncodeBlock ends with NUL
};

}  // namespace wharf::codec
