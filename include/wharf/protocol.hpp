#pragma once
/// Write a protocol as a plain class:
///
///     struct ReverseEcho {
///       wharf::Peer peer;
///       void message(wharf::Kind kind, std::string_view data) { peer.send(kind, reversed(data)); }
///     };
///     WHARF_EXPORT(wharf::protocol<ReverseEcho>("reverse-echo"))
///
/// One object is constructed for each conversation when it opens, and destroyed when it is over. All members below are optional,
/// except that one has to receive something; they are found at compile time, and a wrong signature does not compile:
///
///     void message(wharf::Kind kind, std::string_view data);    a whole message; `data` is lent during the call
///     void fragment(wharf::Kind, wharf::Part, std::string_view) instead of message: pieces of a message as they arrive
///     void opened(const wharf::Request& request);               right after construction
///     void drained();                                           after send() returned Flow::hold: the peer has taken enough
///     void tick();                                              in the period that Peer::every() set
///     void pong(std::string_view data);                         a pong arrived
///     void closing(std::uint16_t code, std::string_view why);   the conversation is over; destruction follows
///     static int accept(const wharf::Request& request);         0 to accept the handshake, or the HTTP status to refuse it with
///     static int accept(const wharf::Request&, Shared& shared); the same, with the shared state
///     struct Shared;                                            state per virtual host and loop, made from a wharf::Scope or nothing;
///                                                               the class is then made from {Peer, Shared&}
///
/// Callbacks run on the loop's thread, never inside one another: a callback may send to, close or abort any peer, even its own. It
/// must not block. An exception that leaves one closes that peer with 1011 and is logged.
///
/// This header is all inline and turns the class into the C rows of abi.h: a plugin needs no library to link against.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "wharf/abi.h"
#include "wharf/handle.hpp"
#include "wharf/hidden.hpp"
#include "wharf/http.hpp"     // IWYU pragma: export
#include "wharf/request.hpp"  // IWYU pragma: export

namespace WHARF_HIDDEN wharf {

/// How a protocol's messages are compressed if the client offers permessage-deflate (RFC 7692). docs/compression.md has the costs.
/// Zero: what StandardCompression (wharf/limits.hpp) says.
struct WHARF_VISIBLE Compression {
  enum class Context {
    standard = WHARF_COMPRESSION_DEFAULT,    ///< the server's option; shared if it has none
    off = WHARF_COMPRESSION_OFF,             ///< the extension is declined
    shared = WHARF_COMPRESSION_SHARED,       ///< each message by itself: costs an idle peer no memory
    dedicated = WHARF_COMPRESSION_DEDICATED  ///< each peer keeps what it saw: similar messages become much smaller, and cost memory
  };
  Context context = Context::standard;
  unsigned window_bits = 0;         ///< 8 to 15: the window has 2^N bytes, in both directions
  unsigned memory_level = 0;        ///< 1 to 9, zlib's
  unsigned level = 0;               ///< 1 to 9, zlib's
  std::uint64_t compress_from = 0;  ///< bytes: shorter messages are sent as they are

  /// Which messages are compressed. `all` is for peers that fail at an uncompressed one, see docs/compression.md: even those that
  /// are shorter than `compress_from`, and those that become longer.
  enum class Messages {
    standard = WHARF_COMPRESS_DEFAULT,       ///< the server's option; worthwhile if it has none
    worthwhile = WHARF_COMPRESS_WORTHWHILE,  ///< those that become shorter
    all = WHARF_COMPRESS_ALL
  };
  Messages messages = Messages::standard;
};

class Peer;

namespace detail {
struct PeerKind {
  using Thing = wharf_peer;
  using Value = Peer;
  static int post(const wharf_services& services, wharf_handle handle, wharf_task task, void* argument) {
    return services.post(handle, task, argument);
  }
  static wharf_scope* scope(wharf_peer* peer) { return peer->services->scope(peer); }
  static void fail(wharf_peer* peer) { peer->services->close(peer, 1011, "", 0); }
};
}  // namespace detail

/// A peer's name that any thread may hold, even after the peer is gone. T is the class of its protocol; post() runs `task(T&)`.
template <class T>
class Handle : public detail::HandleOf<T, detail::PeerKind> {
 public:
  using detail::HandleOf<T, detail::PeerKind>::HandleOf;
};

/// One open conversation. Keep it as a member of the protocol's class: it is valid exactly as long as that object. For the loop's
/// thread only; other threads use a Handle.
class Peer {
 public:
  explicit Peer(wharf_peer* peer) : peer_(peer) {}

  /// Queues a whole message, at any time, any number of times, from any buffer. All that a turn of the loop sends leaves in one
  /// write. Text must be valid UTF-8; otherwise the peer is closed with 1011, and the log says so.
  Flow send(Kind kind, std::string_view data) const {
    return static_cast<Flow>(peer_->services->send(peer_, static_cast<wharf_kind>(kind), data.data(), data.size()));
  }
  Flow send_text(std::string_view text) const { return send(Kind::text, text); }
  Flow send_binary(std::string_view bytes) const { return send(Kind::binary, bytes); }

  /// Queues a piece of a message as a frame: a first, any number of next, a last; `kind` counts with the first. Text may be cut
  /// anywhere. A whole message, or a first piece, before the last piece was sent closes the peer with 1011, and the log says so.
  Flow send_part(Kind kind, Part part, std::string_view data) const {
    return static_cast<Flow>(
        peer_->services->send_part(peer_, static_cast<wharf_kind>(kind), static_cast<wharf_part>(part), data.data(), data.size()));
  }

  /// Stops reading from the peer until resume(): what it sends waits in the network. Meanwhile no ping is answered and no close is
  /// seen.
  void pause() const { peer_->services->pause(peer_); }
  void resume() const { peer_->services->resume(peer_); }

  /// At most 125 bytes; its pong comes to pong().
  Flow ping(std::string_view data = {}) const { return static_cast<Flow>(peer_->services->ping(peer_, data.data(), data.size())); }

  /// Begins the close handshake, after everything that is queued. Codes: 1000-1003, 1007-1014, 3000-4999. Reason: UTF-8, 123 bytes.
  void close(std::uint16_t code = 1000, std::string_view reason = {}) const {
    peer_->services->close(peer_, code, reason.data(), reason.size());
  }

  /// Drops the connection at once, and what is queued with it.
  void abort() const { peer_->services->abort(peer_); }

  /// Calls tick() once in each period from now on; a later call replaces an earlier one, zero ends it. At most 49 days.
  void every(std::chrono::milliseconds period) const {
    peer_->services->every(peer_, static_cast<std::uint32_t>(period.count() > 0 ? period.count() : 0));
  }

  /// Bytes queued that the operating system has not taken yet.
  [[nodiscard]] std::size_t buffered() const { return peer_->services->buffered(peer_); }

  [[nodiscard]] Scope scope() const { return Scope(peer_->services->scope(peer_)); }
  void log(Level level, std::string_view text) const { scope().log(level, text); }

  /// For other threads. T is the class that this peer is a member of.
  template <class T>
  [[nodiscard]] Handle<T> handle() const {
    return {peer_->services->handle(peer_), peer_->services};
  }

 private:
  wharf_peer* peer_;
};

/// A row of the protocol table, made by protocol<T>(). Each call returns a row with that change.
struct Protocol : wharf_row {
  /// The longest message received, in bytes after inflating; by default Limits::message. A longer one closes the peer with 1009.
  [[nodiscard]] constexpr Protocol message_limit(std::uint64_t bytes) const {
    Protocol changed = *this;
    changed.wharf_row::message_limit = bytes;
    return changed;
  }

  /// A peer that was silent for `after` is sent a ping, and cut if it is silent for `timeout` more. At most 49 days each; zero
  /// means the server's default.
  [[nodiscard]] constexpr Protocol ping(std::chrono::milliseconds after, std::chrono::milliseconds timeout = {}) const {
    Protocol changed = *this;
    changed.ping_after = static_cast<std::uint32_t>(after.count());
    changed.pong_timeout = static_cast<std::uint32_t>(timeout.count());
    return changed;
  }
  /// No pings for silence: a peer that vanished is noticed only when something is sent to it.
  [[nodiscard]] constexpr Protocol no_ping() const {
    Protocol changed = *this;
    changed.ping_after = WHARF_NEVER;
    return changed;
  }

  /// The longest body of a request, in bytes; a longer one is refused with 413. Default: 1 MiB, or none for a Responder with
  /// body().
  [[nodiscard]] constexpr Protocol body_limit(std::uint64_t bytes) const {
    Protocol changed = *this;
    changed.wharf_row::body_limit = bytes;
    return changed;
  }

  [[nodiscard]] constexpr Protocol compression(const Compression& wish) const {
    Protocol changed = *this;
    changed.wharf_row::compression = static_cast<std::uint32_t>(wish.context);
    changed.compression_window_bits = wish.window_bits;
    changed.compression_memory_level = wish.memory_level;
    changed.compression_level = wish.level;
    changed.wharf_row::compress_from = wish.compress_from;
    changed.compress_messages = static_cast<std::uint32_t>(wish.messages);
    return changed;
  }
};

namespace detail {

// Whether T has a member of a name, whatever its type: deriving from T and from a class that has it makes the name ambiguous.
struct Names {
  int message, opened, drained, tick, pong, closing, accept, fragment, request;
};
template <class T>
struct WithNames : T, Names {};

#define WHARF_DETAIL_HAS(name)                                \
  template <class T>                                          \
  WHARF_HIDDEN inline constexpr bool has_##name = !requires { \
    &WithNames<T>::name;                                      \
  };
WHARF_DETAIL_HAS(message)
WHARF_DETAIL_HAS(opened)
WHARF_DETAIL_HAS(drained)
WHARF_DETAIL_HAS(tick)
WHARF_DETAIL_HAS(pong)
WHARF_DETAIL_HAS(closing)
WHARF_DETAIL_HAS(accept)
WHARF_DETAIL_HAS(fragment)
WHARF_DETAIL_HAS(request)
#undef WHARF_DETAIL_HAS

struct NoShared {};
template <class T>
struct SharedOf {
  using type = NoShared;
};
template <class T>
requires requires { typename T::Shared; }
struct SharedOf<T> {
  using type = typename T::Shared;
};

/// Whether it handles HTTP requests.
template <class T>
WHARF_HIDDEN inline constexpr bool responds = has_request<T> || HasResponder<T>;
/// Whether it speaks on connections from their first byte.
template <class T>
WHARF_HIDDEN inline constexpr bool is_raw = !has_message<T> && !has_fragment<T> && !responds<T> && requires(T t) {
  t.data(std::string_view());
};
/// Whether WebSocket clients can have a conversation with it.
template <class T>
WHARF_HIDDEN inline constexpr bool converses =
    !is_raw<T> && (has_message<T> || has_fragment<T> || has_opened<T> || has_tick<T> || has_pong<T>);

/// Every member that T has under a known name must have the signature of that name.
template <class T>
constexpr void check_members() {
  static_assert(std::is_class_v<T> && !std::is_final_v<T>, "a wharf protocol is a class that is not final");
  static_assert(alignof(T) <= alignof(std::max_align_t), "a wharf protocol's class must not be over-aligned");
  static_assert(converses<T> || responds<T>,
                "a wharf protocol needs a handler: at least one of message, fragment, opened, tick, pong, request or data");
  static_assert(!has_message<T> || !has_fragment<T>, "a wharf protocol takes whole messages or fragments, not both");
  static_assert(!has_request<T> || !HasResponder<T>,
                "a wharf protocol answers requests by request() or by a Responder, not by both");
  // clang-format off
  static_assert(!has_message<T> || requires(T t) { t.message(Kind::text, std::string_view()); },
                "message has the wrong signature; it is: void message(wharf::Kind kind, std::string_view data)");
  static_assert(!has_fragment<T> || requires(T t) { t.fragment(Kind::text, Part::whole, std::string_view()); },
                "fragment has the wrong signature; it is: void fragment(wharf::Kind kind, wharf::Part part, std::string_view data)");
  static_assert(!has_opened<T> || requires(T t, const Request& r) { t.opened(r); },
                "opened has the wrong signature; it is: void opened(const wharf::Request& request)");
  static_assert(!has_drained<T> || requires(T t) { t.drained(); }, "drained has the wrong signature; it is: void drained()");
  static_assert(!has_tick<T> || requires(T t) { t.tick(); }, "tick has the wrong signature; it is: void tick()");
  static_assert(!has_pong<T> || requires(T t) { t.pong(std::string_view()); },
                "pong has the wrong signature; it is: void pong(std::string_view data)");
  static_assert(!has_closing<T> || requires(T t) { t.closing(std::uint16_t{}, std::string_view()); },
                "closing has the wrong signature; it is: void closing(std::uint16_t code, std::string_view reason)");
  using Shared = typename SharedOf<T>::type;
  static_assert(!has_request<T> || requires(Exchange e) { T::request(e); } || requires(Exchange e, Shared& s) { T::request(e, s); },
                "request has the wrong signature; it is: static void request(wharf::Exchange exchange) or (..., Shared& shared)");
  // clang-format on
  if constexpr (HasResponder<T>) check_responder<typename T::Responder, Shared>();
}

/// The C callbacks of a row, made from T's members.
template <class T>
struct Row {
  using Shared = typename SharedOf<T>::type;

  static constexpr bool accepts_shared = requires(const Request& r, Shared& s) {
    { T::accept(r, s) } -> std::same_as<int>;
  };
  static constexpr bool accepts_plain = requires(const Request& r) {
    { T::accept(r) } -> std::same_as<int>;
  };
  static_assert(!has_accept<T> || accepts_shared || accepts_plain,
                "accept has the wrong signature; it is: static int accept(const wharf::Request& request) or (..., Shared& shared)");
  static_assert(alignof(Shared) <= alignof(std::max_align_t), "a wharf protocol's Shared must not be over-aligned");

  static T& self(void* state) { return *static_cast<T*>(state); }
  static Shared& shared(void* state) { return *static_cast<Shared*>(state); }

  /// Runs a member; an exception closes its peer.
  template <class Call>
  static void guarded(void* state, const char* where, Call&& call) {
    try {
      call(self(state));
    } catch (...) {
      wharf_peer* peer = peer_of(state);
      log_exception(peer->services->scope(peer), where);
      peer->services->close(peer, 1011, "", 0);
    }
  }

  // The session state is T with the peer behind it, so that the peer of a fault is known whatever T keeps.
  struct State {
    T object;
    wharf_peer* peer;
  };
  // The shared state is Shared with its scope behind it.
  struct SharedState {
    Shared object;
    wharf_scope* scope;
  };
  static wharf_peer* peer_of(void* state) { return static_cast<State*>(state)->peer; }

  static int start(void* state, wharf_scope* scope) {
    try {
      if constexpr (requires { Shared{Scope(scope)}; }) ::new (state) Shared{Scope(scope)};
      else ::new (state) Shared{};
      static_cast<SharedState*>(state)->scope = scope;
      return 0;
    } catch (...) {
      log_exception(scope, "the constructor of Shared");
      return 1;
    }
  }
  static void stop(void* state) { shared(state).~Shared(); }

  static int accept(void* state, const wharf_request* request) {
    try {
      if constexpr (accepts_shared) return T::accept(Request(request), shared(state));
      else if constexpr (accepts_plain) return T::accept(Request(request));
      else return 0;
    } catch (...) {
      log_exception(static_cast<SharedState*>(state)->scope, "accept()");
      return 500;
    }
  }

  static int open(void* state, void* shared_state, wharf_peer* peer, const wharf_request* request) {
    bool constructed = false;
    try {
      construct(state, shared_state, peer);
      static_cast<State*>(state)->peer = peer;
      constructed = true;
      if constexpr (has_opened<T>) self(state).opened(Request(request));
      return 0;
    } catch (...) {
      log_exception(peer->services->scope(peer), "the opening of a conversation");
      if (constructed) destroy(state);
      return 1;
    }
  }
  static void construct(void* state, [[maybe_unused]] void* shared_state, wharf_peer* peer) {
    constexpr bool takes_shared = !std::is_same_v<Shared, NoShared> && requires { T{Peer(peer), shared(shared_state)}; };
    if constexpr (takes_shared) ::new (state) T{Peer(peer), shared(shared_state)};
    else if constexpr (requires { T{Peer(peer)}; }) ::new (state) T{Peer(peer)};
    else {
      static_assert(
          requires { T{}; }, "a wharf protocol is made from {wharf::Peer, Shared&}, from {wharf::Peer}, or from {}");
      ::new (state) T{};
    }
  }

  static void message(void* state, wharf_kind kind, char* data, size_t size) {
    guarded(state, "message()", [&](T& object) { object.message(static_cast<Kind>(kind), std::string_view(data, size)); });
  }
  static void fragment(void* state, wharf_kind kind, wharf_part part, char* data, size_t size) {
    guarded(state, "fragment()",
            [&](T& object) { object.fragment(static_cast<Kind>(kind), static_cast<Part>(part), std::string_view(data, size)); });
  }
  static void drained(void* state) {
    guarded(state, "drained()", [](T& object) { object.drained(); });
  }
  static void tick(void* state) {
    guarded(state, "tick()", [](T& object) { object.tick(); });
  }
  static void pong(void* state, const char* data, size_t size) {
    guarded(state, "pong()", [&](T& object) { object.pong(std::string_view(data, size)); });
  }
  static void closing(void* state, uint16_t code, const char* reason, size_t size) {
    guarded(state, "closing()", [&](T& object) { object.closing(code, std::string_view(reason, size)); });
  }
  static void destroy(void* state) { self(state).~T(); }
};

/// Sets the callbacks for WebSocket clients.
template <class T>
constexpr void add_conversation(wharf_row& row) {
  using Row = detail::Row<T>;
  row.state_size = sizeof(typename Row::State);
  if constexpr (has_accept<T>) row.accept = Row::accept;
  row.open = Row::open;
  if constexpr (has_message<T>) row.message = Row::message;
  if constexpr (has_fragment<T>) row.fragment = Row::fragment;
  if constexpr (has_drained<T>) row.drained = Row::drained;
  if constexpr (has_tick<T>) row.tick = Row::tick;
  if constexpr (has_pong<T>) row.pong = Row::pong;
  if constexpr (has_closing<T>) row.closing = Row::closing;
  row.destroy = Row::destroy;
}

/// Either a class with a Responder, or one with a static request().
template <class T>
struct HttpRowOf : FunctionRow<T, typename SharedOf<T>::type> {};
template <HasResponder T>
struct HttpRowOf<T> : ResponderRow<T, typename SharedOf<T>::type> {};

template <class T>
WHARF_HIDDEN inline constexpr wharf_http_row http_row = HttpRowOf<T>::make();

}  // namespace detail

/// The row for class T under a subprotocol name: a token, with static storage.
template <class T>
constexpr Protocol protocol(const char* name) {
  if constexpr (!detail::is_raw<T>) detail::check_members<T>();
  using Row = detail::Row<T>;
  Protocol row{};
  row.size = sizeof(wharf_row);
  row.name = name;
  row.shared_state_size = sizeof(typename Row::SharedState);
  row.start = Row::start;
  row.stop = Row::stop;
  if constexpr (detail::responds<T>) row.http = &detail::http_row<T>;
  if constexpr (detail::converses<T>) detail::add_conversation<T>(row);
  if constexpr (detail::is_raw<T>) row.raw = &detail::raw_row<T, typename detail::SharedOf<T>::type>;
  return row;
}

namespace detail {
template <std::size_t count>
struct RowPointers {
  const wharf_row* rows[count];
};
template <std::size_t count>
constexpr RowPointers<count> pointers_to(const Protocol (&rows)[count]) {
  RowPointers<count> pointers{};
  for (std::size_t i = 0; i < count; ++i) pointers.rows[i] = &rows[i];
  return pointers;
}
}  // namespace detail

}  // namespace wharf

/// Makes the shared object that contains it a plugin with these rows: WHARF_EXPORT(wharf::protocol<A>("a"),
/// wharf::protocol<B>("b")) Use it once in a plugin, outside any namespace.
#define WHARF_EXPORT(...)                                                                   \
  namespace {                                                                               \
  constexpr wharf::Protocol wharf_exported_rows[] = {__VA_ARGS__};                          \
  constexpr auto wharf_exported_pointers = wharf::detail::pointers_to(wharf_exported_rows); \
  }                                                                                         \
  WHARF_PLUGIN(wharf_exported_pointers.rows)
