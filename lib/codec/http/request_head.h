#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wharf/limits.hpp"

namespace wharf::codec {

/// Bytes and counts that a request head may take. Each is inclusive: a head of exactly this size passes.
struct HeadLimits {
  std::size_t request_line = Limits{}.request_line;  ///< without its CRLF; longer: 414
  std::size_t head = Limits{}.request_head;          ///< request line, fields and the empty line, all CRLFs included; longer: 431
  std::size_t fields = Limits{}.request_fields;      ///< field lines; more: 431
};

enum class HttpVersion : std::uint8_t { http10, http11, http2 };
/// Such as "HTTP/1.1"; static storage.
std::string_view name_of(HttpVersion version);

struct Field {
  std::string_view name;   ///< a token, in the sender's case; compare with base::equal_ignoring_case
  std::string_view value;  ///< without the white space around it
};

/// How the length of a request's body is known (RFC 9112 section 6).
enum class BodyFraming : std::uint8_t { none, length, chunked };

/// A parsed request head. Every view points into the bytes given to the parse() call that returned done.
struct RequestHead {
  std::string_view method;
  std::string_view protocol;  ///< `:protocol` of an extended CONNECT (RFC 8441 section 4); without one empty
  std::string_view target;    ///< as sent: origin form, absolute form, "*" with OPTIONS, authority form with CONNECT
  std::string_view
      path;  ///< of the target, still percent-encoded; starts with '/' and may be a constant; empty with "*" and CONNECT
  std::string_view query;  ///< of the target, still percent-encoded, without '?'; empty if there is none
  HttpVersion version = HttpVersion::http11;
  std::vector<Field> fields;  ///< in the order sent
  std::string_view host;      ///< the Host value, or the authority of an absolute target; empty only with HTTP/1.0
  BodyFraming body = BodyFraming::none;
  std::uint64_t content_length = 0;  ///< bytes; only with BodyFraming::length
  bool keep_alive = true;            ///< what version and Connection say (RFC 9112 section 9.3)

  // What the client of such a request can do. HTTP/1.0 knows none of it.
  [[nodiscard]] bool takes_interim() const { return version != HttpVersion::http10; }  ///< RFC 9110 section 15.2
  [[nodiscard]] bool takes_chunks() const { return version == HttpVersion::http11; }   ///< RFC 9112 section 7.1
  [[nodiscard]] bool may_upgrade() const { return version == HttpVersion::http11; }    ///< RFC 9110 section 7.8
  /// Whether it asks for a stream of its own that leaves HTTP for `protocol`.
  [[nodiscard]] bool is_extended_connect() const { return !protocol.empty(); }  ///< RFC 8441 section 4

  /// The value of the first field of that name, or an empty view with a null data() if there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
  /// The number of field lines with that name.
  [[nodiscard]] std::size_t count(std::string_view name) const;
  /// Whether `token` is an element of the comma-separated list that all fields of that name make together, ignoring case.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;
};

/// A request head with its own copy of the bytes that its views point into, because those that it was parsed from are lent.
class KeptHead {
 public:
  /// Copies the bytes that the head's views point into, which lie in one piece from the method on.
  explicit KeptHead(const RequestHead& head);
  /// `bytes` are those that the head was parsed from.
  KeptHead(RequestHead head, std::string&& bytes);
  ~KeptHead() = default;
  KeptHead(const KeptHead&) = delete;
  KeptHead& operator=(const KeptHead&) = delete;

  [[nodiscard]] const RequestHead& head() const { return head_; }

 private:
  void move_views(const char* from);

  std::string bytes_;
  RequestHead head_;
};

/// Why a head, or a chunked body, was refused: the status of the response (400, 413, 414, 431, 501 or 505) and one sentence for a
/// person.
struct HeadError {
  int status = 0;
  std::string_view reason;  ///< static storage
};

/// A strict, incremental parser of HTTP/1 request heads: RFC 9112 sections 2 to 7, nothing ambiguous is repaired.
///
/// Bare CR or LF, NUL and other control characters, white space before a colon, obs-fold, a missing, repeated or malformed Host
/// (HTTP/1.1), repeated or malformed Content-Length, Content-Length with Transfer-Encoding, a transfer coding other than exactly
/// one final `chunked`: 400 (501 for another coding before it). An absolute target whose authority differs from Host: 400. A
/// version other than HTTP/1.0 or HTTP/1.1: 505 if the line is otherwise well-formed, else 400. One empty line (CRLF) before the
/// request line is skipped (RFC 9112 section 2.2). Owns no input; errors are sticky until reset().
class RequestParser {
 public:
  enum class State : std::uint8_t { more, done, failed };

  explicit RequestParser(const HeadLimits& limits = {}) : limits_(limits) { set_limit(); }

  /// `bytes` is all that was received of this head so far: it starts with the head's first byte at every call and only grows at its
  /// end; it may have moved in memory. Bytes behind the head are ignored. Work already done is not repeated, and the outcome does
  /// not depend on how the bytes were cut. A forbidden byte and an exceeded limit are reported at the byte that shows them, a fault
  /// of a whole line at its end.
  State parse(std::string_view bytes);

  /// After done; its views are into the bytes of that call.
  [[nodiscard]] const RequestHead& head() const { return head_; }
  /// After done: how many bytes the head took, a skipped empty line and the final empty line included.
  [[nodiscard]] std::size_t size() const { return position_; }
  /// After failed.
  [[nodiscard]] const HeadError& error() const { return error_; }

  /// Ready for the next head. Keeps the memory of the field list.
  void reset();

 private:
  enum class Phase : std::uint8_t {
    start,
    empty_line_feed,
    method,
    target,
    version,  // up to here the limit of the request line applies
    request_line_end,
    request_line_feed,
    field_start,
    field_name,
    before_value,
    field_value,
    field_line_feed,
    last_line_feed
  };
  enum class FieldKind : std::uint8_t { other, host, content_length, transfer_encoding, connection };
  struct Span {  // offsets, because the bytes may move between calls
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };
  struct FieldSpan {
    Span name;
    Span value;
  };
  struct Seen {
    bool host : 1 = false;
    bool chunked : 1 = false;
    bool other_coding : 1 = false;
    bool close : 1 = false;
    bool keep_alive : 1 = false;
  };

  void set_limit();
  void read_method(std::string_view bytes);
  void read_target(std::string_view bytes);
  void read_version(std::string_view bytes);
  void read_request_line_end(char found);
  void read_line_feed(std::string_view bytes);
  void end_request_line(std::string_view bytes);
  void start_field(std::string_view bytes);
  void read_field_name(std::string_view bytes);
  void read_field_value(std::string_view bytes);
  void check_target(std::string_view bytes);
  void check_field_name(std::string_view name);
  void check_field_value(std::string_view value);
  void check_content_length(std::string_view value);
  void check_transfer_encoding(std::string_view value);
  void finish(std::string_view bytes);
  void fail(int status, std::string_view reason);
  void refuse(char found, std::string_view reason);

  HeadLimits limits_;
  RequestHead head_;
  HeadError error_;
  std::size_t limit_ = 0;     // where the bytes of the phase end at the latest
  std::size_t line_ = 0;      // start of the request line
  std::size_t position_ = 0;  // first byte not yet looked at
  std::vector<FieldSpan> field_spans_;
  Span method_;
  Span target_;
  Span host_;
  State state_ = State::more;
  Phase phase_ = Phase::start;
  FieldKind field_kind_ = FieldKind::other;
  Seen seen_;
};

}  // namespace wharf::codec
