#include "protocol/services.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "protocol/service_calls.h"
#include "protocol/ws.h"

namespace wharf::session {
namespace {

static_assert(static_cast<int>(base::PeerAddress::Family::ipv4) == WHARF_ADDRESS_IPV4 &&
              static_cast<int>(base::PeerAddress::Family::ipv6) == WHARF_ADDRESS_IPV6 &&
              static_cast<int>(base::PeerAddress::Family::unix_socket) == WHARF_ADDRESS_UNIX);

Ws& ws(wharf_peer* peer) { return static_cast<Ws&>(*peer); }
const Ws& ws(const wharf_peer* peer) { return static_cast<const Ws&>(*peer); }

[[gnu::noinline]] wharf_flow send_any(wharf_peer* peer, wharf_kind kind, const char* data, size_t size) {
  return sheltered(ws(peer), WHARF_CLOSED, [&](Ws& session) { return session.send(kind, view(data, size)); });
}
wharf_flow send(wharf_peer* peer, wharf_kind kind, const char* data, size_t size) {
  return ws(peer).send_short(kind, data, size) ? WHARF_GO : send_any(peer, kind, data, size);
}
wharf_flow send_part(wharf_peer* peer, wharf_kind kind, wharf_part part, const char* data, size_t size) {
  return sheltered(ws(peer), WHARF_CLOSED, [&](Ws& session) { return session.send_part(kind, part, view(data, size)); });
}
wharf_flow ping(wharf_peer* peer, const char* data, size_t size) {
  return sheltered(ws(peer), WHARF_CLOSED, [&](Ws& session) { return session.ping(view(data, size)); });
}
void close(wharf_peer* peer, uint16_t code, const char* reason, size_t size) {
  sheltered(ws(peer), 0, [&](Ws& session) { return session.close(code, view(reason, size)), 0; });
}
void abort(wharf_peer* peer) { ws(peer).abort(); }
void pause(wharf_peer* peer) { ws(peer).pause(); }
void resume(wharf_peer* peer) { ws(peer).resume(); }
void every(wharf_peer* peer, uint32_t milliseconds) { ws(peer).tick_every(base::Time{milliseconds}); }
size_t buffered(const wharf_peer* peer) { return ws(peer).buffered(); }
wharf_handle handle(wharf_peer* peer) { return handle_of(ws(peer)); }
int post(wharf_handle handle, wharf_task task, void* argument) { return post_to<wharf_peer>(handle, task, argument); }
wharf_scope* scope(const wharf_peer* peer) { return &ws(peer).protocol(); }

const char* option(const wharf_scope* scope, const char* name) {
  const auto& options = protocol(scope).options;
  const auto found = options.find(std::string_view(name));
  return found != options.end() ? found->second.c_str() : nullptr;
}

void log(const wharf_scope* scope, wharf_level level, const char* data, size_t size) {
  const auto known = static_cast<base::LogLevel>(std::clamp<int>(level, WHARF_ERROR, WHARF_DEBUG));
  base::Log& log = protocol(scope).home.log;
  if (!log.enabled(known)) return;
  guarded(0, [&] {
    log.write(known, base::LogKind::of_protocol(protocol(scope).row.name), protocol(scope).row.name, ": ",
              base::printable(view(data, size), 1024));
    return 0;
  });
}

wharf_text virtual_host(const wharf_scope* scope) { return text(protocol(scope).host); }

uint64_t now(const wharf_scope* scope) { return static_cast<uint64_t>(protocol(scope).home.now().count()); }

wharf_text path(const wharf_request* request) { return text(view(request).path()); }
wharf_text query(const wharf_request* request) { return text(view(request).query()); }
wharf_text field(const wharf_request* request, const char* name) { return text(view(request).head().field(name)); }
wharf_text address(const wharf_request* request) {
  return guarded(wharf_text{}, [&] { return text(view(request).address()); });
}
wharf_text scheme(const wharf_request* request) {
  return guarded(wharf_text{}, [&] { return text(view(request).scheme()); });
}
wharf_text host(const wharf_request* request) {
  return guarded(wharf_text{}, [&] { return text(view(request).host()); });
}

int peer_address(const wharf_request* request, wharf_address* address) {
  if (address->size < sizeof(wharf_address)) return 1;
  const base::PeerAddress& peer = view(request).peer();
  address->family = static_cast<uint32_t>(peer.family());
  address->scope = peer.scope();
  std::copy(peer.bytes().begin(), peer.bytes().end(), std::begin(address->bytes));
  address->host = guarded(wharf_text{}, [&] { return text(view(request).peer_host()); });
  address->port = peer.port();
  return 0;
}

}  // namespace

const wharf_services& service_table() {
  static const wharf_services table{
      .size = sizeof(wharf_services),
      .send = send,
      .ping = ping,
      .close = close,
      .abort = abort,
      .every = every,
      .buffered = buffered,
      .handle = handle,
      .post = post,
      .option = option,
      .log = log,
      .scope = scope,
      .now = now,
      .path = path,
      .query = query,
      .field = field,
      .address = address,
      .send_part = send_part,
      .pause = pause,
      .resume = resume,
      .http = &http_service_table(),
      .peer_address = peer_address,
      .scheme = scheme,
      .host = host,
      .virtual_host = virtual_host,
  };
  return table;
}

}  // namespace wharf::session
