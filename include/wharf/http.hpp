#pragma once
/// Handlers of HTTP requests. A class of protocol.hpp handles the requests of the mounts that name its row, if it has
///
///     static void request(wharf::Exchange exchange);                   called when the request has come, with its body
///     static void request(wharf::Exchange exchange, Shared& shared);   the same, with the shared state
///
///     struct Hello {
///       static void request(wharf::Exchange exchange) { exchange.respond(200, "text/plain; charset=utf-8", "Hello!\n"); }
///     };
///     WHARF_EXPORT(wharf::protocol<Hello>("hello"))
///
/// or a nested class of which one object is made for each request, from {Exchange, Shared&}, from {Exchange}, or from {}:
///
///     struct Responder {
///       wharf::Exchange exchange;
///       void request();                          the request has come; with body() below, only its head
///       void body(std::string_view piece);       a piece of the request's body, lent during the call
///       void body_end();                         the body is complete, or there is none
///       void drained();                          after write() returned Flow::hold: the client has taken enough
///       void tick();                             in the period that Exchange::every() set
///       void closing(bool complete);             the exchange is over; destruction follows
///     };
///
/// Only request() must be there; a wrong signature does not compile. The response may be given within a call, or later: it must
/// begin within the server's Limits::answer_time, or the client gets 503. Callbacks run on the loop's thread, never inside one
/// another, and must not block. An exception that leaves one is logged, and the client gets 500, or is cut if the response had
/// begun.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "wharf/handle.hpp"
#include "wharf/hidden.hpp"
#include "wharf/request.hpp"

namespace WHARF_HIDDEN wharf {

template <class T>
class ExchangeHandle;
class Pipe;
template <class T>
class PipeHandle;

/// One request and its response: a small value, valid until closing() of its Responder, or, without a Responder, until the response
/// is complete or the connection gone. To respond later, keep an ExchangeHandle. For the loop's thread only.
class Exchange {
 public:
  explicit Exchange(wharf_exchange* exchange) : exchange_(exchange) {}

  /// Valid, with every view taken from it, until the present callback returns.
  [[nodiscard]] Request request() const { return Request(http().request(exchange_)); }
  [[nodiscard]] std::string_view method() const { return request().method(); }
  /// Not percent-decoded.
  [[nodiscard]] std::string_view path() const { return request().path(); }
  /// Without '?', not decoded: see parse_parameters() of form.hpp.
  [[nodiscard]] std::string_view query() const { return request().query(); }
  /// The first field of that name, ignoring case.
  [[nodiscard]] std::optional<std::string_view> field(const char* name) const { return request().field(name); }
  /// The whole body, at most Protocol::body_limit() bytes, by default 1 MiB. Empty for a Responder with body().
  [[nodiscard]] std::string_view body() const {
    const wharf_text text = http().body(exchange_);
    return {text.data, text.size};
  }

  /// Adds a field to the response, before it begins. False if it is invalid (a name that is no token, a value with a control
  /// character other than tab), or one of those that the server writes (Connection, Content-Length, Date, Keep-Alive,
  /// Transfer-Encoding).
  bool add_field(std::string_view name, std::string_view value) const {  // NOLINT(modernize-use-nodiscard)
    return http().add_field(exchange_, name.data(), name.size(), value.data(), value.size()) == 0;
  }

  /// Sends a whole response, with a status from 200 to 599. The body is copied. A second response is logged and dropped.
  Flow respond(int status, std::string_view media_type, std::string_view body) const {
    if (!media_type.empty()) add_field("Content-Type", media_type);
    return static_cast<Flow>(http().respond(exchange_, status, body.data(), body.size()));
  }
  /// Sends a response without a body.
  Flow respond(int status) const { return respond(status, {}, {}); }
  /// 303 after a form; 301, 302, 307 or 308 if something has moved.
  Flow redirect(int status, std::string_view location) const {
    add_field("Location", location);
    return respond(status);
  }
  /// Responds with a file, with the media type of its name unless a Content-Type was added. False if it cannot be opened or is no
  /// regular file: then there is no response yet. No ranges and no conditions; a mount of files has them.
  [[nodiscard]] bool respond_file(int status, const char* path) const { return http().respond_file(exchange_, status, path) == 0; }

  /// Begins a response in pieces; then write() any number of times, then end(). With a length, exactly that many bytes must follow;
  /// without one it is sent in chunks, or with HTTP/1.0 until the connection closes.
  Flow begin(int status, std::string_view media_type, std::optional<std::uint64_t> length = {}) const {
    if (!media_type.empty()) add_field("Content-Type", media_type);
    return static_cast<Flow>(http().begin(exchange_, status, length.value_or(WHARF_UNKNOWN_LENGTH)));
  }
  /// The piece is copied. Flow::hold: accepted, but wait for drained(); if you never wait, the client is cut at
  /// Limits::output_hard_cap.
  Flow write(std::string_view piece) const { return static_cast<Flow>(http().write(exchange_, piece.data(), piece.size())); }
  void end() const { http().end(exchange_); }
  /// Cuts the connection, so that the client knows that the response is incomplete.
  void abort() const { http().abort(exchange_); }

  /// No body() until resume_body(): the client comes to a halt.
  void pause_body() const { http().body_pause(exchange_); }
  void resume_body() const { http().body_resume(exchange_); }

  /// The response must begin within this time from now, instead of the server's limit. At most 49 days.
  void answer_within(std::chrono::milliseconds time) const { http().answer_within(exchange_, milliseconds(time)); }
  /// Calls the Responder's tick() once in each period; zero ends it. At most 49 days.
  void every(std::chrono::milliseconds period) const { http().every(exchange_, milliseconds(period)); }
  /// Bytes queued that the operating system has not taken yet.
  [[nodiscard]] std::size_t buffered() const { return http().buffered(exchange_); }

  /// For a response that comes later, from any thread. T: the Responder, or void.
  template <class T = void>
  [[nodiscard]] ExchangeHandle<T> handle() const;

  /// Leaves HTTP for another protocol (RFC 9110 section 7.8), one that the request names in its Upgrade field: responds with 101,
  /// makes a T from {Pipe, arguments...}, and hands it every byte from then on. False if the request does not ask for it (with
  /// Upgrade, Connection and HTTP/1.1) or has a body that has not come yet: then there is no response yet.
  ///
  /// T has data(std::string_view), and may have ended(), drained(), tick() and closing().
  template <class T, class... Arguments>
  [[nodiscard]] bool upgrade(const char* token, Arguments&&... arguments) const;

  [[nodiscard]] Scope scope() const { return Scope(http().scope(exchange_)); }
  void log(Level level, std::string_view text) const { scope().log(level, text); }

 private:
  [[nodiscard]] const wharf_http_services& http() const { return *exchange_->services->http; }
  static std::uint32_t milliseconds(std::chrono::milliseconds time) {
    return static_cast<std::uint32_t>(time.count() > 0 ? time.count() : 0);
  }

  wharf_exchange* exchange_;
};

namespace detail {
struct ExchangeKind {
  using Thing = wharf_exchange;
  using Value = Exchange;
  static int post(const wharf_services& services, wharf_handle handle, wharf_exchange_task task, void* argument) {
    return services.http->post(handle, task, argument);
  }
  static wharf_scope* scope(wharf_exchange* exchange) { return exchange->services->http->scope(exchange); }
  static void fail(wharf_exchange* exchange) { exchange->services->http->fail(exchange); }
};
}  // namespace detail

/// An exchange's name that any thread may hold, even after the exchange is over. post() runs `task(Exchange)`, or with a Responder
/// `task(T&)`.
template <class T = void>
class ExchangeHandle : public detail::HandleOf<T, detail::ExchangeKind> {
 public:
  using detail::HandleOf<T, detail::ExchangeKind>::HandleOf;
};

template <class T>
ExchangeHandle<T> Exchange::handle() const {
  return {http().handle(exchange_), exchange_->services};
}

/// Server-sent events (HTML Living Standard, section 9.2): a response that goes on, one event at a time. Write a comment now and
/// then, so that a client that is gone is noticed.
class EventStream {
 public:
  /// Begins the response.
  explicit EventStream(Exchange exchange) : exchange_(exchange) {
    exchange_.add_field("Cache-Control", "no-store");
    exchange_.begin(200, "text/event-stream");
  }

  /// One event. `data` may have several lines; `event` and `id` are one line each, and cut at the end of a line.
  Flow send(std::string_view data, std::string_view event = {}, std::string_view id = {}) const {
    std::string text;
    if (!event.empty()) ((text += "event: ") += first_line(event)) += '\n';
    if (!id.empty()) ((text += "id: ") += first_line(id)) += '\n';
    for (;;) {
      const std::size_t end = data.find_first_of("\r\n");
      ((text += "data: ") += data.substr(0, end)) += '\n';
      if (end == std::string_view::npos) break;
      data.remove_prefix(end + (data.substr(end, 2) == "\r\n" ? 2 : 1));
    }
    return exchange_.write(text += '\n');
  }
  /// A line that clients ignore.
  Flow comment(std::string_view text = {}) const { return exchange_.write(std::string(": ").append(first_line(text)) += "\n\n"); }
  /// How long a client waits before it connects again.
  Flow retry_after(std::chrono::milliseconds time) const {
    return exchange_.write("retry: " + std::to_string(time.count()) + "\n\n");
  }
  void end() const { exchange_.end(); }

 private:
  static std::string_view first_line(std::string_view text) {
    return text.substr(0, text.find_first_of(std::string_view("\r\n\0", 3)));
  }

  Exchange exchange_;
};

/// A connection that left HTTP, or never spoke it: bytes in both directions. Keep it as a member of the class that
/// Exchange::upgrade() or a raw row made: it is valid exactly as long as that object. For the loop's thread only.
class Pipe {
 public:
  explicit Pipe(wharf_pipe* pipe) : pipe_(pipe) {}

  /// Queues bytes. All that a turn of the loop writes leaves in one system call. Flow::hold: accepted, but nothing more is read
  /// from the peer until it has taken what is queued; then comes drained().
  Flow write(std::string_view bytes) const { return static_cast<Flow>(http().pipe_write(pipe_, bytes.data(), bytes.size())); }
  /// Between the two, what is written waits, up to the high-water mark, even beyond the turn of the loop.
  void cork() const { http().pipe_cork(pipe_); }
  void uncork() const { http().pipe_uncork(pipe_); }
  /// No more output; input goes on.
  void end() const { http().pipe_end(pipe_); }
  /// Closes after everything written has left.
  void close() const { http().pipe_close(pipe_); }
  void abort() const { http().pipe_abort(pipe_); }
  void pause() const { http().pipe_pause(pipe_); }
  void resume() const { http().pipe_resume(pipe_); }
  void every(std::chrono::milliseconds period) const {
    http().pipe_every(pipe_, static_cast<std::uint32_t>(period.count() > 0 ? period.count() : 0));
  }
  [[nodiscard]] std::size_t buffered() const { return http().pipe_buffered(pipe_); }
  /// The other end, like 127.0.0.1:4711.
  [[nodiscard]] std::string_view address() const {
    const wharf_text text = http().pipe_address(pipe_);
    return {text.data, text.size};
  }
  /// Facts of the TLS connection by name, as Request::tls(); nullopt without TLS.
  [[nodiscard]] std::optional<std::string_view> tls(const char* fact) const {
    const wharf_text text = http().pipe_tls(pipe_, fact);
    if (text.data == nullptr) return std::nullopt;
    return std::string_view(text.data, text.size);
  }
  /// Hands the connection over to another server: host:port, [address]:port, unix:/path or unix:@name. It gets `first`, then all that
  /// comes from the peer, and the peer what comes from there, until both sides have ended. This object lives until the other server is
  /// reached, and is not called meanwhile. If it is not reached in that time, the pipe is closed, and the log says why. False if `to`
  /// is no such address, or it was called before.
  bool forward(std::string_view to, std::string_view first = {}, std::chrono::milliseconds within = std::chrono::seconds(5)) const {
    const auto milliseconds = static_cast<std::uint32_t>(within.count() > 0 ? within.count() : 1);
    return http().pipe_forward(pipe_, to.data(), to.size(), first.data(), first.size(), milliseconds) == 0;
  }
  [[nodiscard]] Scope scope() const { return Scope(http().pipe_scope(pipe_)); }
  void log(Level level, std::string_view text) const { scope().log(level, text); }
  /// For other threads. T: the class that Exchange::upgrade() made, or void.
  template <class T = void>
  [[nodiscard]] PipeHandle<T> handle() const;

 private:
  [[nodiscard]] const wharf_http_services& http() const { return *pipe_->services->http; }

  wharf_pipe* pipe_;
};

namespace detail {
struct PipeKind {
  using Thing = wharf_pipe;
  using Value = Pipe;
  static int post(const wharf_services& services, wharf_handle handle, wharf_pipe_task task, void* argument) {
    return services.http->pipe_post(handle, task, argument);
  }
  static wharf_scope* scope(wharf_pipe* pipe) { return pipe->services->http->pipe_scope(pipe); }
  static void fail(wharf_pipe* pipe) { pipe->services->http->pipe_abort(pipe); }
};
}  // namespace detail

/// A pipe's name that any thread may hold, even after the pipe is over. post() runs `task(Pipe)`, or with a T `task(T&)`.
template <class T = void>
class PipeHandle : public detail::HandleOf<T, detail::PipeKind> {
 public:
  using detail::HandleOf<T, detail::PipeKind>::HandleOf;
};

template <class T>
PipeHandle<T> Pipe::handle() const {
  return {http().pipe_handle(pipe_), pipe_->services};
}

}  // namespace wharf

#include "wharf/http_row.hpp"  // IWYU pragma: export
