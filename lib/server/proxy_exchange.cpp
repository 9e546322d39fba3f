#include "server/proxy_exchange.h"

#include <utility>

#include "base/ascii.h"
#include "server/tunnel.h"

namespace wharf::server {

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

/// The client has its answer, or has gone.
void ProxyExchange::ended(const session::ExchangeEnd& /*end*/) { let_go(); }

void ProxyExchange::let_go() {
  if (place_) upstream_.pool.forget(*place_);
  place_.reset();
  if (session_ != nullptr) std::exchange(session_, nullptr)->cancel();
}

// ---- The request ----

/// The time that the answer takes is watched upstream.
void ProxyExchange::start() {
  exchange_.answer_within(base::never);
  body_over_ = exchange_.body_complete();
  if (UpstreamSession* const session = upstream_.pool.take(); session != nullptr) send(*session);
  else connect();
}

void ProxyExchange::connect() {
  exchange_.pause_body();
  place_ = upstream_.pool.connect(*this);
}

void ProxyExchange::connected(UpstreamSession& session) {
  place_.reset();
  send(session);
}

void ProxyExchange::not_connected(UpstreamFailure failure) {
  place_.reset();
  refuse(failure);
}

/// Nothing of the body is asked for before there is somebody to have it.
void ProxyExchange::send(UpstreamSession& session) {
  session_ = &session;
  const codec::RequestHead& head = exchange_.request();
  const std::string upgrades = offered_upgrades(head);
  const UpstreamRequest request{path_, exchange_.link().peer(), upstream_.target.authority, upgrades, upstream_.persistence};
  session.begin(*this, upstream_head(head, request), head.method, head.body);
  if (body_over_) return session.end_request();
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

void ProxyExchange::upstream_has_room() { exchange_.resume_body(); }

// ---- The answer ----

void ProxyExchange::answer_begins(const codec::AnswerHead& head, std::optional<std::uint64_t> length) {
  session::Response response;
  response.status = head.status;
  response.fields = end_to_end_fields(head);
  exchange_.begin(std::move(response), length);
}

session::Flow ProxyExchange::answer_piece(std::string_view piece) {
  const session::Flow flow = exchange_.write(piece);
  if (flow == session::Flow::closed) session_ = nullptr;
  return flow;
}

void ProxyExchange::drained() {
  if (session_ != nullptr) session_->resume_answer();
}

void ProxyExchange::answer_ends() {
  session_ = nullptr;
  exchange_.end();
}

/// RFC 9110 section 7.8.
AnswerReceiver::Switch ProxyExchange::answer_switches(const codec::AnswerHead& head) {
  std::string chosen;
  for (const std::string_view value : head.values("Upgrade")) (chosen += chosen.empty() ? "" : ", ") += value;
  if (!offers_upgrade(exchange_.request(), chosen)) return Switch::not_asked_for;
  exchange_.tunnel(chosen, end_to_end_fields(head));
  Tunnel::join(exchange_.link(), std::exchange(session_, nullptr)->link(), upstream_.pipe_idle);
  return Switch::taken;
}

void ProxyExchange::answer_fails(UpstreamFailure failure) {
  const bool again = may_try_again(failure);
  session_ = nullptr;
  if (again) connect();
  else refuse(failure);
}

/// RFC 9110 section 9.2.2: a connection that was idle may have been closed upstream while the request was on its way. The
/// next one is new: there is no third time.
bool ProxyExchange::may_try_again(UpstreamFailure failure) const {
  return failure == UpstreamFailure::closed && session_->has_waited() && !body_begun_ && is_idempotent(exchange_.request().method);
}

void ProxyExchange::refuse(UpstreamFailure failure) {
  if (exchange_.answered()) return exchange_.abort();
  if (failure == UpstreamFailure::late)
    return exchange_.respond(session::text_response(504, "The server behind this one took too long."));
  const bool reached = failure != UpstreamFailure::unreachable;
  exchange_.respond(session::text_response(
      502, reached ? "The server behind this one gave no proper answer." : "The server behind this one can not be reached."));
}

}  // namespace wharf::server
