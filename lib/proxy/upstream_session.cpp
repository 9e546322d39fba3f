#include "proxy/upstream_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/upstream_pool.h"

namespace wharf::server {
namespace {

/// Of a body, what is handed over at a time, so that a slow client is noticed before much is queued for it.
constexpr std::size_t largest_piece = 32 * 1024;
/// What is read at a time: as much as may have to be kept while a slow client takes what came before.
constexpr std::size_t largest_read = std::size_t{64} * 1024;
/// From here on, a part of a request's body is written past the queue where that can be.
constexpr std::size_t write_through_from = 16 * 1024;

}  // namespace

UpstreamSession::UpstreamSession(session::Link& link, UpstreamPool& pool, const UpstreamLimits& limits)
    : link_(link), pool_(pool), share_(pool), limits_(limits) {}

UpstreamSession::~UpstreamSession() { leave_pool(); }

// ---- Requests ----

void UpstreamSession::begin(AnswerReceiver& receiver, std::string_view head, std::string_view method, codec::BodyFraming body) {
  receiver_ = &receiver;
  method_ = method;
  stage_ = Stage::head;
  interim_ = 0;
  begun_ = request_complete_ = false;
  chunked_request_ = body == codec::BodyFraming::chunked;
  link_.set_deadline(base::never);
  link_.out().append(head);
  link_.touch();
}

session::Flow UpstreamSession::write_body(std::string_view piece) {
  if (link_.ending()) return session::Flow::closed;
  std::array<char, codec::max_chunk_header> memory{};
  std::string_view line;
  if (chunked_request_) line = {memory.data(), codec::write_chunk_header(memory.data(), piece.size())};
  if (piece.size() >= write_through_from) {
    link_.write_through(line, piece);
  } else {
    link_.out().append(line);
    link_.out().append(piece);
  }
  if (chunked_request_) link_.out().append("\r\n");
  link_.touch();
  if (!link_.overfull()) return session::Flow::go;
  link_.want_room();
  return session::Flow::hold;
}

void UpstreamSession::end_request() {
  if (std::exchange(request_complete_, true)) return;
  if (chunked_request_) link_.out().append(codec::last_chunk);
  link_.touch();
  if (stage_ == Stage::head) link_.set_deadline(link_.now() + limits_.answer_time);
}

void UpstreamSession::resume_answer() {
  if (!std::exchange(held_, false)) return;
  heard_ = link_.now();
  link_.resume_input();
}

void UpstreamSession::cancel() {
  receiver_ = nullptr;
  stage_ = Stage::over;
  link_.abort();
}

// ---- Answers ----

void UpstreamSession::start() {
  link_.read_at_most(largest_read);
  pool_.started(*this);
}

std::size_t UpstreamSession::input(std::span<char> bytes) {
  std::string_view rest(bytes.data(), bytes.size());
  heard_ = link_.now();
  while (!rest.empty() && !held_ && !link_.ending() && link_.may_go_on()) {
    link_.spend(session::event_work);
    if (stage_ == Stage::head) take_head(rest);
    else if (stage_ == Stage::body) take_body(rest);
    else if (stage_ == Stage::idle) fail(UpstreamFailure::malformed, "it sent what nobody has asked for");
    else break;
  }
  return bytes.size() - rest.size();
}

void UpstreamSession::take_head(std::string_view& rest) {
  begun_ = true;
  const std::size_t before = head_bytes_.size();
  std::string_view bytes = rest;
  if (before > 0) {
    const std::string_view more = rest.substr(0, limits_.head.head - before);
    head_bytes_ += more;
    // What has been looked at is looked at again, so only where there is a line more.
    if (more.find('\n') == std::string_view::npos && head_bytes_.size() < limits_.head.head) return rest.remove_prefix(more.size());
    bytes = head_bytes_;
  }
  codec::AnswerHead head;
  const codec::AnswerRead read = codec::read_answer_head(bytes, limits_.head, head);
  if (read.state == codec::AnswerState::more) {
    if (before == 0) head_bytes_ = rest;
    rest = {};
  } else if (read.state == codec::AnswerState::done) {
    rest.remove_prefix(head.size - before);
    if (head.status < 200) take_interim(head);
    else take_answer(head);
    head_bytes_ = std::string();
  } else {
    fail(UpstreamFailure::malformed, read.reason);
  }
}

/// RFC 9110 section 15.2.
void UpstreamSession::take_interim(const codec::AnswerHead& head) {
  if (head.status != 101) {
    if (++interim_ <= limits_.interim_answers) return heed(receiver_->answer_interim(head));
    return fail(UpstreamFailure::malformed, "it sent more interim answers than the limit");
  }
  if (receiver_->answer_switches(head) == AnswerReceiver::Upgrade::not_asked_for)
    return fail(UpstreamFailure::malformed, "it switched to a protocol that nobody has asked for");
  receiver_ = nullptr;
  stage_ = Stage::over;
}

void UpstreamSession::take_answer(const codec::AnswerHead& head) {
  framing_ = codec::answer_framing(head, method_);
  const codec::AnswerFraming declared = method_ == "HEAD" ? codec::answer_framing(head, "GET") : framing_;
  if (declared.body == codec::AnswerBody::malformed) return fail(UpstreamFailure::malformed, declared.reason);
  keeps_ = codec::keep_alive(head) && framing_.body != codec::AnswerBody::until_close;
  left_ = framing_.content_length;
  if (framing_.body == codec::AnswerBody::chunked) chunks_.emplace(limits_.chunk, codec::Trailers::dropped);
  else chunks_.reset();
  stage_ = Stage::body;
  link_.set_deadline(link_.now() + limits_.answer_idle);
  const bool has_length = declared.body == codec::AnswerBody::length;
  receiver_->answer_begins(head, has_length ? std::optional(declared.content_length) : std::nullopt);
  const bool empty = framing_.body == codec::AnswerBody::none || (framing_.body == codec::AnswerBody::length && left_ == 0);
  if (empty) answer_over();
}

void UpstreamSession::take_body(std::string_view& rest) {
  if (chunks_) return take_chunks(rest);
  std::string_view piece = rest.substr(0, largest_piece);
  if (framing_.body == codec::AnswerBody::length) {
    piece = piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece.size())));
    left_ -= piece.size();
  }
  rest.remove_prefix(piece.size());
  hand_over(piece);
  if (receiver_ != nullptr && framing_.body == codec::AnswerBody::length && left_ == 0) answer_over();
}

void UpstreamSession::take_chunks(std::string_view& rest) {
  std::string_view part = rest.substr(0, largest_piece);
  const std::size_t before = part.size();
  const codec::ChunkedDecoder::State state = chunks_->next(part);
  rest.remove_prefix(before - part.size());
  if (state == codec::ChunkedDecoder::State::data) hand_over(chunks_->piece());
  else if (state == codec::ChunkedDecoder::State::done) answer_over();
  else if (state == codec::ChunkedDecoder::State::failed) fail(UpstreamFailure::malformed, chunks_->error().reason);
}

void UpstreamSession::hand_over(std::string_view piece) { heed(receiver_->answer_piece(piece)); }

void UpstreamSession::heed(session::Flow flow) {
  if (flow == session::Flow::closed) {
    cancel();
  } else if (flow == session::Flow::hold) {
    held_ = true;
    link_.hold_input();
  }
}

/// What comes behind it finds the session idle, and ends it: the two sides differ on where the answer ends.
void UpstreamSession::answer_over() {
  const bool clean = request_complete_ && link_.out().empty();
  stage_ = Stage::idle;
  chunks_.reset();
  if (std::exchange(held_, false)) link_.resume_input();
  std::exchange(receiver_, nullptr)->answer_ends();
  if (clean && keeps_ && !shutting_down_ && !link_.ending()) wait();
  else cancel();
}

void UpstreamSession::wait() {
  if (!pool_.keep(*this)) return cancel();
  has_waited_ = true;
  link_.set_deadline(link_.now() + limits_.connection_idle);
}

void UpstreamSession::fail(UpstreamFailure failure, std::string_view reason) {
  leave_pool();
  AnswerReceiver* const receiver = std::exchange(receiver_, nullptr);
  cancel();
  if (receiver == nullptr) return;
  pool_.tell(reason);
  receiver->answer_fails(failure);
}

// ---- The link ----

void UpstreamSession::end_of_input() {
  if (stage_ == Stage::body && framing_.body == codec::AnswerBody::until_close) return answer_over();
  ended();
}

void UpstreamSession::ended() {
  if (!begun_) fail(UpstreamFailure::closed, "it closed the connection without an answer");
  else fail(UpstreamFailure::cut, "it closed the connection within an answer");
}

void UpstreamSession::room() {
  if (receiver_ != nullptr) receiver_->upstream_has_room();
}

void UpstreamSession::deadline() {
  const bool waits = held_ || heard_ + limits_.answer_idle > link_.now();
  if (stage_ == Stage::body && waits) link_.set_deadline((held_ ? link_.now() : heard_) + limits_.answer_idle);
  else if (stage_ == Stage::body) fail(UpstreamFailure::cut, "it sent nothing more of an answer");
  else fail(UpstreamFailure::late, "it took too long to answer");
}

void UpstreamSession::shut_down() {
  shutting_down_ = true;
  if (stage_ == Stage::idle) fail(UpstreamFailure::closed, {});
}

void UpstreamSession::leave_pool() {
  if (stage_ == Stage::idle) pool_.drop(*this);
}

}  // namespace wharf::server
