#include "protocol/upgrade.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/http/head_writer.h"
#include "codec/ws/handshake.h"
#include "protocol/ws.h"

namespace wharf::server {
namespace {

void refuse(session::Exchange& exchange, const codec::WsRefusal& refusal) {
  session::Response response = session::text_response(refusal.status, refusal.reason);
  if (refusal.tells_version) response.fields.emplace_back("Sec-WebSocket-Version", "13");
  if (refusal.status == 426) response.fields.emplace_back("Upgrade", "websocket");
  exchange.respond(std::move(response));
}

std::string no_protocol(const codec::WsOffer& offer, const ProtocolTable& table) {
  if (offer.protocols.empty()) return "A subprotocol must be offered in Sec-WebSocket-Protocol. This server has: " + table.names();
  std::string offered;
  for (const std::string_view name : offer.protocols) offered += (offered.empty() ? "" : ", ") + base::printable(name);
  return "None of the subprotocols offered is known here: " + offered + ". This server has: " + table.names();
}

/// The agreement on permessage-deflate (RFC 7692 section 5); nothing if the client does not offer it, or the row declines.
std::optional<codec::DeflateAgreement> agree_on_deflate(const codec::RequestHead& head, const session::Protocol& protocol) {
  if (!protocol.deflate_wish) return std::nullopt;
  std::vector<std::string_view> offers;
  for (const codec::Field& field : head.fields)
    if (base::equal_ignoring_case(field.name, "Sec-WebSocket-Extensions")) offers.push_back(field.value);
  return offers.empty() ? std::nullopt : codec::accept_deflate(offers, *protocol.deflate_wish);
}

}  // namespace

session::Protocol* upgrade_to_websocket(session::Exchange& exchange, const ProtocolTable& table,
                                        const session::RequestPlace& place) {
  const codec::RequestHead& head = exchange.request();
  const auto offer = codec::check_handshake(head);
  if (!offer) {
    refuse(exchange, offer.error());
    return nullptr;
  }
  session::Protocol* protocol = table.select(offer->protocols);
  if (protocol == nullptr) {
    exchange.respond(session::text_response(400, no_protocol(*offer, table)));
    return nullptr;
  }

  const session::RequestView request(head, exchange.peer(), {place.mount_prefix, place.user, exchange.forwarding()});
  if (protocol->row.accept != nullptr) {
    const int status = protocol->row.accept(protocol->shared, &request);
    if (status != 0) {
      const bool refuses = status >= 400 && status <= 599;
      if (!refuses)
        protocol->home.log.error(base::LogKind("what accept returns"), protocol->row.name, ": accept returned ", status,
                                 "; it is 0 to accept, or 400 to 599 to refuse");
      const int answer = refuses ? status : 500;
      exchange.respond(session::text_response(answer, codec::reason_phrase(answer)));
      return nullptr;
    }
  }
  session::Fields fields;
  if (!offer->key.empty()) fields.emplace_back("Sec-WebSocket-Accept", std::string(codec::WsAccept(offer->key).text()));
  if (!offer->protocols.empty()) fields.emplace_back("Sec-WebSocket-Protocol", protocol->row.name);
  const auto deflate = agree_on_deflate(head, *protocol);
  if (deflate) fields.emplace_back("Sec-WebSocket-Extensions", codec::deflate_answer(*deflate));
  exchange.switch_to("websocket", fields,
                     [&](session::Link& link) { return session::Ws::open(link, *protocol, request, deflate); });
  return protocol;
}

}  // namespace wharf::server
