#pragma once
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "codec/http/chunked.h"
#include "codec/http/request_head.h"
#include "http/exchange.h"
#include "http/h1_body.h"
#include "link/link.h"
#include "link/session.h"

namespace wharf::session {

struct HttpLimits {
  codec::HeadLimits head;
  codec::ChunkLimits chunk;
  base::Time head_time{10'000};    ///< from the first byte of a request, or from the connection's begin, to the end of its head
  base::Time idle{75'000};         ///< from an answer to the first byte of the next request
  base::Time body_idle{20'000};    ///< without a byte of a body that is being read
  base::Time body_grace{20'000};   ///< then a body must have come as fast as body_rate on the whole
  std::uint64_t body_rate = 500;   ///< bytes a second
  base::Time answer_time{30'000};  ///< from the end of a request to the begin of its answer
  std::uint64_t dropped_body = 64 * 1024;  ///< bytes of a body that nobody wants, read for the sake of the connection
};

/// What the HTTP/1 sessions of one loop share. Outlives them.
struct HttpContext {
  HttpContext(Handler& all, const HttpLimits& limits_of_all, base::Log& log_of_all)
      : handler(all), limits(limits_of_all), log(log_of_all), scratch(limits.head) {}

  /// The Date field line of now (RFC 9110 section 6.6.1).
  std::string_view date_line();

  Handler& handler;
  HttpLimits limits;
  base::Log& log;
  codec::RequestParser scratch;  // for heads that arrive in one piece
  std::string head_memory;       // for heads of answers
  codec::TrustedFronts fronts;

 private:
  std::time_t date_ = -1;
  std::string date_line_;
};

/// HTTP/1.1 and 1.0 on a link, server's side (RFC 9112): requests one after the other, each answered before the next is looked at.
class H1 final : public Session, private Exchange {
 public:
  H1(Link& link, HttpContext& context);
  ~H1() override;
  H1(const H1&) = delete;
  H1& operator=(const H1&) = delete;

  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  void shut_down() override;
  void ended() override;

 private:
  struct Received;  // a request whose bytes are kept

  /// What is done with the body of the present request.
  enum class Intake : std::uint8_t {
    complete,  // all of it has come, or there is none
    waiting,   // nobody has asked for it yet
    reading,   // by the responder
    dropping   // by nobody; the answer is complete
  };
  enum class Answer : std::uint8_t { none, in_pieces, from_source, complete };
  /// What came along with a head.
  enum class Behind : std::uint8_t { nothing, bytes };
  /// How the body of the answer is delimited.
  enum class Delimiting : std::uint8_t { length, chunks, close };

  // Exchange
  [[nodiscard]] const codec::RequestHead& request() const override { return *request_; }
  [[nodiscard]] base::Time now() const override { return link_.now(); }
  [[nodiscard]] const LinkPeer& peer() const override { return link_.peer(); }
  [[nodiscard]] std::size_t buffered() const override { return link_.out().size(); }
  [[nodiscard]] const codec::Forwarding* forwarding() const override { return forwarding_.get(); }
  void set_responder(std::unique_ptr<Responder> responder) override { responder_ = std::move(responder); }
  void observe(std::unique_ptr<ExchangeObserver> observer) override { observer_ = std::move(observer); }
  [[nodiscard]] ExchangeObserver* observer() const override { return observer_.get(); }
  void add_lines(std::string_view prepared) override { lines_ = prepared; }
  void handle_again() override;
  [[nodiscard]] bool revisited() const override { return revisited_; }
  void read_body() override;
  [[nodiscard]] bool body_complete() const override { return intake_ == Intake::complete || body_.done(); }
  [[nodiscard]] bool awaits_continue() const override { return awaits_continue_; }
  void pause_body() override;
  void resume_body() override;
  Flow inform(int status, const Fields& fields) override;
  void respond(Response response) override;
  Flow begin(Response response, std::optional<std::uint64_t> length) override;
  Flow write(std::string_view piece) override;
  void end() override;
  void abort() override;
  [[nodiscard]] bool answered() const override { return answer_ != Answer::none; }
  void answer_within(base::Time time) override;
  void tick_every(base::Time period) override;
  void switch_to(std::string_view protocol, const Fields& fields, const NextSession& next) override;

  // Requests
  std::size_t take_head(std::span<char> bytes);
  std::size_t take_more_head(std::span<char> bytes);
  void handle(const codec::RequestHead& head, Behind behind);
  void read_forwarding(const codec::RequestHead& head);
  bool knows_expectations(const codec::RequestHead& head);
  void dispatch();
  void keep_request();
  void refuse(const codec::HeadError& error);
  [[nodiscard]] bool takes_body() const;
  std::span<char> take_body(std::span<char> bytes);
  void take_piece(std::string_view piece);
  void body_came();
  void body_failed(const codec::HeadError& error);
  template <class Call>
  void call_responder(Call&& call);
  void over();
  void tell_over();
  void finish_or_go_on();
  void wait_for_room();
  void update_input();
  [[nodiscard]] std::size_t useful_read() const;

  // Time
  void set_deadline(base::Time when);
  void arm();
  [[nodiscard]] base::Time body_due() const;
  void stage_late();
  void await_answer();

  // Answers
  void write_head(const Response& response, std::optional<std::uint64_t> length, Delimiting delimiting);
  void forgo_body();
  [[nodiscard]] bool has_body(int status) const;
  void continue_source();
  bool send_file_part();
  void answer_complete();
  void fault(std::string_view what);

  Link& link_;
  HttpContext& context_;
  std::unique_ptr<Received> incoming_;  // a head of which a part has arrived
  std::unique_ptr<Received> kept_;      // the present request, where its own bytes are gone
  const codec::RequestHead* request_ = nullptr;
  std::unique_ptr<codec::Forwarding> forwarding_;  // of the present request
  std::string_view lines_;                         // for the head of the answer
  std::unique_ptr<Responder> responder_;
  std::unique_ptr<ExchangeObserver> observer_;
  RequestBody body_;
  std::unique_ptr<BodySource> source_;
  std::uint64_t answer_left_ = 0;  // of a length that was promised
  ExchangeEnd end_;
  std::uint64_t body_received_ = 0;
  base::Time body_since_{0};
  base::Time body_heard_{0};
  base::Time deadline_ = base::never;  // of the stage: head, body, idle
  base::Time answer_due_ = base::never;
  base::Time answer_time_{0};
  base::Time tick_due_ = base::never;
  base::Time tick_period_{0};
  int calls_ = 0;  // into the handler or the responder, on the stack
  Intake intake_ = Intake::complete;
  Answer answer_ = Answer::none;
  Delimiting delimiting_ = Delimiting::length;
  bool open_ = false;     // an exchange is going on
  bool waiting_ = false;  // for room, with requests that have arrived already
  bool paused_ = false;   // the responder wants no more of the body for now
  bool tunnelled_ = false;
  bool keep_alive_ = true;
  bool without_body_ = false;     // the answer to HEAD
  bool awaits_continue_ = false;  // the client sends no body before it is told to
  bool revisited_ = false;        // the handler has seen it before
  bool again_ = false;            // handle_again() was called
  bool drain_owed_ = false;       // write() returned hold
  bool shutting_down_ = false;
};

}  // namespace wharf::session
