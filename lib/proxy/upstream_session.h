#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "codec/http/chunked.h"
#include "codec/http/response_head.h"
#include "http/exchange.h"
#include "link/link.h"
#include "link/link_share.h"
#include "link/session.h"

namespace wharf::server {

class UpstreamPool;

/// What a server that is asked in a client's place may take, in bytes, counts and milliseconds.
struct UpstreamLimits {
  codec::AnswerLimits head{64 * 1024, 200};
  codec::ChunkLimits chunk;
  std::size_t interim_answers = 16;    ///< 1xx before an answer
  base::Time answer_time{60'000};      ///< from the end of a request to the begin of its answer
  base::Time answer_idle{300'000};     ///< without a byte of an answer's body that is wanted
  base::Time connection_idle{30'000};  ///< of a connection that is kept for later requests
};

enum class UpstreamFailure : std::uint8_t {
  unreachable,  // no connection
  crowded,      // too many have connections, or wait for one
  late,         // no connection, or no answer, in time
  closed,       // the connection ended before a byte of an answer
  malformed,    // what came is no answer
  cut           // the answer ended early
};

/// What hears of one answer. Called on the stack of the upstream link; may call the exchange, and not the session. The session
/// knows it no longer after answer_ends(), answer_fails(), an answer_switches() that returns taken, and a piece that made it
/// return closed.
class AnswerReceiver {
 public:
  enum class Upgrade : std::uint8_t { taken, not_asked_for };

  /// 1xx, but not 101. hold: no more until resume_answer(). closed: nobody wants the rest.
  virtual session::Flow answer_interim(const codec::AnswerHead& head) = 0;
  /// `length` of the body where it is known, also with HEAD.
  virtual void answer_begins(const codec::AnswerHead& head, std::optional<std::uint64_t> length) = 0;
  /// A part of the body. hold: no more until resume_answer(). closed: nobody wants the rest.
  virtual session::Flow answer_piece(std::string_view piece) = 0;
  virtual void answer_ends() = 0;
  /// 101: where it was asked for, the link is another session's from here on.
  virtual Upgrade answer_switches(const codec::AnswerHead& head) = 0;
  virtual void answer_fails(UpstreamFailure failure) = 0;
  /// What had made write_body() return hold has left.
  virtual void upstream_has_room() = 0;

 protected:
  ~AnswerReceiver() = default;
};

/// HTTP/1.1 on a link, client's side (RFC 9112): one request after the other, each when the answer to the one before is
/// complete. Between them the session waits in the pool.
class UpstreamSession final : public session::Session {
 public:
  /// Pool and limits outlive it. The pool has counted it, and gets that back when it goes.
  UpstreamSession(session::Link& link, UpstreamPool& pool, const UpstreamLimits& limits);
  ~UpstreamSession() override;
  UpstreamSession(const UpstreamSession&) = delete;
  UpstreamSession& operator=(const UpstreamSession&) = delete;

  // ---- For whoever took it from the pool. None of it calls the receiver back. ----

  /// Writes the head of a request. `body` tells how its body is passed on; end_request() comes in any case.
  void begin(AnswerReceiver& receiver, std::string_view head, std::string_view method, codec::BodyFraming body);
  /// A part of the request's body. hold: it was taken, and upstream_has_room() says when more may come.
  session::Flow write_body(std::string_view piece);
  void end_request();
  void resume_answer();
  /// Nobody wants the answer any more.
  void cancel();
  /// For the pool: nobody has a request. The session is kept for later ones, or ends.
  void wait();
  /// In the pool, before this request: upstream may have closed the connection, since it had nothing to do.
  [[nodiscard]] bool has_waited() const { return has_waited_; }
  /// Whether a request may go out: upstream has neither ended the connection nor said anything since the last answer, not even
  /// in this turn of the loop.
  [[nodiscard]] bool usable() const { return !link_.ending() && link_.quiet(); }
  [[nodiscard]] session::Link& link() { return link_; }
  /// For what follows it on the link.
  session::LinkShare give_share() { return std::move(share_); }

  // ---- Session ----
  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  void shut_down() override;
  void ended() override;

 private:
  enum class Stage : std::uint8_t { idle, head, body, over };

  void take_head(std::string_view& rest);
  void take_answer(const codec::AnswerHead& head);
  void take_interim(const codec::AnswerHead& head);
  void take_body(std::string_view& rest);
  void take_chunks(std::string_view& rest);
  void hand_over(std::string_view piece);
  void heed(session::Flow flow);
  void answer_over();
  void fail(UpstreamFailure failure, std::string_view reason);
  void leave_pool();

  session::Link& link_;
  UpstreamPool& pool_;
  session::LinkShare share_;
  const UpstreamLimits& limits_;
  AnswerReceiver* receiver_ = nullptr;
  std::string method_;
  std::string head_bytes_;  // of a head of which a part has arrived
  codec::AnswerFraming framing_;
  std::optional<codec::ChunkedDecoder> chunks_;
  std::uint64_t left_ = 0;     // of a body with a length
  base::Time heard_{0};        // when a byte of a body last came, or was wanted again
  std::size_t interim_ = 0;    // answers before the answer
  Stage stage_ = Stage::idle;  // of the answer
  bool chunked_request_ = false;
  bool request_complete_ = false;
  bool begun_ = false;  // a byte of the answer has come
  bool keeps_ = false;  // the answer lets the connection go on
  bool held_ = false;
  bool has_waited_ = false;
  bool shutting_down_ = false;
};

}  // namespace wharf::server
