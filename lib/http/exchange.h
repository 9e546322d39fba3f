#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/out_queue.h"
#include "base/peer_address.h"
#include "codec/http/forwarded.h"
#include "codec/http/prepared_fields.h"
#include "codec/http/request_head.h"
#include "link/link.h"
#include "link/peer.h"
#include "link/session.h"
#include "link/users.h"
#include "wharf/limits.hpp"

namespace wharf::session {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::string_view body_too_large = "The request's body is larger than this server takes here.";  ///< with 413

/// What one exchange may take, and how long the connection is kept after it.
struct ExchangeLimits {
  static constexpr std::uint64_t any_size = ~std::uint64_t{0};

  std::uint64_t body = any_size;                  ///< bytes
  base::Time body_idle = Limits{}.body_idle;      ///< without a byte of a body that is being read
  base::Time body_grace = Limits{}.body_grace;    ///< after this, a body must have come at body_rate on average
  std::uint64_t body_rate = Limits{}.body_rate;   ///< bytes a second
  base::Time answer_time = Limits{}.answer_time;  ///< from the end of a request to the beginning of its response
  base::Time idle = Limits{}.keep_alive_idle;     ///< from a response to the first byte of the next request
};

/// A place in an open file.
struct FilePart {
  int file;
  std::uint64_t offset;
};

/// A response body that is pulled as the peer takes it.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// All of it, in bytes.
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Appends the next part, at most `most` bytes. 0 before size() bytes were given means that the rest cannot be read.
  virtual std::size_t read(base::OutQueue& out, std::size_t most) = 0;

  /// The place of the next bytes in a file, and how many of them are there in one piece, for carriers that can send it without
  /// copying.
  [[nodiscard]] virtual std::optional<FilePart> file_part(std::uint64_t& /*size*/) { return std::nullopt; }
  /// That many bytes of file_part() have been sent.
  virtual void skip(std::uint64_t /*size*/) {}
};

/// A whole response. The body is `source` if that is set, else `content`, else `body`.
struct Response {
  int status = 200;
  Fields fields;  ///< without Date, Content-Length and Connection
  std::string body;
  std::unique_ptr<BodySource> source;
  codec::PreparedFields::Part prepared;  ///< more fields; lent during respond()
  std::string_view content;              ///< lent during respond()
};

/// A short text/plain response, one line.
Response text_response(int status, std::string_view line);

/// How an exchange ended, for its log line.
struct ExchangeEnd {
  int status = 0;                ///< 0: there was no response
  std::uint64_t body_bytes = 0;  ///< handed to the link, without framing
  bool complete = false;         ///< the response was handed over whole
};

/// Hears of the end of an exchange.
class ExchangeObserver {
 public:
  virtual ~ExchangeObserver() = default;
  /// Once, last, on a fresh stack or within respond().
  virtual void ended(const ExchangeEnd& end) = 0;
  /// Before that, if the exchange leaves HTTP: its carrier, which goes on.
  virtual void switched(Link& /*carrier*/) noexcept {}
  /// Who attached it, to find it again among others. The pointer is compared, never followed.
  [[nodiscard]] virtual const void* owner() const = 0;
};

/// Responds to one exchange after handle() has returned, or while its body comes in. Called by the exchange on a fresh stack each
/// time, never from within a call to the exchange; destroyed after ended().
class Responder {
 public:
  virtual ~Responder() = default;
  /// A part of the request's body, not empty, lent during the call. After read_body().
  virtual void body(std::string_view /*piece*/) {}
  /// The body is complete, or there is none. Once, after read_body().
  virtual void body_end() {}
  /// After write() returned hold: the peer has taken enough.
  virtual void drained() {}
  /// Once in each period that tick_every() set.
  virtual void tick() {}
  /// The exchange is over: the response is complete, or the connection is gone, or a deadline has passed. The last call.
  virtual void ended(const ExchangeEnd& /*end*/) {}
};

class Exchange;

/// A request that waits, as for a password that is checked on another thread, with all that is known about it so far.
class Visit {
 public:
  virtual ~Visit() = default;
  /// As Handler::handle(). It lives until this has returned.
  virtual void go_on(Exchange& exchange) = 0;

  std::string user;  ///< the user who sent it; empty: no user was asked for
};

/// The outcome of write(); the values of wharf_flow.
enum class Flow : std::uint8_t { go, hold, closed };

/// One request and its response, whatever carries it. Valid until Responder::ended(), or, if there is no responder, until the
/// response is complete. None of the calls below calls the responder back.
class Exchange {
 public:
  /// Valid as long as the exchange.
  [[nodiscard]] virtual const codec::RequestHead& request() const = 0;
  [[nodiscard]] virtual base::Time now() const = 0;
  /// The other end of the connection, which may be a front; client() is the client. Valid as long as the exchange.
  [[nodiscard]] virtual const LinkPeer& peer() const = 0;
  /// Bytes of responses that wait for the client to take them.
  [[nodiscard]] virtual std::size_t buffered() const = 0;
  /// What trusted fronts say about the request; nullptr if it came from none of them. Valid as long as the exchange.
  [[nodiscard]] virtual const codec::Forwarding* forwarding() const = 0;

  // The client, and its scheme and host: those of the connection, or those that trusted fronts name.
  [[nodiscard]] const base::PeerAddress& client() const { return forwarding() != nullptr ? forwarding()->client : peer().address; }
  [[nodiscard]] std::string_view scheme() const { return codec::scheme_of(forwarding(), peer().scheme()); }
  [[nodiscard]] std::string_view host() const { return codec::host_of(forwarding(), request()); }

  /// During handle(), at most once.
  virtual void set_responder(std::unique_ptr<Responder> responder) = 0;
  /// Each is told of the end, in the order in which they were given.
  virtual void observe(std::unique_ptr<ExchangeObserver> observer) = 0;
  /// The first one of that owner, or nullptr.
  [[nodiscard]] virtual ExchangeObserver* observer(const void* owner) const = 0;

  /// What the exchange uses, until it is over and everything that was given to it has gone. A later call replaces it.
  virtual void keep(Users& users) = 0;

  /// Within handle(): the limits of this exchange, in place of those of all. Lent as long as the exchange. The length of a body that
  /// the request has announced is for the caller to look at.
  virtual void limit(const ExchangeLimits& limits) = 0;

  /// For every response except an interim one; of switch_to(), only those that are always sent. Lent as long as the exchange. A later call replaces them.
  virtual void add_fields(codec::PreparedFields::Part prepared) = 0;

  /// Within handle(), if something must be known before there can be a response: `visit` goes on when it is known.
  virtual void suspend(std::unique_ptr<Visit> visit) = 0;
  /// The visit of suspend(), until it goes on; or nullptr.
  [[nodiscard]] virtual Visit* visit() const = 0;
  /// It is known. The responder that waited for it, if any, is destroyed without ended(), and the visit goes on, on a fresh stack;
  /// only if there is no response so far, and once for each suspend().
  virtual void resume() = 0;

  /// Asks for the request's body, which comes to the responder; tells a client that waits for that to go on (RFC 9110 section
  /// 10.1.1). A body that nobody asked for is read and dropped after the response if it is short; otherwise it ends the connection.
  virtual void read_body() = 0;
  /// Whether nothing of the body is still to come, even if it was not asked for.
  [[nodiscard]] virtual bool body_complete() const = 0;
  /// Whether the client sends no body before read_body() tells it to go on.
  [[nodiscard]] virtual bool awaits_continue() const = 0;
  /// No body() until resume_body().
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;

  /// Sends an interim response (RFC 9110 section 15.2): any number of times, with a status from 102 to 199.
  /// Nothing is sent to a client of HTTP/1.0. hold: no more until drained(). closed: the response has begun, or the client has
  /// gone.
  virtual Flow inform(int status, const Fields& fields) = 0;

  /// Sends a whole response. Exactly one of respond(), begin() and switch_to() is called, once; later calls do nothing.
  virtual void respond(Response&& response) = 0;

  /// Begins a response in pieces: that many bytes in all if `length` is set, else in chunks, or until the connection closes with
  /// HTTP/1.0. Only status and fields of `response` count.
  virtual Flow begin(Response response, std::optional<std::uint64_t> length) = 0;
  /// More than the length that was promised is a fault that cuts the connection.
  virtual Flow write(std::string_view piece) = 0;
  /// The response is complete. Before the promised length it is a fault too.
  virtual void end() = 0;
  /// Cuts the response off so that the client notices.
  virtual void abort() = 0;
  [[nodiscard]] virtual bool answered() const = 0;  ///< respond(), begin() or switch_to() was called

  /// The response must have begun by then; otherwise it is 503. Replaces the default limit. base::never: no limit.
  virtual void answer_within(base::Time time) = 0;
  /// Calls the responder's tick() once in each period; zero ends it.
  virtual void tick_every(base::Time period) = 0;

  /// Leaves HTTP for `protocol`: responds with 101 in HTTP/1.1 (RFC 9110 section 7.8), or with 200 to an extended CONNECT (RFC 8441
  /// section 5), and hands the carrier of the exchange over to the session that `next` makes within the call; what that session
  /// queues follows the response. An exception of `next` cuts the carrier, and is thrown on.
  virtual void switch_to(std::string_view protocol, const Fields& fields, const SessionMaker& next) = 0;

 protected:
  ~Exchange() = default;
};

/// Handles requests. One per loop.
class Handler {
 public:
  virtual void handle(Exchange& exchange) = 0;
  /// What came was no request, or one that no handler can serve: it got its response, and the connection ends.
  virtual void refused(const LinkPeer& /*peer*/, const ExchangeEnd& /*end*/) {}

 protected:
  ~Handler() = default;
};

}  // namespace wharf::session
