#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "codec/http/chunked.h"
#include "codec/http/request_head.h"
#include "codec/http/response_head.h"
#include "http/exchange.h"
#include "http/h1_body.h"
#include "link/link.h"
#include "link/link_share.h"
#include "link/session.h"

namespace wharf::session {

/// The request that a client sends, without its body. The views stay valid until begin() returns.
struct OutgoingRequest {
  /// Whether other requests may follow on the connection.
  enum class Persistence : std::uint8_t { kept, once };

  std::string_view method;  ///< a token
  std::string_view target;  ///< as it is sent: percent-encoded, no white space
  /// In their order, Host first. A field that frames a message (codec::is_framing_field()) is left out, and so is one that could
  /// split the head.
  std::vector<codec::Field> fields;
  codec::BodyFraming body = codec::BodyFraming::none;
  std::uint64_t content_length = 0;  ///< bytes; only with BodyFraming::length
  std::string_view upgrade = {};     ///< the protocols to offer, as a list; empty: none
  Persistence persistence = Persistence::kept;
};

/// The head as HTTP/1.1 has it, the empty line included. `memory` is overwritten.
std::string request_head(const OutgoingRequest& request, std::string memory = {});

/// Why there is no response, or no more of it.
enum class ResponseFailure : std::uint8_t {
  late,       // it did not begin in time
  closed,     // the connection ended before a byte of it
  malformed,  // what came is no response
  cut         // it ended early, or fell silent
};

/// Hears of one response. It is called on the stack of the client's link, and may call the client's resume_response() and cancel()
/// from within. It hears nothing more after response_ends(), response_fails(), a response_switches() that returned taken, a
/// cancel(), and a piece or an interim response for which it returned closed.
class ResponseReceiver {
 public:
  enum class Upgrade : std::uint8_t { taken, not_asked_for };

  /// 1xx, except 101. hold: no more until resume_response(). closed: nobody wants the rest.
  virtual Flow response_interim(const codec::AnswerHead& head) = 0;
  /// `length` of the body if it is known, also with HEAD.
  virtual void response_begins(const codec::AnswerHead& head, std::optional<std::uint64_t> length) = 0;
  /// A part of the body. hold: no more until resume_response(). closed: nobody wants the rest.
  virtual Flow response_piece(std::string_view piece) = 0;
  virtual void response_ends() = 0;
  /// 101: if it was asked for, the link is another session's from here on.
  virtual Upgrade response_switches(const codec::AnswerHead& head) = 0;
  virtual void response_fails(ResponseFailure failure) = 0;
  /// Little of the request is queued again, after write_body() had returned hold.
  virtual void request_has_room() = 0;

 protected:
  ~ResponseReceiver() = default;
};

class H1Client;

/// Keeps clients and lends them out for requests. It is called on the stack of the client's link, or within the client's wait().
class H1ClientOwner {
 public:
  /// Once, when the client has become the link's session. Calls begin(), wait() or cancel() from within.
  virtual void connected(H1Client& client) = 0;
  /// The client has no request, and another may follow, but not from within this call. True: the owner keeps it, until a request
  /// begins, it is cancelled, or idle_ended() is called. False: it ends.
  [[nodiscard]] virtual bool idle(H1Client& client) = 0;
  /// A client that was kept is ending.
  virtual void idle_ended(const H1Client& client) noexcept = 0;
  /// What was wrong with a response, for the log. Its receiver is told next.
  virtual void response_failed(std::string_view reason) = 0;

 protected:
  ~H1ClientOwner() = default;
};

/// Limits of a response, in bytes, counts and milliseconds.
struct H1ClientLimits {
  codec::AnswerLimits head{64 * 1024, 200};
  codec::ChunkLimits chunk;
  std::size_t interim_responses = 16;  ///< 1xx before a response
  base::Time response_time{0};         ///< from the end of a request to the beginning of its response; the owner has to set it
  base::Time response_idle{300'000};   ///< without a byte of a response's body that is wanted
  base::Time connection_idle{30'000};  ///< of a connection that is kept for later requests
};

/// What the clients of one owner share. Outlives them.
struct H1ClientContext {
  H1ClientOwner& owner;
  const H1ClientLimits& limits;
  std::string head_memory = {};  ///< of the head that was sent last, for the next
};

/// HTTP/1.1 on a link, client's side (RFC 9112): one request after the other, each when the response to the one before is complete.
/// Between them the client belongs to its owner.
class H1Client final : public Session {
 public:
  enum class Stage : std::uint8_t {
    free,   // there is no request, and nobody keeps it: begin(), wait() or cancel() is next
    idle,   // there is no request, and its owner keeps it
    asked,  // no byte of the response has come
    head,   // a part of the response's head has come, or an interim response
    body,
    over  // the link is another session's, or ending
  };

  /// `share` counts the link.
  H1Client(Link& link, H1ClientContext& context, LinkShare share = {});
  ~H1Client() override;
  H1Client(const H1Client&) = delete;
  H1Client& operator=(const H1Client&) = delete;

  // ---- For its owner, and for those to whom the owner lends it. Only wait() calls back. ----

  /// Sends the head of a request; only when idle, or within connected(). The body follows with write_body(), and end_request()
  /// comes in any case. The receiver outlives the response, or cancels it.
  void begin(ResponseReceiver& receiver, const OutgoingRequest& request);
  /// A part of the request's body. hold: it was taken, and request_has_room() says when more may come. closed: nobody takes it.
  Flow write_body(std::string_view piece);
  void end_request();
  void resume_response();
  /// Nobody wants the response, or the client: the link is cut.
  void cancel();
  /// Asks the owner to keep it for a later request; otherwise it ends.
  void wait();
  /// Whether it was idle before this request, so that the server may have closed the connection meanwhile.
  [[nodiscard]] bool has_waited() const { return has_waited_; }
  /// Whether a request may go out: the server has neither ended the connection nor said anything since the last response, not even
  /// in this turn of the loop.
  [[nodiscard]] bool usable() const { return !link_.ending() && link_.quiet(); }
  [[nodiscard]] Stage stage() const { return stage_; }
  [[nodiscard]] Link& link() { return link_; }
  /// For the session that follows it on the link.
  LinkShare give_share() { return std::move(share_); }

  // ---- Session ----
  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  Drains drain() override;
  void shut_down() override;
  void ended() override;

 private:
  enum class Request : std::uint8_t { complete, begun };
  using Persistence = OutgoingRequest::Persistence;

  [[nodiscard]] bool awaits_head() const { return stage_ == Stage::asked || stage_ == Stage::head; }
  void take_head(std::string_view& rest);
  void take_response(const codec::AnswerHead& head);
  void take_interim(const codec::AnswerHead& head);
  void take_body(std::string_view& rest);
  void heed(Flow flow);
  void response_over();
  void fail(ResponseFailure failure, std::string_view reason);
  void leave_owner() noexcept;

  Link& link_;
  H1ClientContext& context_;
  LinkShare share_;
  ResponseReceiver* receiver_ = nullptr;
  std::string method_;
  std::string head_bytes_;  // of a head of which a part has arrived
  IncomingBody body_;
  base::Time keep_for_;        // until it is used again
  base::Time heard_{0};        // when a byte of a body last came, or was wanted again
  std::size_t interim_ = 0;    // responses before the response
  Stage stage_ = Stage::free;  // of the response
  Request request_ = Request::complete;
  Delimiting delimiting_ = Delimiting::length;  // of the request's body
  Persistence persistence_ = Persistence::kept;
  bool held_ = false;  // the receiver wants no more for now
  bool has_waited_ = false;
};

}  // namespace wharf::session
