#include "proxy/exchange.h"

#include <utility>

#include "base/ascii.h"
#include "codec/http/target.h"
#include "http/tunnel.h"

namespace wharf::server {
namespace {

/// A server that does not know 100-continue would have the client wait for ever.
constexpr base::Time continue_time{1'000};

/// Whether the server ended a connection that had waited too long, while a request was on its way (RFC 9110 section 15.5.9).
bool is_of_the_wait_before(const codec::AnswerHead& head) { return head.status == 408 && !codec::keep_alive(head); }

}  // namespace

Upstream::Upstream(Proxy settings_of_mount, ProxyTarget to, std::string_view mount, UpstreamSettings settings, Outside& outside,
                   base::Log* log, base::Time idle)
    : proxy(std::move(settings_of_mount)),
      target(std::move(to)),
      prefix(mount),
      decoded_base(codec::percent_decode(target.base).value_or(target.base)),
      persistence(settings.idle_connections > 0 ? session::OutgoingRequest::Persistence::kept
                                                : session::OutgoingRequest::Persistence::once),
      pipe_idle(idle),
      pool(std::move(settings), outside, log) {
  if (proxy.send_prefix == Switch::on) forwarded_prefix = codec::percent_encode_path(mount.substr(0, mount.size() - 1));
}

ProxyPlaces Upstream::places(const session::Exchange& exchange) const {
  return {prefix, decoded_base, target.authority, exchange.host(), exchange.request().host, target.scheme};
}

// ---- Life ----

void ProxyExchange::serve(session::Exchange& exchange, Upstream& upstream, std::string path) {
  std::unique_ptr<ProxyExchange> proxied(new ProxyExchange(exchange, upstream, std::move(path)));
  ProxyExchange& started = *proxied;
  exchange.set_responder(std::move(proxied));
  started.start();
}

ProxyExchange::ProxyExchange(session::Exchange& exchange, Upstream& upstream, std::string path)
    : exchange_(exchange), upstream_(upstream), path_(std::move(path)) {}

ProxyExchange::~ProxyExchange() { let_go(); }

/// The client has its response, or has gone.
void ProxyExchange::ended(const session::ExchangeEnd& /*end*/) { let_go(); }

void ProxyExchange::let_go() {
  if (place_) upstream_.pool.forget(*place_);
  place_.reset();
  if (session_ != nullptr) std::exchange(session_, nullptr)->cancel();
}

// ---- The request ----

/// The upstream session watches the time of the response.
void ProxyExchange::start() {
  exchange_.answer_within(base::never);
  body_over_ = exchange_.body_complete();
  if (session::H1Client* const session = upstream_.pool.take(); session != nullptr) send(*session);
  else connect();
}

void ProxyExchange::connect() {
  exchange_.pause_body();
  place_ = upstream_.pool.connect(*this);
  if (!place_) refuse(UpstreamFailure::crowded);
  else if (!upstream_.pool.is_under_way(*place_)) exchange_.tick_every(upstream_.proxy.waiting_time);
}

void ProxyExchange::connected(session::H1Client& session) {
  place_.reset();
  exchange_.tick_every(base::Time{0});
  sheltered([&] { send(session); });
}

/// It has waited long enough for a connection, or for the server's 100.
void ProxyExchange::tick() {
  exchange_.tick_every(base::Time{0});
  if (!place_) return take_body();
  if (upstream_.pool.is_under_way(*place_)) return;  // the attempt has a limit of its own
  upstream_.pool.forget(*std::exchange(place_, std::nullopt));
  upstream_.pool.tell_crowded();
  refuse(UpstreamFailure::crowded);
}

void ProxyExchange::not_connected(UpstreamFailure failure) {
  place_.reset();
  sheltered([&] { refuse(failure); });
}

/// The body is not asked for before there is a connection for it.
void ProxyExchange::send(session::H1Client& session) {
  session_ = &session;
  const codec::RequestHead& head = exchange_.request();
  const std::string upgrades = offered_upgrades(head);
  UpstreamRequest request{path_, exchange_.peer().address, upstream_.target.authority, upgrades, upstream_.persistence};
  request.prefix = upstream_.forwarded_prefix;
  request.host = upstream_.proxy.send_host;
  request.via = upstream_.proxy.send_via;
  const bool waits = !body_over_ && exchange_.awaits_continue();
  if (waits) request.expectation = Expectation::to_continue;
  request.scheme = exchange_.peer().scheme();
  request.forwarding = exchange_.forwarding();
  session.begin(*this, UpstreamHead(head, request).request());
  if (body_over_) session.end_request();
  else if (waits) exchange_.tick_every(continue_time);
  else take_body();
}

void ProxyExchange::take_body() {
  if (session_ == nullptr || exchange_.answered()) return;
  exchange_.read_body();
  exchange_.resume_body();
}

void ProxyExchange::body(std::string_view piece) {
  body_begun_ = true;
  if (session_ != nullptr && session_->write_body(piece) == session::Flow::hold) exchange_.pause_body();
}

void ProxyExchange::body_end() {
  body_over_ = true;
  if (session_ != nullptr) session_->end_request();
}

void ProxyExchange::request_has_room() { exchange_.resume_body(); }

// ---- The response ----

/// A lack of memory on the client's side costs the client's connection, even if the call comes from upstream.
template <class Call>
void ProxyExchange::sheltered(Call&& call) noexcept {
  try {
    call();
  } catch (...) {
    exchange_.abort();
  }
}

session::Fields ProxyExchange::fields_for_client(const codec::AnswerHead& head) const {
  session::Fields fields = end_to_end_fields(head, upstream_.proxy.send_via);
  map_fields(fields, upstream_.places(exchange_), upstream_.proxy);
  return fields;
}

/// RFC 9110 section 15.2: 100 is for a client that waits for it, and makes it send the body.
session::Flow ProxyExchange::response_interim(const codec::AnswerHead& head) {
  if (head.status == 100) {
    if (exchange_.awaits_continue()) take_body();
    return session::Flow::go;
  }
  if (upstream_.proxy.send_interim == Switch::off) return session::Flow::go;
  session::Flow flow = session::Flow::closed;
  sheltered([&] { flow = exchange_.inform(head.status, fields_for_client(head)); });
  if (flow == session::Flow::closed) session_ = nullptr;
  return flow;
}

void ProxyExchange::response_begins(const codec::AnswerHead& head, std::optional<std::uint64_t> length) {
  if (is_of_the_wait_before(head) && may_try_again()) {
    std::exchange(session_, nullptr)->cancel();
    return sheltered([this] { connect(); });
  }
  sheltered([&] {
    session::Response response;
    response.status = head.status;
    response.fields = fields_for_client(head);
    exchange_.begin(std::move(response), length);
  });
}

session::Flow ProxyExchange::response_piece(std::string_view piece) {
  session::Flow flow = session::Flow::closed;
  sheltered([&] { flow = exchange_.write(piece); });
  if (flow == session::Flow::closed) session_ = nullptr;
  return flow;
}

void ProxyExchange::drained() {
  if (session_ != nullptr) session_->resume_response();
}

void ProxyExchange::response_ends() {
  session_ = nullptr;
  sheltered([this] { exchange_.end(); });
}

/// RFC 9110 section 7.8.
session::ResponseReceiver::Upgrade ProxyExchange::response_switches(const codec::AnswerHead& head) {
  std::string chosen;
  for (const std::string_view value : head.values("Upgrade")) (chosen += chosen.empty() ? "" : ", ") += value;
  if (!offers_upgrade(exchange_.request(), chosen)) return Upgrade::not_asked_for;
  session::H1Client& session = *std::exchange(session_, nullptr);
  exchange_.switch_to(chosen, fields_for_client(head), [&](session::Link& link) {
    return session::Tunnel::to(session.link(), link, upstream_.pipe_idle, session.give_share());
  });
  return Upgrade::taken;
}

void ProxyExchange::response_fails(session::ResponseFailure failure) {
  const bool again = failure == session::ResponseFailure::closed && may_try_again();
  session_ = nullptr;
  sheltered([&] {
    if (again) connect();
    else refuse(failure == session::ResponseFailure::late ? UpstreamFailure::late : UpstreamFailure::faulty);
  });
}

/// RFC 9110 section 9.2.2: a connection that was idle may have been closed upstream while the request was on its way. The
/// next connection is new: there is no third try.
bool ProxyExchange::may_try_again() const {
  return session_->has_waited() && !body_begun_ && is_idempotent(exchange_.request().method);
}

void ProxyExchange::refuse(UpstreamFailure failure) {
  if (exchange_.answered()) return exchange_.abort();
  if (failure == UpstreamFailure::late)
    return exchange_.respond(session::text_response(504, "The server behind this one took too long."));
  if (failure == UpstreamFailure::crowded) {
    session::Response response = session::text_response(503, "The server behind this one has no time for another request.");
    response.fields.emplace_back("Retry-After", "1");
    return exchange_.respond(std::move(response));
  }
  const bool reached = failure != UpstreamFailure::unreachable;
  exchange_.respond(session::text_response(
      502, reached ? "The server behind this one gave no proper answer." : "The server behind this one cannot be reached."));
}

}  // namespace wharf::server
