#pragma once
/// WebSocket without sockets (RFC 6455, and permessage-deflate of RFC 7692), for programs that bring their own: bytes in, events
/// and bytes out. A server answers the handshake and then runs a Stream:
///
///     auto handshake = answer_request(received, options);          // again with more bytes while incomplete
///     write(handshake.answer);
///     Stream stream(Role::server, handshake.agreement);
///     std::span<char> input = ...;                                 // received bytes, from handshake.used on
///     for (Event event = stream.next(input); event.type != Event::Type::more; event = stream.next(input)) {
///       Error error = stream.answer(event, out);                   // the pong to a ping, the close to a close
///       if (event.is_message()) error = stream.send(event.kind(), event.view(), out);
///     }
///     write(out);
///
/// A client begins with make_request() and check_answer(). docs/websocket-codec.md shows whole programs.
///
/// All strings that name protocols, fields and so on are bytes as on the wire. Faults are values of Error. Exceptions that may
/// leave any call: std::bad_alloc, after which the stream can only be destroyed.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/abi.h"
#include "wharf/limits.hpp"
#include "wharf/protocol.hpp"

namespace wharf::websocket {

using wharf::Compression;
using wharf::Kind;
using wharf::Part;

/// Which end of the conversation this is. A server accepts masked frames and sends plain ones, a client the opposite (section 5.1).
enum class Role : std::uint8_t { server, client };

enum class Error : std::uint8_t {
  none,

  // Received by Stream::next(); those that sending can return too are marked.
  reserved_bits,         ///< RSV1-3 set without an extension that defines them (section 5.2)
  reserved_opcode,       ///< 3-7 or 11-15
  mask_missing,          ///< a client's frame without a mask (section 5.1)
  mask_unexpected,       ///< a server's frame with one
  length_not_minimal,    ///< a longer form of the length than needed
  length_too_large,      ///< the most significant bit of a 64-bit length is set
  control_fragmented,    ///< section 5.5
  control_too_long,      ///< more than 125 bytes; also sending: a close has 123 for its reason
  continuation_missing,  ///< a message began before the fragmented one ended; also sending
  continuation_stray,    ///< a piece that continues nothing; also sending
  close_payload,         ///< a close payload of one byte (section 5.5.1)
  close_code,            ///< a close code that must not be sent (section 7.4); also sending
  close_reason,          ///< a close reason that is not UTF-8; also sending
  text_not_utf8,         ///< section 8.1; also sending
  message_too_big,       ///< longer than the limits of the stream
  not_deflate,           ///< a compressed message that cannot be inflated (RFC 7692 section 7.2.2)

  // Sending.
  closed,     ///< a close was sent or received: this may not be sent any more (section 5.5.1)
  no_random,  ///< the random source failed

  // The opening handshake, either side.
  head_malformed,      ///< not HTTP/1 to the letter (RFC 9112)
  head_too_large,      ///< more bytes or fields than the limit
  http_version,        ///< not HTTP/1.1 or a higher HTTP/1
  upgrade_missing,     ///< no `Upgrade: websocket`; such a request does not ask for WebSocket at all
  connection_missing,  ///< no `Connection: Upgrade`

  // A server on a request (section 4.2.1).
  method_not_get,
  body_unexpected,
  version_unsupported,  ///< Sec-WebSocket-Version is not 13, once
  key_missing,          ///< not exactly one Sec-WebSocket-Key
  key_malformed,        ///< not the base64 form of 16 bytes
  protocols_malformed,  ///< Sec-WebSocket-Protocol is no list of different tokens
  protocol_unknown,     ///< none of the offered ones is spoken here

  // A client on a response (section 4.1).
  status_not_101,
  accept_wrong,           ///< not exactly one Sec-WebSocket-Accept, or not the one for the key
  protocol_not_offered,   ///< a subprotocol that was not offered, or more than one
  extension_not_offered,  ///< an extension that was not offered, in a form that does not fit, or with a window that is too large

  // What the caller asked for.
  bad_host,         ///< not a host with an optional port
  bad_target,       ///< not a path with an optional query, all visible ASCII
  bad_protocol,     ///< a subprotocol's name that is no token, or is there twice
  bad_field,        ///< a field whose name is no token, or whose value has a control character such as CR, LF or NUL
  reserved_field,   ///< a field that the handshake writes itself
  bad_compression,  ///< a number out of its range
};
/// One sentence for a person, in static storage.
WHARF_VISIBLE std::string_view message(Error error);
/// The code to close with for an error that next() reported: 1002, 1007 or 1009; 1011 for all others (section 7.4.1).
WHARF_VISIBLE std::uint16_t close_code(Error error);

/// Fills the span with bytes that nobody can predict, or returns false. An empty function means OpenSSL's generator.
using Random = std::function<bool(std::span<unsigned char>)>;

/// What both ends agreed on for compression; made by the handshake. By default nothing is compressed.
struct Agreement {
  bool compressed = false;            ///< messages may be compressed
  bool server_keeps_context = false;  ///< the server's messages build on its earlier ones
  bool client_keeps_context = false;
  unsigned server_window_bits = 15;  ///< 8 to 15
  unsigned client_window_bits = 15;

  // How this end does it; the other end need not know.
  unsigned memory_level = StandardCompression{}.memory_level;       ///< 1 to 9, zlib's
  unsigned level = StandardCompression{}.level;                     ///< 1 to 9, zlib's
  std::uint64_t compress_from = StandardCompression{}.from_shared;  ///< bytes: shorter whole messages are sent uncompressed
  bool compress_all =
      false;  ///< every message is compressed: because that was asked for, or the peer's offer is that of clients that need it

  friend bool operator==(const Agreement&, const Agreement&) = default;
};

// ---- The conversation ----

struct StreamOptions {
  /// The longest message to receive, in bytes after inflating, all fragments together. A longer one is the error message_too_big,
  /// as soon as its length shows.
  std::uint64_t message_limit = Limits{}.message;

  /// Text and binary come in pieces as they arrive, text cut between code points only, instead of as whole messages. The stream
  /// then holds no message.
  bool in_pieces = false;

  /// The most memory, in bytes, that the receiving half may have allocated for what it received; 0: no limit of its own. It counts
  /// the message that is put together, and, if compression was agreed on, 32 KiB to inflate into and the inflater, which is the
  /// window and 7.5 KiB. The rest is for the message and, if it is less, replaces message_limit, unless `in_pieces`. While a
  /// message grows, its old and its new memory may exist side by side for a moment. Not counted: less than 1 KiB for the stream
  /// itself.
  std::uint64_t memory_limit = 0;

  /// Whether answer() writes a close frame for an error.
  bool close_on_error = true;

  /// For the mask of each frame that a client sends; called by the sending half.
  Random random;
};

/// What was received.
struct Event {
  enum class Type : std::uint8_t {
    more,  ///< nothing yet: all input was taken
    text,  ///< valid UTF-8
    binary,
    ping,   ///< at most 125 bytes; needs an answer, see Stream::answer()
    pong,   ///< at most 125 bytes
    close,  ///< the peer's close: `code`, 1005 if it sent none, and the reason as the payload
    error,  ///< the peer broke the protocol: `error`
  };
  Type type = Type::more;
  Error error = Error::none;
  std::uint16_t code = 0;
  Part part = Part::whole;  ///< with StreamOptions::in_pieces: the place of this piece in its message
  /// In the input, or in the stream. Valid until the next call of next() and as long as the input is; the reader may change it.
  std::span<char> payload;

  [[nodiscard]] std::string_view view() const { return {payload.data(), payload.size()}; }
  [[nodiscard]] bool is_message() const { return type == Type::text || type == Type::binary; }
  /// Of a message.
  [[nodiscard]] Kind kind() const { return type == Type::text ? Kind::text : Kind::binary; }
};

/// What a stream may still send.
enum class Validity : std::uint8_t {
  valid,         ///< everything
  control_only,  ///< a close was sent or received, or the peer broke the protocol: no new message; control frames
  invalid,       ///< nothing: a close was sent, and one received or the protocol broken. The server closes the connection first now
};

namespace detail {
struct StreamState;
}

/// One end of one conversation, after the handshake.
///
/// Threads: a stream has two halves that share only atomics. next() is the receiving half; send(), send_part(), ping(), pong(),
/// close() and answer() are the sending half. One thread may use one half while another uses the other. Within a half, calls must
/// not overlap: any number of threads may send if a mutex is held during each call of the sending half, and while its bytes are
/// written, so that frames leave in the order in which they were made. validity() may be called at any time.
///
/// The sending calls append whole frames to `out`, and nothing if they return an error. Their arguments must not lie in `out`.
class WHARF_VISIBLE Stream {
 public:
  /// Throws std::invalid_argument if the agreement has a number out of its range.
  explicit Stream(Role role, const Agreement& agreement = {}, StreamOptions options = {});
  ~Stream();
  /// After a move only destruction and an assignment are allowed.
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Takes bytes from the front of `input`, which shrinks by what was taken, up to the end of the next event. The bytes may be cut
  /// anywhere and are changed: they are unmasked in place. Call it until it returns more, only then give it other input. After a
  /// close and after an error all input is discarded, and it returns more.
  [[nodiscard]] Event next(std::span<char>& input);

  /// A whole message as one frame. Text must be UTF-8. Returns text_not_utf8, continuation_missing (within a message in pieces),
  /// closed, no_random.
  [[nodiscard]] Error send(Kind kind, std::string_view data, std::string& out);
  /// A piece of a message as one frame: first, any number of next, last. `kind` counts with the first. Text may be cut anywhere,
  /// and is checked across the pieces. A message that was begun may be ended after a close was received, not after one was sent.
  /// Also returns continuation_stray.
  [[nodiscard]] Error send_part(Kind kind, Part part, std::string_view data, std::string& out);

  /// At most 125 bytes, else control_too_long. May come between the pieces of a message. Also returns closed, no_random.
  [[nodiscard]] Error ping(std::string_view data, std::string& out);
  [[nodiscard]] Error pong(std::string_view data, std::string& out);

  /// Our close, once. Codes: 1000-1003, 1007-1014, 3000-4999, or 1005 for a frame without code, which has no reason either. The
  /// reason is UTF-8 of at most 123 bytes. Returns close_code, close_reason, control_too_long, closed, no_random.
  [[nodiscard]] Error close(std::uint16_t code, std::string_view reason, std::string& out);

  /// Writes the reply that the RFC demands, and nothing for other events: the pong to a ping (section 5.5.3), the close to a close,
  /// with its code (section 5.5.1), unless ours was sent, and for an error a close that says which (section 7.1.7). `event` is as
  /// next() returned it, before the next call of next(). Returns no_random.
  [[nodiscard]] Error answer(const Event& event, std::string& out);

  [[nodiscard]] Validity validity() const;

  /// For a conversation that rests: frees the memory that is kept for later messages, including the context of our own messages, if
  /// one was agreed on. The payload of the last event is gone too. Belongs to both halves: no other call may run meanwhile.
  void release_memory();

 private:
  std::unique_ptr<detail::StreamState> state_;
};

/// The payload of a close frame, split; for payloads that do not come from an Event.
struct Close {
  Error error = Error::none;  ///< close_payload, close_code or close_reason; then the rest does not count
  std::uint16_t code = 1005;  ///< 1005 if the payload is empty
  std::string_view reason;    ///< a view into the payload
};
/// RFC 6455 section 5.5.1.
WHARF_VISIBLE Close split_close(std::string_view payload);

// ---- The opening handshake in one call ----

using Fields = std::vector<std::pair<std::string, std::string>>;

/// The first field of that name, ignoring case.
WHARF_VISIBLE std::optional<std::string_view> find_field(const Fields& fields, std::string_view name);

struct ServerOptions {
  /// Subprotocols that are spoken here. The first of the client's that is among them is chosen; if none is, the client is refused.
  /// Empty: none is ever chosen, and nobody is refused for that.
  std::vector<std::string> protocols;
  /// Whether a client that offers no subprotocol at all is refused too, if `protocols` has any.
  bool protocol_required = false;
  Compression compression;                         ///< standard means shared
  Fields fields;                                   ///< to be added to a response that accepts, such as Set-Cookie
  std::size_t head_limit = Limits{}.request_head;  ///< bytes
};

enum class Outcome : std::uint8_t {
  incomplete,  ///< call again with more bytes
  accepted,    ///< the stream begins
  refused,     ///< `error` says why
};

/// A request, and the response to it.
struct ServerHandshake {
  Outcome outcome = Outcome::incomplete;
  Error error = Error::none;
  std::string_view reason;  ///< of a refusal: one sentence in static storage; for a fault of HTTP, more precise than message(error)
  std::string answer;       ///< all that has to be sent. After a refusal the connection has to be closed
  std::size_t used = 0;     ///< the size of the request's head; the bytes behind it belong to the stream
  std::string protocol;     ///< that was chosen; empty: none
  Agreement agreement;      ///< for the stream

  // Of the request, if it could be read, so that the response to upgrade_missing can be a page, and Origin can be checked.
  std::string method;
  std::string target;
  Fields fields;
};

/// Checks a request's head to the letter (RFC 6455 section 4.2.1, RFC 9112) and writes the response: 101; 400; 426 if another
/// version or no WebSocket at all was asked for; 414, 431, 501 or 505 for a fault of HTTP. `bytes` is all that was received so far.
/// If the options are invalid, the response is 500, and `error` is bad_protocol, bad_field, reserved_field or bad_compression.
WHARF_VISIBLE ServerHandshake answer_request(std::string_view bytes, const ServerOptions& options);

/// A response that refuses a request for a reason of the caller's: `status` 400 to 599, else it becomes 500; `text` is its body.
WHARF_VISIBLE std::string refusal(int status, std::string_view text);

struct ClientOptions {
  std::string host;                                ///< of the Host field: a name or address, and a port if it is not the scheme's
  std::string target = "/";                        ///< path and query
  std::vector<std::string> protocols;              ///< to offer, the preferred one first
  Compression compression;                         ///< to offer; standard means shared
  Fields fields;                                   ///< to be added, such as Origin or Cookie
  std::size_t head_limit = Limits{}.request_head;  ///< bytes of the response
  Random random;                                   ///< for the key

  /// What StreamOptions::memory_limit will be. Compression is offered only as far as that is enough for inflating: what
  /// `compression` says, and then any window if there is memory for the largest.
  std::uint64_t memory_limit = 0;
};

/// A request that was made, with what its response has to match.
struct ClientRequest {
  Error error = Error::none;  ///< bad_host, bad_target, bad_protocol, bad_field, reserved_field, bad_compression, no_random
  std::string bytes;          ///< all that has to be sent
  std::string key;            ///< of Sec-WebSocket-Key
  std::vector<std::string> protocols;
  Compression compression;
  std::size_t head_limit = 0;
  std::uint64_t memory_limit = 0;
};
/// RFC 6455 section 4.1.
WHARF_VISIBLE ClientRequest make_request(const ClientOptions& options);

struct ClientHandshake {
  Outcome outcome = Outcome::incomplete;
  Error error = Error::none;  ///< on an error the connection has to be closed
  std::string_view reason;    ///< one sentence in static storage, see ServerHandshake
  int status = 0;             ///< of the response, if it could be read; with status_not_101 its body follows
  std::size_t used = 0;       ///< the size of the heads; the bytes behind them belong to the stream
  std::string protocol;       ///< that the server chose; empty: none, even if some were offered
  Agreement agreement;        ///< for the stream
  Fields fields;              ///< of the response, if it could be read
};
/// Checks a response to the letter (RFC 6455 section 4.1, RFC 9112). `bytes` is all that was received so far. Responses 100 and 102
/// to 199, which announce another, are skipped.
WHARF_VISIBLE ClientHandshake check_answer(std::string_view bytes, const ClientRequest& request);

// ---- The opening handshake step by step, for programs that parse HTTP themselves ----
// Values are those of the field, without the white space around them; those of a repeated field are joined with ", ".

WHARF_VISIBLE Error check_http_version(std::string_view version);  ///< HTTP/1.1, or a higher HTTP/1, which is read as 1.1
WHARF_VISIBLE Error check_upgrade(std::string_view value);         ///< has `websocket`, ignoring case
WHARF_VISIBLE Error check_connection(std::string_view value);      ///< has `upgrade`, ignoring case
WHARF_VISIBLE Error check_version(std::string_view value);         ///< of Sec-WebSocket-Version: 13
WHARF_VISIBLE Error check_key(std::string_view value);             ///< of Sec-WebSocket-Key: base64 of 16 bytes
/// The Sec-WebSocket-Accept for a key (section 4.2.2).
WHARF_VISIBLE std::string accept_value(std::string_view key);
/// A client's check of Sec-WebSocket-Accept.
WHARF_VISIBLE Error check_accept(std::string_view value, std::string_view key);

struct ProtocolChoice {
  Error error = Error::none;  ///< protocols_malformed or protocol_unknown
  std::string_view protocol;  ///< a view into the offer; empty if there is none
};
/// The first of the client's protocols, in its order of preference, that is spoken here (section 4.2.2). Names are compared
/// exactly.
WHARF_VISIBLE ProtocolChoice choose_protocol(std::string_view offered, const std::vector<std::string>& spoken);

/// The outcome for permessage-deflate (RFC 7692 section 7.1).
struct Negotiation {
  Error error = Error::none;  ///< bad_compression; for a response also extension_not_offered
  Agreement agreement;
  std::string field;  ///< for a server: the value of Sec-WebSocket-Extensions in the response; empty: without that field
};
/// A server's choice for Sec-WebSocket-Extensions of a request. An offer that is ill-formed or cannot be met is skipped.
WHARF_VISIBLE Negotiation negotiate_compression(std::string_view offers, const Compression& wish);
/// The value of Sec-WebSocket-Extensions for a client's request; empty: without that field. `memory_limit`: see ClientOptions.
WHARF_VISIBLE std::string offer_compression(const Compression& wish, std::uint64_t memory_limit = 0);
/// A client's check of Sec-WebSocket-Extensions in the response to offer_compression(wish, memory_limit); empty if it has none. A
/// server may agree to less than the wish: everything that can be inflated within the limit is accepted.
WHARF_VISIBLE Negotiation check_compression(std::string_view answer, const Compression& wish, std::uint64_t memory_limit = 0);

}  // namespace wharf::websocket
