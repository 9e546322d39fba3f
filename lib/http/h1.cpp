#include "http/h1.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace wharf::session {

namespace {
/// The work of one request: 16 of them are all the work of a turn.
constexpr std::int64_t request_work = work_per_turn / 16;
/// The bytes to read at a time if they may have to be kept: if no body is being read, behind a body, and within one in chunks.
constexpr std::size_t read_of_requests = std::size_t{16} * 1024;
constexpr std::size_t read_of_chunks = std::size_t{64} * 1024;

/// How long a server that drains waits for one more request.
constexpr base::Time last_request_wait{1'000};

/// Whether this is no more than the empty line that some send behind a body (RFC 9112 section 2.2).
bool is_empty_line(std::string_view bytes) { return bytes == "\r" || bytes == "\r\n"; }
}  // namespace

struct H1::Received {
  codec::RequestParser parser;
  std::string bytes;
};

H1::H1(Link& link, HttpContext& context)
    : ExchangeCore(link, context), persistence_(context.reuse == Reuse::never ? Persistence::last : Persistence::kept) {}

H1::~H1() { exchange_ended(); }

// ---- Heads ----

void H1::start() {
  link().read_at_most(read_of_requests);
  set_deadline(link().now() + context().limits.head_time);
}

std::size_t H1::input(std::span<char> bytes) {
  Link& link = this->link();
  std::span<char> rest = bytes;
  do {
    if (wants_head()) {
      link.spend(request_work);
      rest = rest.subspan(incoming_ ? take_more_head(rest) : take_head(rest));
    } else if (takes_body()) {
      rest = take_body(rest);
    } else {
      break;
    }
  } while (!rest.empty() && stage() != Stage::switched && !link.ending() && link.may_go_on());
  return bytes.size() - rest.size();
}

std::size_t H1::take_head(std::span<char> bytes) {
  codec::RequestParser& parser = context().scratch;
  parser.reset();
  switch (parser.parse({bytes.data(), bytes.size()})) {
    case codec::RequestParser::State::done: {
      const std::size_t used = parser.size();
      handle(parser.head(), used < bytes.size() ? Behind::bytes : Behind::nothing);
      return used;
    }
    case codec::RequestParser::State::failed: refuse(parser.error()); break;
    case codec::RequestParser::State::more:
      incoming_ = std::make_unique<Received>(Received{codec::RequestParser(context().limits.head), {bytes.data(), bytes.size()}});
      incoming_->parser.parse(incoming_->bytes);
      if (has_begun()) head_begins();
  }
  return bytes.size();
}

/// Whether a part of a head has come.
bool H1::has_begun() const { return incoming_ && !is_empty_line(incoming_->bytes); }

void H1::head_begins() {
  link().now_busy();
  set_deadline(std::min(stage_deadline(), link().now() + context().limits.head_time));
}

std::size_t H1::take_more_head(std::span<char> bytes) {
  const std::size_t before = incoming_->bytes.size();
  // Includes the skipped empty line; beyond it the parser fails.
  const std::size_t room = std::min(context().limits.head.head, std::numeric_limits<std::size_t>::max() / 2) + 4 - before;
  const bool had_begun = has_begun();
  incoming_->bytes.append(bytes.data(), std::min(bytes.size(), room));
  if (!had_begun && has_begun()) head_begins();
  switch (incoming_->parser.parse(incoming_->bytes)) {
    case codec::RequestParser::State::done: {
      const std::unique_ptr<Received> received = std::move(incoming_);
      const std::size_t used = received->parser.size() - before;
      auto kept = std::make_unique<codec::KeptHead>(received->parser.head(), std::move(received->bytes));
      const codec::RequestHead& head = kept->head();
      handle(head, used < bytes.size() ? Behind::bytes : Behind::nothing, std::move(kept));
      return used;
    }
    case codec::RequestParser::State::failed: refuse(incoming_->parser.error()); break;
    case codec::RequestParser::State::more: break;
  }
  return std::min(bytes.size(), room);
}

/// The bytes behind CONNECT may be no request.
void H1::handle(const codec::RequestHead& head, Behind behind, std::unique_ptr<codec::KeptHead> kept) {
  link().now_busy();
  const bool goes_on = head.keep_alive && head.method != "CONNECT";
  if (!goes_on) persistence_ = Persistence::last;
  body_.begin(head, context().limits.chunk);
  request_came(head, behind, std::move(kept));
}

// ---- Bodies ----

std::span<char> H1::take_body(std::span<char> bytes) {
  std::string_view rest(bytes.data(), bytes.size());
  body_heard();
  for (bool more = true; more && takes_body() && !link().ending() && link().may_go_on();) {
    std::string_view piece;
    switch (body_.next(rest, piece)) {
      case IncomingBody::State::piece: piece_came(piece); break;
      case IncomingBody::State::done:
        body_came();
        more = false;
        break;
      case IncomingBody::State::failed:
        body_failed(body_.error());
        more = false;
        break;
      case IncomingBody::State::more: more = false;
    }
    if (body_.done() && more) {
      body_came();
      more = false;
    }
  }
  await_body();
  if (stage() != Stage::switched) link().read_at_most(useful_read());
  return bytes.last(rest.size());
}

/// Input is taken if somebody has a use for it.
void H1::intake_changed() {
  if (stage() == Stage::switched) return;  // it is another session's
  Link& link = this->link();
  link.read_at_most(useful_read());
  if (wants_head() || takes_body()) link.resume_input();
  else link.hold_input();
}

/// How much is read at a time: bytes behind a body may have to be kept until its response is complete.
std::size_t H1::useful_read() const {
  if (!takes_body()) return read_of_requests;
  if (body_.in_chunks()) return read_of_chunks;
  constexpr std::uint64_t all = std::numeric_limits<std::size_t>::max() / 2;
  return static_cast<std::size_t>(std::min(body_.left(), all)) + read_of_requests;
}

// ---- One after the other ----

/// If a peer sends requests and does not read the responses, the rest of its requests wait.
void H1::next() {
  Link& link = this->link();
  if (is_last()) return link.finish();
  set_deadline(link.now() + idle_time());
  if (link.overfull()) {
    next_ = Next::waits;
    link.want_room();
    return intake_changed();
  }
  intake_changed();
  link.now_idle();
}

void H1::end_of_input() {
  if (stage() == Stage::idle || stage() == Stage::dropping) return link().finish();
  make_last(Reason::request_broken);
  if (!body_complete()) body_failed({400, "The request's body ended early."});
}

void H1::room() {
  if (stage() != Stage::idle) return exchange_room();
  if (std::exchange(next_, Next::taken) == Next::taken) return;
  link().now_idle();
  intake_changed();
}

/// A client that is about to send a request gets a response, so that it does not have to ask again on another connection.
Session::Drains H1::drain() {
  persistence_ = Persistence::last;
  if (stage() == Stage::idle && !has_begun()) set_deadline(std::min(stage_deadline(), link().now() + last_request_wait));
  return Drains::by_itself;
}

void H1::shut_down() {
  persistence_ = Persistence::last;
  if (stage() == Stage::idle || stage() == Stage::dropping) link().finish();
}

void H1::idle_late() {
  if (has_begun()) refuse({408, "The request's head took too long."});
  else if (!link().out().empty()) set_deadline(link().now() + idle_time());  // it is still reading the last response
  else link().finish();
}

}  // namespace wharf::session
