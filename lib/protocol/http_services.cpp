// The functions of abi_http.h.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "codec/proxy_header.h"
#include "protocol/raw.h"
#include "protocol/row_exchange.h"
#include "protocol/service_calls.h"
#include "protocol/services.h"

namespace wharf::session {
namespace {

RowExchange& row(wharf_exchange* exchange) { return static_cast<RowExchange&>(*exchange); }
const RowExchange& row(const wharf_exchange* exchange) { return static_cast<const RowExchange&>(*exchange); }
Raw& raw(wharf_pipe* pipe) { return static_cast<Raw&>(*pipe); }
const Raw& raw(const wharf_pipe* pipe) { return static_cast<const Raw&>(*pipe); }

// ---- Requests ----

wharf_text method(const wharf_request* request) { return text(view(request).head().method); }
wharf_text target(const wharf_request* request) { return text(view(request).head().target); }
wharf_text version(const wharf_request* request) { return text(codec::name_of(view(request).head().version)); }
std::uint64_t body_length(const wharf_request* request) {
  const codec::RequestHead& head = view(request).head();
  return head.body == codec::BodyFraming::chunked ? WHARF_UNKNOWN_LENGTH : head.content_length;
}
wharf_text decoded_path(const wharf_request* request) {
  return guarded(wharf_text{}, [&] { return text(view(request).decoded_path()); });
}
wharf_text path_below_mount(const wharf_request* request) {
  return guarded(wharf_text{}, [&] { return text(view(request).path_below_mount()); });
}

wharf_field field_at(const wharf_request* request, size_t index) {
  const auto& fields = view(request).head().fields;
  if (index >= fields.size()) return {};
  return {text(fields[index].name), text(fields[index].value)};
}

wharf_text tls_fact(const TlsFacts* facts, const char* fact) {
  if (facts == nullptr || fact == nullptr) return {};
  const std::string_view name(fact);
  const std::string_view found = name == "version"              ? std::string_view(facts->version)
                                 : name == "cipher"             ? std::string_view(facts->cipher)
                                 : name == "server_name"        ? std::string_view(facts->server_name)
                                 : name == "client_subject"     ? std::string_view(facts->client_subject)
                                 : name == "client_fingerprint" ? std::string_view(facts->client_fingerprint)
                                 : name == "alpn"               ? std::string_view(facts->alpn)
                                 : name == "resumed"            ? facts->resumed
                                                                : std::string_view();
  return found.empty() ? wharf_text{} : text(found);
}
wharf_text tls(const wharf_request* request, const char* fact) { return tls_fact(view(request).tls(), fact); }
wharf_text proxy(const wharf_request* request, const char* fact) {
  const ProxyFacts* const facts = view(request).proxied();
  if (facts == nullptr || fact == nullptr) return {};
  const std::string_view name(fact);
  if (name == "version") return text(facts->version);
  if (name == "destination") return facts->destination.empty() ? wharf_text{} : text(facts->destination);
  const auto found = codec::proxy_value(facts->values, name);
  return found ? text(*found) : wharf_text{};
}
wharf_text user(const wharf_request* request) { return text(view(request).user()); }

// ---- Exchanges ----

const wharf_request* request(const wharf_exchange* exchange) { return &row(exchange).request(); }
wharf_scope* scope(const wharf_exchange* exchange) { return &row(exchange).protocol(); }
wharf_text body(const wharf_exchange* exchange) { return text(row(exchange).whole_body()); }

int add_field(wharf_exchange* exchange, const char* name, size_t name_size, const char* value, size_t value_size) {
  return sheltered(row(exchange), 1,
                   [&](RowExchange& row) { return row.add_field(view(name, name_size), view(value, value_size)) ? 0 : 1; });
}
wharf_flow respond(wharf_exchange* exchange, int status, const char* data, size_t size) {
  return sheltered(row(exchange), WHARF_CLOSED, [&](RowExchange& row) { return row.respond(status, view(data, size)); });
}
int respond_file(wharf_exchange* exchange, int status, const char* path) {
  return sheltered(row(exchange), 1, [&](RowExchange& row) { return row.respond_file(status, path) ? 0 : 1; });
}
wharf_flow begin(wharf_exchange* exchange, int status, uint64_t length) {
  const auto known = length != WHARF_UNKNOWN_LENGTH ? std::optional<std::uint64_t>(length) : std::nullopt;
  return sheltered(row(exchange), WHARF_CLOSED, [&](RowExchange& row) { return row.begin(status, known); });
}
wharf_flow write(wharf_exchange* exchange, const char* data, size_t size) {
  return sheltered(row(exchange), WHARF_CLOSED, [&](RowExchange& row) { return row.write(view(data, size)); });
}
void end(wharf_exchange* exchange) {
  sheltered(row(exchange), 0, [&](RowExchange& row) { return row.end(), 0; });
}
void abort(wharf_exchange* exchange) { row(exchange).abort(); }
void fail(wharf_exchange* exchange) {
  sheltered(row(exchange), 0, [&](RowExchange& row) { return row.fail(), 0; });
}
void body_pause(wharf_exchange* exchange) { row(exchange).pause_body(); }
void body_resume(wharf_exchange* exchange) { row(exchange).resume_body(); }
void answer_within(wharf_exchange* exchange, uint32_t milliseconds) {
  row(exchange).answer_within(milliseconds == WHARF_NEVER ? base::never : base::Time{milliseconds});
}
void every(wharf_exchange* exchange, uint32_t milliseconds) { row(exchange).tick_every(base::Time{milliseconds}); }
size_t buffered(const wharf_exchange* exchange) { return row(exchange).buffered(); }
wharf_handle handle(wharf_exchange* exchange) { return handle_of(row(exchange)); }
int post(wharf_handle handle, wharf_exchange_task task, void* argument) { return post_to<wharf_exchange>(handle, task, argument); }
int upgrade(wharf_exchange* exchange, const char* token, const wharf_raw* raw, void* argument) {
  return sheltered(row(exchange), 1, [&](RowExchange& row) { return row.upgrade(token, raw, argument) ? 0 : 1; });
}

// ---- Pipes ----

wharf_flow pipe_write(wharf_pipe* pipe, const char* data, size_t size) {
  return sheltered(raw(pipe), WHARF_CLOSED, [&](Raw& raw) { return raw.write(view(data, size)); });
}
void pipe_cork(wharf_pipe* pipe) { raw(pipe).cork(); }
void pipe_uncork(wharf_pipe* pipe) { raw(pipe).uncork(); }
void pipe_end(wharf_pipe* pipe) { raw(pipe).end_output(); }
void pipe_close(wharf_pipe* pipe) { raw(pipe).close(); }
void pipe_abort(wharf_pipe* pipe) { raw(pipe).abort(); }
void pipe_pause(wharf_pipe* pipe) { raw(pipe).pause(); }
void pipe_resume(wharf_pipe* pipe) { raw(pipe).resume(); }
void pipe_every(wharf_pipe* pipe, uint32_t milliseconds) { raw(pipe).tick_every(base::Time{milliseconds}); }
size_t pipe_buffered(const wharf_pipe* pipe) { return raw(pipe).buffered(); }
wharf_text pipe_address(const wharf_pipe* pipe) {
  return guarded(wharf_text{}, [&] { return text(raw(pipe).address()); });
}
wharf_scope* pipe_scope(const wharf_pipe* pipe) { return &raw(pipe).protocol(); }
wharf_handle pipe_handle(wharf_pipe* pipe) { return handle_of(raw(pipe)); }
int pipe_forward(wharf_pipe* pipe, const char* to, size_t to_size, const char* data, size_t size, uint32_t milliseconds) {
  constexpr base::Time usual{5'000};
  const base::Time within = milliseconds != 0 ? base::Time{milliseconds} : usual;
  return sheltered(raw(pipe), 1, [&](Raw& raw) { return raw.forward(view(to, to_size), view(data, size), within) ? 0 : 1; });
}
wharf_text pipe_tls(const wharf_pipe* pipe, const char* fact) { return tls_fact(raw(pipe).tls(), fact); }
int pipe_post(wharf_handle handle, wharf_pipe_task task, void* argument) { return post_to<wharf_pipe>(handle, task, argument); }

// ---- Statistics ----

std::uint64_t read(const std::atomic<std::uint64_t>& count) { return count.load(std::memory_order_relaxed); }

/// As much of the struct as the caller's header has.
template <class Struct>
void hand_over(const wharf_scope* scope, Struct& given, Struct filled) {
  if (given.size < sizeof given.size)
    return protocol(scope).home.log.error(base::LogKind("structs of a wrong size"), protocol(scope).row.name, ": statistics of ",
                                          given.size, " bytes were asked for; set size to that of the struct");
  filled.size = given.size;
  std::memcpy(&given, &filled, std::min(given.size, sizeof(Struct)));
}

void add_openings(wharf_server_statistics& sum, const OpeningCounts& of) {
  sum.tls_handshakes += read(of.tls_handshakes);
  sum.tls_1_2 += read(of.tls_1_2);
  sum.tls_resumed += read(of.tls_resumed);
  sum.tls_failed += read(of.tls_failed);
  sum.tls_cut += read(of.tls_cut);
  sum.connections_refused += read(of.connections_refused);
  sum.proxy_refused += read(of.proxy_refused);
  sum.openings_refused += read(of.openings_refused);
}

void server_statistics(const wharf_scope* scope, wharf_server_statistics* statistics) {
  wharf_server_statistics sum{};
  if (const Statistics* all = protocol(scope).home.statistics) {
    for (const LoopCounts& loop : all->loops) {
      sum.connections += loop.connections.load(std::memory_order_relaxed);
      sum.accepted += read(loop.accepted);
      sum.exchanges += read(loop.exchanges);
      sum.requests_refused += read(loop.requests_refused);
      add_openings(sum, loop.openings);
    }
    sum.rows = all->row_names.size();
    sum.uptime = static_cast<std::uint64_t>((protocol(scope).home.now() - all->since).count());
  }
  hand_over(scope, *statistics, sum);
}

int row_statistics(const wharf_scope* scope, size_t index, wharf_row_statistics* statistics) {
  const Statistics* all = protocol(scope).home.statistics;
  if (all == nullptr || index >= all->row_names.size()) return 1;
  wharf_row_statistics sum{};
  sum.name = text(all->row_names[index]);
  for (const LoopCounts& loop : all->loops) {
    sum.open += read(loop.rows[index].open);
    sum.opened += read(loop.rows[index].opened);
    sum.exchanges += read(loop.rows[index].exchanges);
  }
  hand_over(scope, *statistics, sum);
  return 0;
}

}  // namespace

const wharf_http_services& http_service_table() {
  static constexpr wharf_http_services table{
      .size = sizeof(wharf_http_services),
      .method = method,
      .target = target,
      .version = version,
      .body_length = body_length,
      .decoded_path = decoded_path,
      .path_below_mount = path_below_mount,
      .field_at = field_at,
      .tls = tls,
      .user = user,
      .request = request,
      .scope = scope,
      .body = body,
      .add_field = add_field,
      .respond = respond,
      .respond_file = respond_file,
      .begin = begin,
      .write = write,
      .end = end,
      .abort = abort,
      .fail = fail,
      .body_pause = body_pause,
      .body_resume = body_resume,
      .answer_within = answer_within,
      .every = every,
      .buffered = buffered,
      .handle = handle,
      .post = post,
      .upgrade = upgrade,
      .pipe_write = pipe_write,
      .pipe_cork = pipe_cork,
      .pipe_uncork = pipe_uncork,
      .pipe_end = pipe_end,
      .pipe_close = pipe_close,
      .pipe_abort = pipe_abort,
      .pipe_pause = pipe_pause,
      .pipe_resume = pipe_resume,
      .pipe_every = pipe_every,
      .pipe_buffered = pipe_buffered,
      .pipe_address = pipe_address,
      .pipe_scope = pipe_scope,
      .pipe_handle = pipe_handle,
      .pipe_post = pipe_post,
      .server_statistics = server_statistics,
      .row_statistics = row_statistics,
      .pipe_forward = pipe_forward,
      .pipe_tls = pipe_tls,
      .proxy = proxy,
  };
  return table;
}

}  // namespace wharf::session
