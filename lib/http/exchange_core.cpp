// The life of an exchange, its request's body, and its time. Its response is in exchange_response.cpp.
#include "http/exchange_core.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/sheltered.h"
#include "codec/http/date.h"

namespace wharf::session {

std::string_view HttpContext::date_line() {
  if (const std::time_t now = std::time(nullptr); now != date_) {
    date_ = now;
    date_line_.assign("Date: ").append(codec::HttpDate(now).text()).append("\r\n");
  }
  return date_line_;
}

// ---- Life ----

void ExchangeCore::request_came(const codec::RequestHead& head, Behind behind, std::unique_ptr<codec::KeptHead> kept) {
  stage_ = Stage::open;
  kept_ = std::move(kept);
  request_ = &head;
  read_forwarding();
  answer_ = Answer::none;
  end_ = {};
  pending_.clear();
  fields_ = {};
  body_size_ = body_received_ = 0;
  limits_ = &context_.limits;
  answer_time_ = limits_->answer_time;
  idle_time_ = limits_->idle;
  intake_ = body_left().nothing() ? Intake::complete : Intake::unasked;
  if (intake_ != Intake::complete && !knows_expectations(behind))
    return refuse({417, "The one expectation that is known here is 100-continue."});
  dispatch([this] { context_.handler.handle(*this); });
}

void ExchangeCore::limit(const ExchangeLimits& limits) {
  limits_ = &limits;
  answer_time_ = limits.answer_time;
  idle_time_ = limits.idle;
}

ExchangeObserver* ExchangeCore::observer(const void* owner) const {
  const auto found = std::ranges::find(observers_, owner, [](const auto& observer) { return observer->owner(); });
  return found == observers_.end() ? nullptr : found->get();
}

/// Each request anew: a front sends those of many clients on one connection.
void ExchangeCore::read_forwarding() {
  forwarding_.reset();
  const codec::TrustedFronts& fronts = context_.fronts;
  const base::PeerAddress& peer = link_.peer().address;
  if (fronts.empty() || !fronts.contain(peer)) return;
  forwarding_ = std::make_unique<codec::Forwarding>(codec::read_forwarding(*request_, peer, fronts));
}

/// RFC 9110 section 10.1.1: a client whose body came along does not wait.
bool ExchangeCore::knows_expectations(Behind behind) {
  if (!request_->takes_interim()) return true;
  bool knows_all = true;
  for (const codec::Field& field : request_->fields) {
    if (!base::equal_ignoring_case(field.name, "Expect")) continue;
    base::for_each_list_item(field.value, [&](std::string_view expectation) {
      if (behind == Behind::nothing) intake_ = Intake::expected;
      knows_all = knows_all && base::equal_ignoring_case(expectation, "100-continue");
    });
  }
  return knows_all;
}

/// Calls the handler, or the visit that it left.
template <class Call>
void ExchangeCore::dispatch(Call&& call) {
  ++calls_;
  call();
  --calls_;
  if (stage_ == Stage::switched) return responder_ ? keep_request() : void();
  if (answer_ == Answer::complete) return over();
  if (answer_ == Answer::from_source && !responder_) request_ = nullptr;
  else keep_request();
  if (intake_ != Intake::reading) await_answer();
  if (intake_ == Intake::complete) call_responder([](Responder& responder) { responder.body_end(); });
  if (!open()) return;
  set_deadline(body_due());
  intake_changed();
}

void ExchangeCore::resume() {
  if (!open() || answered() || !visit_) return;
  pending_.add(Pending::resume);
  link_.want_turn();
}

/// The head's bytes belong to the carrier, which needs the memory for the next bytes.
void ExchangeCore::keep_request() {
  if (kept_) return;
  kept_ = std::make_unique<codec::KeptHead>(*request_);
  request_ = &kept_->head();
}

void ExchangeCore::refuse(const codec::HeadError& error) {
  stage_ = Stage::open;
  fields_ = {};
  answer_ = Answer::none;
  intake_ = Intake::complete;
  make_last(Reason::request_broken);
  ++calls_;
  respond(text_response(error.status, error.reason));
  context_.handler.refused(link_.peer(), end_);
  --calls_;
  over();
}

/// On a fresh stack; afterwards the exchange ends if the responder completed it.
template <class Call>
void ExchangeCore::call_responder(Call&& call) {
  if (!responder_ || stage_ == Stage::switched || link_.ending()) return;
  ++calls_;
  call(*responder_);
  --calls_;
  if (open() && answer_ == Answer::complete) over();
}

/// The end of an exchange, on a fresh stack.
void ExchangeCore::over() {
  const bool switched = stage_ == Stage::switched;
  stage_ = switched ? Stage::switched : Stage::idle;
  tell_over();
  request_ = nullptr;
  kept_.reset();
  if (switched || link_.ending()) return;
  if (intake_ == Intake::complete) return next();
  if (is_last() || body_left().bytes > context_.limits.dropped_body) {
    make_last(Reason::body_unwanted);
    return next();
  }
  stage_ = Stage::dropping;
  body_received_ = 0;
  body_since_ = body_heard_ = link_.now();
  set_deadline(body_due());
  intake_changed();
}

/// Tells the responder and the observers; an exception of one, as for a lack of memory, keeps nobody else from hearing.
void ExchangeCore::tell_over() noexcept {
  const Use use = std::move(use_);  // until all that follows has gone
  if (open()) stage_ = Stage::idle;
  tick_due_ = base::never;
  const std::unique_ptr<Responder> responder = std::move(responder_);
  std::vector<std::unique_ptr<ExchangeObserver>> observers = std::exchange(observers_, {});
  visit_.reset();
  ++calls_;
  const auto tell = [this](auto& hearer) {
    base::sheltered(context_.log, "telling the end of an exchange", [this, &hearer] { hearer.ended(end_); });
  };
  if (responder) tell(*responder);
  for (const auto& observer : observers) tell(*observer);
  --calls_;
  observers.clear();
  observers_ = std::move(observers);  // for its memory
  limits_ = &context_.limits;
}

void ExchangeCore::exchange_ended() noexcept {
  if (open() || stage_ == Stage::switched) tell_over();
}

void ExchangeCore::exchange_room() {
  if (source_) {
    ++calls_;
    continue_source();
    --calls_;
  }
  if (open() && answer_ == Answer::complete) return over();
  if (source_) return;
  if (pending_.take(Pending::drain)) call_responder([](Responder& responder) { responder.drained(); });
}

void ExchangeCore::exchange_turn() {
  if (!open() || !pending_.take(Pending::resume) || answered()) return;
  responder_.reset();
  const std::unique_ptr<Visit> visit = std::move(visit_);
  dispatch([this, &visit] { visit->go_on(*this); });
}

// ---- The request's body ----

void ExchangeCore::read_body() {
  const bool ends = answer_ == Answer::complete || answer_ == Answer::from_source;
  const bool expected = intake_ == Intake::expected;
  if ((intake_ != Intake::unasked && !expected) || ends || (expected && answered())) return;  // too late to say 100
  intake_ = Intake::reading;
  body_since_ = body_heard_ = link_.now();
  if (expected && link_.quiet()) send_interim(100, {});  // otherwise some of it is here (RFC 9110 section 10.1.1)
  answer_due_ = base::never;
  set_deadline(body_due());
  intake_changed();
}

void ExchangeCore::pause_body() {
  pending_.add(Pending::pause);
  intake_changed();
  set_deadline(body_due());
}

void ExchangeCore::resume_body() {
  if (!pending_.take(Pending::pause)) return;
  body_since_ = body_heard_ = link_.now();
  body_received_ = 0;
  intake_changed();
  set_deadline(body_due());
}

/// Whether bytes of a body have somewhere to go. A responder whose response is complete gets no more of it.
bool ExchangeCore::takes_body() const {
  if (stage_ == Stage::dropping) return intake_ != Intake::complete;
  return open() && intake_ == Intake::reading && !pending_.has(Pending::pause) && answer_ != Answer::complete;
}

void ExchangeCore::body_heard() { body_heard_ = link_.now(); }

void ExchangeCore::await_body() {
  if (stage_ == Stage::dropping || (open() && intake_ == Intake::reading)) set_deadline(body_due());
}

void ExchangeCore::piece_came(std::string_view piece) {
  body_received_ += piece.size();
  body_size_ += piece.size();
  link_.spend(event_work);
  if (open() && body_size_ > limits_->body) return body_failed({413, body_too_large});
  if (stage_ != Stage::dropping) return call_responder([piece](Responder& responder) { responder.body(piece); });
  if (body_received_ <= context_.limits.dropped_body) return;
  stage_ = Stage::idle;
  make_last(Reason::body_unwanted);
  next();
}

/// The last of the body is here.
void ExchangeCore::body_came() {
  intake_ = Intake::complete;
  if (stage_ == Stage::dropping) {
    stage_ = Stage::idle;
    return next();
  }
  deadline_ = base::never;
  await_answer();
  call_responder([](Responder& responder) { responder.body_end(); });
  if (open()) intake_changed();
}

/// The body is faulty, or too slow.
void ExchangeCore::body_failed(const codec::HeadError& error) {
  make_last(Reason::request_broken);
  intake_ = Intake::complete;
  if (!open()) {
    stage_ = Stage::idle;
    return next();
  }
  if (answer_ != Answer::none) return abort();
  ++calls_;
  respond(text_response(error.status, error.reason));
  --calls_;
  over();
}

// ---- Time ----

void ExchangeCore::set_deadline(base::Time when) {
  deadline_ = when;
  arm();
}

void ExchangeCore::arm() {
  if (stage_ != Stage::switched) link_.set_deadline(std::min({deadline_, answer_due_, tick_due_}));
}

/// Not while the client has yet to take the response.
base::Time ExchangeCore::body_due() const {
  if (!takes_body()) return base::never;
  constexpr std::uint64_t a_year = std::uint64_t{365} * 24 * 3'600'000;
  const std::uint64_t earned = std::min(body_received_, a_year) * 1000 / std::max<std::uint64_t>(limits_->body_rate, 1);
  return std::min(body_heard_ + limits_->body_idle,
                  body_since_ + limits_->body_grace + base::Time{static_cast<std::int64_t>(earned)});
}

void ExchangeCore::exchange_deadline() {
  const base::Time now = link_.now();
  if (open() && tick_due_ <= now) {
    tick_due_ = now + tick_period_;
    call_responder([](Responder& responder) { responder.tick(); });
  }
  if (open() && answer_ == Answer::none && answer_due_ <= now) {
    ++calls_;
    respond(text_response(503, "The answer took too long."));
    --calls_;
    over();
  }
  if (link_.ending() || stage_ == Stage::switched) return;
  if (deadline_ > now) return arm();
  if (stage_ == Stage::idle) return idle_late();
  body_failed({408, "The request's body took too long."});
}

void ExchangeCore::answer_within(base::Time time) {
  answer_time_ = time;
  if (open() && intake_ != Intake::reading) await_answer();
}

/// All of the request that anybody wants is here.
void ExchangeCore::await_answer() {
  answer_due_ = answer_time_ == base::never || answer_ != Answer::none ? base::never : link_.now() + answer_time_;
  arm();
}

void ExchangeCore::tick_every(base::Time period) {
  tick_period_ = period;
  tick_due_ = period > base::Time{0} ? link_.now() + period : base::never;
  arm();
}

}  // namespace wharf::session
