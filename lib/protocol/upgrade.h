#pragma once
#include "http/exchange.h"
#include "protocol/request_view.h"
#include "protocol/table.h"

namespace wharf::server {

/// Responds to a request that wants WebSocket, over an upgrade or an extended CONNECT: with the conversation of the row that the
/// client selects, or with the reason for a refusal (RFC 6455 section 4.2.2). Returns the row, or nullptr if there is no
/// conversation.
session::Protocol* upgrade_to_websocket(session::Exchange& exchange, const ProtocolTable& table,
                                        const session::RequestPlace& place = {});

}  // namespace wharf::server
