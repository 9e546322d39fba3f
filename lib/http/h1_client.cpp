#include "http/h1_client.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "codec/http/head_writer.h"

namespace wharf::session {
namespace {

/// The most of a body that is handed over at a time, so that a slow receiver is noticed before much is queued for it.
constexpr std::size_t largest_piece = 32 * 1024;
/// The most that is read at a time: this may have to be kept while a slow receiver takes what came before.
constexpr std::size_t largest_read = std::size_t{64} * 1024;

/// How long a connection is kept after this response. Some servers say when they close it; a request that is on its way then is
/// lost, so it is given up a second before.
base::Time time_to_keep(const codec::AnswerHead& head, base::Time most) {
  constexpr std::uint64_t a_day = 24 * 3600;
  const auto timeout = codec::keep_alive_timeout(head);
  if (!timeout) return most;
  return std::min<base::Time>(most, std::chrono::seconds(std::min(*timeout, a_day)) - std::chrono::seconds(1));
}

}  // namespace

std::string request_head(const OutgoingRequest& request, std::string memory) {
  codec::RequestText text(request.method, request.target, std::move(memory));
  for (const auto& [name, value] : request.fields)
    if (!codec::is_framing_field(name)) text.field(name, value);
  if (request.body == codec::BodyFraming::length) text.content_length(request.content_length);
  if (request.body == codec::BodyFraming::chunked) text.field("Transfer-Encoding", "chunked");
  if (!request.upgrade.empty()) {
    text.field("Upgrade", request.upgrade);
    text.field("Connection", "Upgrade");
  } else if (request.persistence == OutgoingRequest::Persistence::once) {
    text.field("Connection", "close");
  }
  return std::move(text).finish();
}

H1Client::H1Client(Link& link, H1ClientContext& context, LinkShare share)
    : link_(link), context_(context), share_(std::move(share)), keep_for_(context.limits.connection_idle) {}

H1Client::~H1Client() { leave_owner(); }

// ---- Requests ----

void H1Client::begin(ResponseReceiver& receiver, const OutgoingRequest& request) {
  receiver_ = &receiver;
  method_ = request.method;
  stage_ = Stage::asked;
  interim_ = 0;
  request_ = Request::begun;
  delimiting_ = request.body == codec::BodyFraming::chunked ? Delimiting::chunks : Delimiting::length;
  if (request.persistence == Persistence::once) persistence_ = Persistence::once;
  link_.set_deadline(base::never);
  std::string text = request_head(request, std::move(context_.head_memory));
  link_.out().append(text);
  context_.head_memory = std::move(text);
  link_.touch();
}

Flow H1Client::write_body(std::string_view piece) {
  if (link_.ending()) return Flow::closed;
  if (!piece.empty()) write_piece(link_, delimiting_, piece);
  link_.touch();
  if (!link_.overfull()) return Flow::go;
  link_.want_room();
  return Flow::hold;
}

void H1Client::end_request() {
  if (std::exchange(request_, Request::complete) == Request::complete) return;
  append_end(link_.out(), delimiting_);
  link_.touch();
  if (awaits_head()) link_.set_deadline(link_.now() + context_.limits.response_time);
}

void H1Client::resume_response() {
  if (!std::exchange(held_, false)) return;
  heard_ = link_.now();
  link_.resume_input();
}

void H1Client::cancel() {
  receiver_ = nullptr;
  const Stage before = std::exchange(stage_, Stage::over);
  if (before == Stage::idle || before == Stage::free) link_.leave();
  else link_.abort();
}

// ---- Responses ----

void H1Client::start() {
  link_.read_at_most(largest_read);
  context_.owner.connected(*this);
}

std::size_t H1Client::input(std::span<char> bytes) {
  std::string_view rest(bytes.data(), bytes.size());
  heard_ = link_.now();
  while (!rest.empty() && !held_ && stage_ != Stage::over && !link_.ending() && link_.may_go_on()) {
    link_.spend(event_work);
    if (awaits_head()) take_head(rest);
    else if (stage_ == Stage::body) take_body(rest);
    else fail(ResponseFailure::malformed, "it sent what nobody has asked for");
  }
  return bytes.size() - rest.size();
}

void H1Client::take_head(std::string_view& rest) {
  stage_ = Stage::head;
  const codec::AnswerLimits& limits = context_.limits.head;
  const std::size_t before = head_bytes_.size();
  std::string_view bytes = rest;
  if (before > 0) {
    const std::string_view more = rest.substr(0, limits.head - before);
    head_bytes_ += more;
    // The head is parsed from its beginning, so only if another line has come.
    if (more.find('\n') == std::string_view::npos && head_bytes_.size() < limits.head) return rest.remove_prefix(more.size());
    bytes = head_bytes_;
  }
  codec::AnswerHead head;
  const codec::AnswerRead read = codec::read_answer_head(bytes, limits, head);
  if (read.state == codec::AnswerState::more) {
    if (before == 0) head_bytes_ = rest;
    rest = {};
  } else if (read.state == codec::AnswerState::done) {
    rest.remove_prefix(head.size - before);
    if (head.status < 200) take_interim(head);
    else take_response(head);
    head_bytes_ = std::string();
  } else {
    fail(ResponseFailure::malformed, read.reason);
  }
}

/// RFC 9110 section 15.2.
void H1Client::take_interim(const codec::AnswerHead& head) {
  if (head.status != 101) {
    if (++interim_ <= context_.limits.interim_responses) return heed(receiver_->response_interim(head));
    return fail(ResponseFailure::malformed, "it sent more interim responses than the limit");
  }
  if (receiver_->response_switches(head) == ResponseReceiver::Upgrade::not_asked_for)
    return fail(ResponseFailure::malformed, "it switched to a protocol that nobody has asked for");
  receiver_ = nullptr;
  stage_ = Stage::over;
}

void H1Client::take_response(const codec::AnswerHead& head) {
  const codec::AnswerFraming framing = codec::answer_framing(head, method_);
  const codec::AnswerFraming declared = method_ == "HEAD" ? codec::answer_framing(head, "GET") : framing;
  if (declared.body == codec::AnswerBody::malformed) return fail(ResponseFailure::malformed, declared.reason);
  body_.begin(framing, context_.limits.chunk);
  keep_for_ = time_to_keep(head, context_.limits.connection_idle);
  if (!codec::keep_alive(head) || body_.until_close() || keep_for_ <= base::Time{0}) persistence_ = Persistence::once;
  stage_ = Stage::body;
  link_.set_deadline(link_.now() + context_.limits.response_idle);
  const bool has_length = declared.body == codec::AnswerBody::length;
  receiver_->response_begins(head, has_length ? std::optional(declared.content_length) : std::nullopt);
  if (body_.done() && receiver_ != nullptr) response_over();
}

void H1Client::take_body(std::string_view& rest) {
  std::string_view part = rest.substr(0, largest_piece);
  const std::size_t before = part.size();
  std::string_view piece;
  const IncomingBody::State state = body_.next(part, piece);
  rest.remove_prefix(before - part.size());
  if (state == IncomingBody::State::failed) return fail(ResponseFailure::malformed, body_.error().reason);
  if (state == IncomingBody::State::piece) heed(receiver_->response_piece(piece));
  if (body_.done() && receiver_ != nullptr) response_over();
}

void H1Client::heed(Flow flow) {
  if (flow == Flow::closed) {
    cancel();
  } else if (flow == Flow::hold) {
    held_ = true;
    link_.hold_input();
  }
}

/// Bytes behind it find the client idle, and end it: the two sides differ on where the response ends.
void H1Client::response_over() {
  const bool clean = request_ == Request::complete && link_.out().empty();
  stage_ = Stage::free;
  if (std::exchange(held_, false)) link_.resume_input();
  std::exchange(receiver_, nullptr)->response_ends();
  if (clean && persistence_ == Persistence::kept && !link_.ending()) wait();
  else cancel();
}

void H1Client::wait() {
  stage_ = Stage::idle;
  if (!context_.owner.idle(*this)) return cancel();
  has_waited_ = true;
  link_.set_deadline(link_.now() + keep_for_);
}

void H1Client::fail(ResponseFailure failure, std::string_view reason) {
  leave_owner();
  ResponseReceiver* const receiver = std::exchange(receiver_, nullptr);
  cancel();
  if (receiver == nullptr) return;
  context_.owner.response_failed(reason);
  receiver->response_fails(failure);
}

// ---- The link ----

void H1Client::end_of_input() {
  if (stage_ == Stage::body && body_.until_close()) return response_over();
  ended();
}

void H1Client::ended() {
  if (stage_ == Stage::asked) fail(ResponseFailure::closed, "it closed the connection without a response");
  else fail(ResponseFailure::cut, "it closed the connection within a response");
}

void H1Client::room() {
  if (receiver_ != nullptr) receiver_->request_has_room();
}

void H1Client::deadline() {
  const base::Time idle = context_.limits.response_idle;
  const bool waits = held_ || heard_ + idle > link_.now();
  if (stage_ == Stage::body && waits) link_.set_deadline((held_ ? link_.now() : heard_) + idle);
  else if (stage_ == Stage::body) fail(ResponseFailure::cut, "it sent no more of a response");
  else fail(ResponseFailure::late, "it took too long to respond");
}

/// A connection that nobody uses ends at once: for a later request another one is made.
Session::Drains H1Client::drain() {
  shut_down();
  return Drains::by_itself;
}

void H1Client::shut_down() {
  persistence_ = Persistence::once;
  if (stage_ == Stage::idle) fail(ResponseFailure::closed, {});
}

void H1Client::leave_owner() noexcept {
  if (stage_ == Stage::idle) context_.owner.idle_ended(*this);
}

}  // namespace wharf::session
