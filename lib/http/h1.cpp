#include "http/h1.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/ascii.h"

namespace wharf::session {

namespace {
/// What a request costs of a turn's work: 16 of them are all of it.
constexpr std::int64_t request_work = work_per_turn / 16;
/// What is read at a time where it may have to be kept: where no body is being read, and behind one, or somewhere in one in chunks.
constexpr std::size_t read_of_requests = std::size_t{16} * 1024;
constexpr std::size_t read_of_chunks = std::size_t{64} * 1024;
}  // namespace

/// Bytes that a head's views point into.
struct H1::Received {
  codec::RequestParser parser;
  std::string bytes;
  codec::RequestHead head;
};

H1::H1(Link& link, HttpContext& context) : link_(link), context_(context) {}

/// Another session has taken over, or the link goes without having ended.
H1::~H1() {
  if (!open_) return;
  try {
    tell_over();
  } catch (...) {  // there is no memory for a line of the access log
  }
}

// ---- Heads ----

void H1::start() {
  link_.read_at_most(read_of_requests);
  set_deadline(link_.now() + context_.limits.head_time);
}

std::size_t H1::input(std::span<char> bytes) {
  std::span<char> rest = bytes;
  while (!rest.empty() && !tunnelled_ && !link_.ending() && link_.may_go_on()) {
    if (takes_body()) {
      rest = take_body(rest);
    } else if (open_ || waiting_) {
      break;
    } else {
      link_.spend(request_work);
      rest = rest.subspan(incoming_ ? take_more_head(rest) : take_head(rest));
    }
  }
  return bytes.size() - rest.size();
}

std::size_t H1::take_head(std::span<char> bytes) {
  codec::RequestParser& parser = context_.scratch;
  parser.reset();
  switch (parser.parse({bytes.data(), bytes.size()})) {
    case codec::RequestParser::State::done: {
      const std::size_t used = parser.size();
      handle(parser.head(), used < bytes.size() ? Behind::bytes : Behind::nothing);
      return used;
    }
    case codec::RequestParser::State::failed: refuse(parser.error()); break;
    case codec::RequestParser::State::more:
      link_.now_busy();
      incoming_ = std::make_unique<Received>(
          Received{codec::RequestParser(context_.limits.head), {bytes.data(), bytes.size()}, codec::RequestHead{}});
      incoming_->parser.parse(incoming_->bytes);
      set_deadline(std::min(deadline_, link_.now() + context_.limits.head_time));
  }
  return bytes.size();
}

std::size_t H1::take_more_head(std::span<char> bytes) {
  const std::size_t before = incoming_->bytes.size();
  // And the skipped empty line; beyond it the parser fails.
  const std::size_t room = std::min(context_.limits.head.head, std::numeric_limits<std::size_t>::max() / 2) + 4 - before;
  incoming_->bytes.append(bytes.data(), std::min(bytes.size(), room));
  switch (incoming_->parser.parse(incoming_->bytes)) {
    case codec::RequestParser::State::done: {
      kept_ = std::move(incoming_);
      const std::size_t used = kept_->parser.size() - before;
      handle(kept_->parser.head(), used < bytes.size() ? Behind::bytes : Behind::nothing);
      return used;
    }
    case codec::RequestParser::State::failed: refuse(incoming_->parser.error()); break;
    case codec::RequestParser::State::more: break;
  }
  return std::min(bytes.size(), room);
}

void H1::handle(const codec::RequestHead& head, Behind behind) {
  open_ = true;
  link_.now_busy();
  request_ = &head;
  read_forwarding(head);
  answer_ = Answer::none;
  end_ = {};
  without_body_ = head.method == "HEAD";
  keep_alive_ = head.keep_alive && !shutting_down_ && head.method != "CONNECT";  // behind it may come what is no request
  paused_ = drain_owed_ = again_ = revisited_ = false;
  lines_ = {};
  body_.begin(head, context_.limits.chunk);
  intake_ = body_.done() ? Intake::complete : Intake::waiting;
  body_received_ = 0;
  answer_time_ = context_.limits.answer_time;
  if (!body_.done() && !knows_expectations(head)) return refuse({417, "The one expectation that is known here is 100-continue."});
  if (behind == Behind::bytes) awaits_continue_ = false;
  dispatch();
}

/// Each request anew: a front sends those of many clients on one connection.
void H1::read_forwarding(const codec::RequestHead& head) {
  forwarding_.reset();
  const codec::TrustedFronts& fronts = context_.fronts;
  if (fronts.empty() || !fronts.contain(link_.peer().address)) return;
  forwarding_ = std::make_unique<codec::Forwarding>(codec::read_forwarding(head, link_.peer().address, fronts));
}

/// RFC 9110 section 10.1.1: what an HTTP/1.0 request expects does not count.
bool H1::knows_expectations(const codec::RequestHead& head) {
  awaits_continue_ = false;
  if (head.version != codec::HttpVersion::http11) return true;
  bool knows_all = true;
  for (const codec::Field& field : head.fields) {
    if (!base::equal_ignoring_case(field.name, "Expect")) continue;
    base::for_each_list_item(field.value, [&](std::string_view expectation) {
      awaits_continue_ = true;
      knows_all = knows_all && base::equal_ignoring_case(expectation, "100-continue");
    });
  }
  return knows_all;
}

/// The handler's turn, the first or another.
void H1::dispatch() {
  ++calls_;
  context_.handler.handle(*this);
  --calls_;
  if (tunnelled_) return responder_ ? keep_request() : void();
  if (answer_ == Answer::complete) return over();
  if (answer_ == Answer::from_source && !responder_) request_ = nullptr;
  else keep_request();
  if (intake_ != Intake::reading) await_answer();
  if (intake_ == Intake::complete) call_responder([](Responder& responder) { responder.body_end(); });
  if (!open_) return;
  set_deadline(body_due());
  update_input();
}

void H1::handle_again() {
  if (!open_ || answered()) return;
  again_ = true;
  link_.want_room();
  link_.touch();
}

/// The head's bytes belong to the carrier, which needs them for what comes next.
void H1::keep_request() {
  if (kept_) return;
  const codec::RequestParser& parser = context_.scratch;
  kept_ = std::make_unique<Received>();
  const char* const from = request_->method.data();
  const char* end = from + request_->method.size();
  const auto reach = [&end](std::string_view view) { end = std::max(end, view.data() + view.size()); };
  reach(request_->target);
  for (const codec::Field& field : request_->fields) {
    reach(field.name);
    reach(field.value);
  }
  kept_->bytes.assign(from, end);
  kept_->head = parser.head();
  const auto move = [from, to = kept_->bytes.data()](std::string_view& view) {
    if (view.data() != nullptr) view = {to + (view.data() - from), view.size()};
  };
  move(kept_->head.method);
  move(kept_->head.target);
  move(kept_->head.host);
  for (codec::Field& field : kept_->head.fields) {
    move(field.name);
    move(field.value);
  }
  request_ = &kept_->head;
}

void H1::refuse(const codec::HeadError& error) {
  open_ = true;
  without_body_ = request_ != nullptr && request_->method == "HEAD";
  request_ = nullptr;
  lines_ = {};
  answer_ = Answer::none;
  end_ = {};
  keep_alive_ = false;
  intake_ = Intake::complete;
  ++calls_;
  respond(text_response(error.status, error.reason));
  context_.handler.refused(link_.peer(), end_);
  --calls_;
  over();
}

// ---- Bodies ----

void H1::read_body() {
  const bool ends = answer_ == Answer::complete || answer_ == Answer::from_source;
  if (intake_ != Intake::waiting || ends || (awaits_continue_ && answered())) return;  // too late to say 100
  intake_ = Intake::reading;
  body_since_ = body_heard_ = link_.now();
  if (std::exchange(awaits_continue_, false) && link_.quiet()) {  // else some of it is here (RFC 9110 section 10.1.1)
    link_.out().append("HTTP/1.1 100 Continue\r\n\r\n");
    link_.touch();
  }
  answer_due_ = base::never;
  set_deadline(body_due());
  update_input();
}

void H1::pause_body() {
  paused_ = true;
  update_input();
  set_deadline(body_due());
}

void H1::resume_body() {
  if (!std::exchange(paused_, false)) return;
  body_since_ = body_heard_ = link_.now();
  body_received_ = 0;
  update_input();
  set_deadline(body_due());
}

std::span<char> H1::take_body(std::span<char> bytes) {
  std::string_view rest(bytes.data(), bytes.size());
  body_heard_ = link_.now();
  awaits_continue_ = false;
  for (bool more = true; more && takes_body() && !link_.ending() && link_.may_go_on();) {
    std::string_view piece;
    switch (body_.next(rest, piece)) {
      case RequestBody::State::piece: take_piece(piece); break;
      case RequestBody::State::done:
        body_came();
        more = false;
        break;
      case RequestBody::State::failed:
        body_failed(body_.error());
        more = false;
        break;
      case RequestBody::State::more: more = false;
    }
    if (body_.done() && more) {
      body_came();
      more = false;
    }
  }
  if (intake_ == Intake::reading || intake_ == Intake::dropping) set_deadline(body_due());
  if (!tunnelled_) link_.read_at_most(useful_read());
  return bytes.last(rest.size());
}

void H1::take_piece(std::string_view piece) {
  body_received_ += piece.size();
  link_.spend(event_work);
  if (intake_ == Intake::dropping) {
    if (body_received_ > context_.limits.dropped_body) link_.finish();
    return;
  }
  call_responder([piece](Responder& responder) { responder.body(piece); });
}

/// The last of the body is here.
void H1::body_came() {
  const bool dropped = intake_ == Intake::dropping;
  intake_ = Intake::complete;
  if (dropped) return finish_or_go_on();
  deadline_ = base::never;
  await_answer();
  call_responder([](Responder& responder) { responder.body_end(); });
  if (open_) update_input();
}

/// A fault of the body, or too slow: what comes behind it can not be told apart any more.
void H1::body_failed(const codec::HeadError& error) {
  keep_alive_ = false;
  intake_ = Intake::complete;
  if (!open_) return link_.finish();
  if (answer_ != Answer::none) {
    abort();
    return;
  }
  ++calls_;
  respond(text_response(error.status, error.reason));
  --calls_;
  over();
}

/// On a fresh stack; what the responder did to the exchange is seen to afterwards.
template <class Call>
void H1::call_responder(Call&& call) {
  if (!responder_ || tunnelled_ || link_.ending()) return;
  ++calls_;
  call(*responder_);
  --calls_;
  if (tunnelled_) return;
  if (open_ && answer_ == Answer::complete) over();
}

/// The end of an exchange, on a fresh stack.
void H1::over() {
  tell_over();
  request_ = nullptr;
  kept_.reset();
  if (tunnelled_ || link_.ending()) return;
  if (intake_ == Intake::complete) return finish_or_go_on();
  if (!keep_alive_ || body_.left() > context_.limits.dropped_body) return link_.finish();
  intake_ = Intake::dropping;
  paused_ = false;
  body_received_ = 0;
  body_since_ = body_heard_ = link_.now();
  set_deadline(body_due());
  update_input();
}

/// To those who have to do with it.
void H1::tell_over() {
  open_ = drain_owed_ = again_ = false;
  answer_due_ = tick_due_ = base::never;
  const std::unique_ptr<Responder> responder = std::move(responder_);
  const std::unique_ptr<ExchangeObserver> observer = std::move(observer_);
  source_.reset();
  ++calls_;
  if (responder) responder->ended(end_);
  if (observer) observer->ended(end_);
  --calls_;
}

void H1::finish_or_go_on() {
  if (!keep_alive_) return link_.finish();
  set_deadline(link_.now() + context_.limits.idle);
  if (link_.overfull()) return wait_for_room();
  update_input();
  link_.now_idle();
}

/// A peer that asks and asks and does not read the answers: the rest of its requests can wait.
void H1::wait_for_room() {
  waiting_ = true;
  update_input();
  link_.want_room();
}

/// Whether bytes of a body have somewhere to go. Who has answered in full is told no more of it.
bool H1::takes_body() const {
  if (tunnelled_) return false;
  return intake_ == Intake::dropping || (open_ && intake_ == Intake::reading && !paused_ && answer_ != Answer::complete);
}

/// Input is taken where somebody has a use for it.
void H1::update_input() {
  if (tunnelled_) return;  // it is another session's
  link_.read_at_most(useful_read());
  if (takes_body() || (!open_ && !waiting_)) link_.resume_input();
  else link_.hold_input();
}

/// How much is read at a time: what comes behind a body may have to be kept until its answer is complete.
std::size_t H1::useful_read() const {
  if (!takes_body()) return read_of_requests;
  if (body_.in_chunks()) return read_of_chunks;
  constexpr std::uint64_t all = std::numeric_limits<std::size_t>::max() / 2;
  return static_cast<std::size_t>(std::min(body_.left(), all)) + read_of_requests;
}

void H1::end_of_input() {
  if (!open_) return link_.finish();
  keep_alive_ = false;
  if (intake_ != Intake::complete) body_failed({400, "The request's body ended early."});
}

void H1::room() {
  if (source_) {
    ++calls_;
    continue_source();
    --calls_;
  }
  if (open_ && answer_ == Answer::complete) return over();
  if (source_) return;
  if (open_ && std::exchange(again_, false)) {
    responder_.reset();
    revisited_ = true;
    return dispatch();
  }
  if (std::exchange(drain_owed_, false)) return call_responder([](Responder& responder) { responder.drained(); });
  if (std::exchange(waiting_, false)) link_.now_idle();
  update_input();
}

void H1::shut_down() {
  shutting_down_ = true;
  keep_alive_ = false;
  if (!open_) link_.finish();
}

void H1::ended() {
  if (open_) tell_over();
}

// ---- Time ----

void H1::set_deadline(base::Time when) {
  deadline_ = when;
  arm();
}

void H1::arm() {
  if (!tunnelled_) link_.set_deadline(std::min({deadline_, answer_due_, tick_due_}));
}

base::Time H1::body_due() const {
  if (intake_ == Intake::complete || intake_ == Intake::waiting || paused_) return base::never;
  if (open_ && answer_ == Answer::complete) return base::never;  // it is not read before the client has taken the answer
  const HttpLimits& limits = context_.limits;
  constexpr std::uint64_t a_year = std::uint64_t{365} * 24 * 3'600'000;
  const std::uint64_t earned = std::min(body_received_, a_year) * 1000 / std::max<std::uint64_t>(limits.body_rate, 1);
  return std::min(body_heard_ + limits.body_idle, body_since_ + limits.body_grace + base::Time{static_cast<std::int64_t>(earned)});
}

void H1::deadline() {
  const base::Time now = link_.now();
  if (open_ && tick_due_ <= now) {
    tick_due_ = now + tick_period_;
    call_responder([](Responder& responder) { responder.tick(); });
  }
  if (open_ && answer_ == Answer::none && answer_due_ <= now) {
    ++calls_;
    respond(text_response(503, "The answer took too long."));
    --calls_;
    over();
  }
  if (link_.ending() || tunnelled_) return;
  if (deadline_ <= now) stage_late();
  else arm();
}

void H1::stage_late() {
  if (open_ || intake_ == Intake::dropping) body_failed({408, "The request's body took too long."});
  else if (incoming_) refuse({408, "The request's head took too long."});
  else if (!link_.out().empty()) set_deadline(link_.now() + context_.limits.idle);  // it is still reading the last answer
  else link_.finish();
}

void H1::answer_within(base::Time time) {
  answer_time_ = time;
  if (open_ && intake_ != Intake::reading) await_answer();
}

/// The request is all here, as far as anybody wants it.
void H1::await_answer() {
  answer_due_ = answer_time_ == base::never || answer_ != Answer::none ? base::never : link_.now() + answer_time_;
  arm();
}

void H1::tick_every(base::Time period) {
  tick_period_ = period;
  tick_due_ = period > base::Time{0} ? link_.now() + period : base::never;
  arm();
}

}  // namespace wharf::session
