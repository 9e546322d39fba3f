#include "codec/ws/error.h"
#include "wharf/websocket.hpp"

namespace wharf::websocket {
namespace {

constexpr Error last_received = Error::not_deflate;

}  // namespace

std::uint16_t close_code(Error error) {
  constexpr std::uint16_t internal_error = 1011;
  if (error == Error::none || error > last_received) return internal_error;
  return codec::close_code(static_cast<codec::WsError>(error));
}

std::string_view message(Error error) {
  if (error <= last_received) return codec::message(static_cast<codec::WsError>(error));
  switch (error) {
    case Error::closed: return "A close was sent or received: this cannot be sent any more.";
    case Error::no_random: return "The random source failed.";
    case Error::head_malformed: return "The head is not HTTP/1 as RFC 9112 has it.";
    case Error::head_too_large: return "The head is larger than the limit.";
    case Error::http_version: return "A WebSocket handshake must be HTTP/1.1.";
    case Error::upgrade_missing: return "A WebSocket handshake must have \"Upgrade: websocket\".";
    case Error::connection_missing: return "A WebSocket handshake must have \"Connection: Upgrade\".";
    case Error::method_not_get: return "A WebSocket handshake must be a GET request.";
    case Error::body_unexpected: return "A WebSocket handshake must not have a body.";
    case Error::version_unsupported: return "This server speaks WebSocket version 13 only.";
    case Error::key_missing: return "A WebSocket handshake must have exactly one Sec-WebSocket-Key.";
    case Error::key_malformed: return "Sec-WebSocket-Key must be the base64 form of 16 bytes.";
    case Error::protocols_malformed: return "Sec-WebSocket-Protocol must be a list of tokens that differ.";
    case Error::protocol_unknown: return "None of the subprotocols that were offered is spoken here.";
    case Error::status_not_101: return "The server did not switch to WebSocket.";
    case Error::accept_wrong: return "Sec-WebSocket-Accept does not belong to the key that was sent.";
    case Error::protocol_not_offered: return "The server chose a subprotocol that was not offered.";
    case Error::extension_not_offered: return "The server chose an extension that was not offered, or not so.";
    case Error::bad_host: return "The host is no name or address with an optional port.";
    case Error::bad_target: return "The target is no path with an optional query.";
    case Error::bad_protocol: return "A subprotocol's name is no token, or is there twice.";
    case Error::bad_field: return "A field's name is no token, or its value has a control character.";
    case Error::reserved_field: return "A field is one that the handshake writes itself.";
    case Error::bad_compression: return "A number of the compression is out of its range.";
    default: return "No such error is known.";
  }
}

}  // namespace wharf::websocket
