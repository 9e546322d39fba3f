#pragma once
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/flags.h"
#include "base/log.h"
#include "codec/http/chunked.h"
#include "codec/http/request_head.h"
#include "http/exchange.h"
#include "link/link.h"
#include "wharf/limits.hpp"

namespace wharf::session {

struct HttpLimits : ExchangeLimits {
  codec::HeadLimits head;
  codec::ChunkLimits chunk;
  /// From the first byte of a request, or from the connection's begin, to the end of its head.
  base::Time head_time = Limits{}.request_head_time;
  std::uint64_t dropped_body = Limits{}.dropped_body;  ///< bytes of a body that nobody wants, read so that the connection can go on
};

/// Whether a connection may have more than one exchange.
enum class Reuse : std::uint8_t { allowed, never };

/// What the HTTP sessions of one loop share. Outlives them.
struct HttpContext {
  HttpContext(Handler& all, const HttpLimits& limits_of_all, base::Log& log_of_all)
      : handler(all), limits(limits_of_all), log(log_of_all), scratch(limits.head) {}

  /// The present Date field line (RFC 9110 section 6.6.1).
  std::string_view date_line();

  Handler& handler;
  HttpLimits limits;
  base::Log& log;
  codec::RequestParser scratch;  // for heads that arrive in one piece
  std::string head_memory;       // for heads of responses
  codec::TrustedFronts fronts;
  Reuse reuse = Reuse::allowed;

 private:
  std::time_t date_ = -1;
  std::string date_line_;
};

/// One exchange after the other, whatever frames them: who responds and who observes, the request's body and the response, and the
/// time that each may take. A version of HTTP derives from it, hands over what it has parsed, and writes what the core tells it to:
/// a head, a piece, the end. What an exchange means for the connection is a reason here, and an act there.
///
/// `link` carries the exchange: the whole connection, or one stream of it.
class ExchangeCore : public Exchange {
 public:
  ExchangeCore(const ExchangeCore&) = delete;
  ExchangeCore& operator=(const ExchangeCore&) = delete;

  [[nodiscard]] const codec::RequestHead& request() const final { return *request_; }
  [[nodiscard]] base::Time now() const final { return link_.now(); }
  [[nodiscard]] const LinkPeer& peer() const final { return link_.peer(); }
  [[nodiscard]] std::size_t buffered() const final { return link_.out().size(); }
  [[nodiscard]] const codec::Forwarding* forwarding() const final { return forwarding_.get(); }
  void set_responder(std::unique_ptr<Responder> responder) final { responder_ = std::move(responder); }
  void observe(std::unique_ptr<ExchangeObserver> observer) final { observers_.push_back(std::move(observer)); }
  [[nodiscard]] ExchangeObserver* observer(const void* owner) const final;
  void keep(Users& users) final { use_.take(users); }
  void limit(const ExchangeLimits& limits) final;
  void add_fields(codec::PreparedFields::Part prepared) final { fields_ = prepared; }
  void suspend(std::unique_ptr<Visit> visit) final { visit_ = std::move(visit); }
  [[nodiscard]] Visit* visit() const final { return visit_.get(); }
  void resume() final;
  void read_body() final;
  [[nodiscard]] bool body_complete() const final { return intake_ == Intake::complete || body_left().nothing(); }
  [[nodiscard]] bool awaits_continue() const final { return intake_ == Intake::expected; }
  void pause_body() final;
  void resume_body() final;
  Flow inform(int status, const Fields& fields) final;
  void respond(Response&& response) final;
  Flow begin(Response response, std::optional<std::uint64_t> length) final;
  Flow write(std::string_view piece) final;
  void end() final;
  void abort() final;
  [[nodiscard]] bool answered() const final { return answer_ != Answer::none; }
  void answer_within(base::Time time) final;
  void tick_every(base::Time period) final;
  void switch_to(std::string_view protocol, const Fields& fields, const SessionMaker& next) final;

 protected:
  enum class Stage : std::uint8_t {
    idle,      // no exchange
    open,      // from the request's head to the end of the response
    dropping,  // after that: the rest of the request's body, which nobody wants
    switched   // the link is another session's
  };
  /// How much of a response's body follows its head.
  enum class Content : std::uint8_t {
    none,   // the status has no body, and no length either
    sized,  // as many bytes as the head says
    open    // until send_end()
  };
  /// Whether bytes came along with a head.
  enum class Behind : std::uint8_t { nothing, bytes };
  /// Why the carrier of the exchange cannot go on as usual.
  enum class Reason : std::uint8_t {
    response_broken,  // the rest of the response will not come, and the client must notice
    request_broken,   // the end of the request is not known, so nothing behind it can be read
    body_unwanted     // more of the request's body is still to come than is worth reading
  };
  /// Of the request's body.
  struct BodyLeft {
    std::uint64_t bytes = 0;  // at least
    bool in_chunks = false;
    [[nodiscard]] bool nothing() const { return bytes == 0 && !in_chunks; }
  };

  ExchangeCore(Link& link, HttpContext& context)
      : link_(link), context_(context), limits_(&context.limits), idle_time_(context.limits.idle) {}
  ~ExchangeCore() = default;

  // ---- What the framing calls, on a fresh stack each time. ----

  /// A request has come. Its head is lent during the call, or until over() if `kept` has it.
  void request_came(const codec::RequestHead& head, Behind behind, std::unique_ptr<codec::KeptHead> kept = nullptr);
  /// The bytes that came are no request.
  void refuse(const codec::HeadError& error);
  [[nodiscard]] bool takes_body() const;
  /// Before bytes of the body, and behind them.
  void body_heard();
  void await_body();
  void piece_came(std::string_view piece);
  void body_came();
  void body_failed(const codec::HeadError& error);
  /// The link's room(), turn() and deadline().
  void exchange_room();
  void exchange_turn();
  void exchange_deadline();
  /// The link is ending. Also for the destructor: another session has taken over, or the link is destroyed without having ended.
  void exchange_ended() noexcept;

  // ---- What the framing does. ----

  virtual void send_head(const Response& response, Content content, std::optional<std::uint64_t> length) = 0;
  virtual void send_piece(std::string_view piece) = 0;
  /// The end of a response whose head has no length.
  virtual void send_end() = 0;
  /// A response from 100 to 199 before the other one.
  virtual void send_interim(int status, const Fields& fields) = 0;
  /// The response to a request that leaves HTTP; returns its status.
  virtual int send_switch(std::string_view protocol, const Fields& fields) = 0;
  /// No other exchange follows this one, if the framing can help it; the head of the response may still be to come.
  virtual void make_last(Reason reason) = 0;
  [[nodiscard]] virtual bool is_last() const = 0;
  /// Cuts the exchange off, now.
  virtual void reset(Reason reason) = 0;
  /// The exchange is over. Its request's body is read, or the exchange was made the last.
  virtual void next() = 0;
  [[nodiscard]] virtual BodyLeft body_left() const = 0;
  /// takes_body() may have changed.
  virtual void intake_changed() = 0;
  /// The deadline that was set while there was no exchange.
  virtual void idle_late() = 0;

  [[nodiscard]] Stage stage() const { return stage_; }
  [[nodiscard]] Link& link() { return link_; }
  [[nodiscard]] const Link& link() const { return link_; }
  [[nodiscard]] HttpContext& context() { return context_; }
  [[nodiscard]] const HttpContext& context() const { return context_; }
  /// nullptr as soon as the request is no longer needed.
  [[nodiscard]] const codec::RequestHead* head() const { return request_; }
  /// The fields that every response to the present request has.
  [[nodiscard]] codec::PreparedFields::Part fields() const { return fields_; }
  [[nodiscard]] bool has_body(int status) const;
  /// Of the stage: replaces what was set before.
  void set_deadline(base::Time when);
  [[nodiscard]] base::Time stage_deadline() const { return deadline_; }
  /// How long the next request may take to begin, after the present exchange or the last one.
  [[nodiscard]] base::Time idle_time() const { return idle_time_; }

 private:
  enum class Intake : std::uint8_t {
    complete,  // all of the body has come, or the request has no body
    unasked,   // nobody has asked for it yet
    expected,  // the same, and the client sends none of it before
    reading    // by the responder
  };
  enum class Answer : std::uint8_t {
    none,
    in_pieces,
    without_body,  // in pieces that are not sent
    from_source,
    complete
  };
  enum class Pending : std::uint8_t {
    pause,  // the responder wants no more of the body for now
    drain,  // the responder waits for drained(), as it was told to hold
    resume  // the visit has to go on
  };

  void read_forwarding();
  bool knows_expectations(Behind behind);
  template <class Call>
  void dispatch(Call&& call);
  void keep_request();
  template <class Call>
  void call_responder(Call&& call);
  void over();
  void tell_over() noexcept;
  [[nodiscard]] bool open() const { return stage_ == Stage::open; }

  void arm();
  [[nodiscard]] base::Time body_due() const;
  void await_answer();

  void sent_head(const Response& response, Content content, std::optional<std::uint64_t> length);
  void forgo_body();
  void continue_source();
  bool send_file_part();
  Flow flow_of_link();
  void answer_complete();
  void fault(std::string_view what);

  Link& link_;
  HttpContext& context_;
  Use use_;                       // of the present exchange
  const ExchangeLimits* limits_;  // the same; of all, if there is none
  const codec::RequestHead* request_ = nullptr;
  std::unique_ptr<codec::KeptHead> kept_;          // if the request's own bytes are gone
  std::unique_ptr<codec::Forwarding> forwarding_;  // of the present request
  codec::PreparedFields::Part fields_;             // for the head of the response
  std::unique_ptr<Visit> visit_;
  std::unique_ptr<Responder> responder_;
  std::vector<std::unique_ptr<ExchangeObserver>> observers_;
  std::unique_ptr<BodySource> source_;
  std::uint64_t answer_left_ = 0;  // of a promised length
  ExchangeEnd end_;
  std::uint64_t body_size_ = 0;      // that has come
  std::uint64_t body_received_ = 0;  // the same since body_since_
  base::Time body_since_{0};
  base::Time body_heard_{0};
  base::Time deadline_ = base::never;  // of the stage
  base::Time answer_due_ = base::never;
  base::Time answer_time_{0};
  base::Time idle_time_;
  base::Time tick_due_ = base::never;
  base::Time tick_period_{0};
  int calls_ = 0;  // into the handler or the responder, on the stack
  Stage stage_ = Stage::idle;
  Intake intake_ = Intake::complete;
  Answer answer_ = Answer::none;
  Content content_ = Content::none;
  base::Flags<Pending> pending_;
};

}  // namespace wharf::session
