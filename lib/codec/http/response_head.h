#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "codec/http/request_head.h"
#include "wharf/limits.hpp"

namespace wharf::codec {

/// A response's head as a client received it (RFC 9112 section 4). Every view points into the bytes that were read.
struct AnswerHead {
  HttpVersion version = HttpVersion::http11;
  int status = 0;             ///< 100 to 999; a status above 599 means the same as 500 (RFC 9110 section 15)
  std::string_view phrase;    ///< may be empty
  std::vector<Field> fields;  ///< in the order sent
  std::size_t size = 0;       ///< bytes, the empty line included

  /// The values of all fields of that name, in order.
  [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
};

struct AnswerLimits {
  std::size_t head = Limits{}.request_head;      ///< bytes, the empty line included
  std::size_t fields = Limits{}.request_fields;  ///< field lines
};

enum class AnswerState : std::uint8_t { more, done, malformed, too_large };

struct AnswerRead {
  AnswerState state = AnswerState::more;
  std::string_view reason;  ///< of malformed and too_large: one sentence, static storage
};

/// Reads a response's head from the front of `bytes`, all that was received of it so far; bytes behind it are ignored. `head` is
/// set if it returns done. Strict, RFC 9112 to the letter: bare CR or LF, NUL and other control characters, white space before a
/// colon, obs-fold, a field name that is no token, a version other than HTTP/1.x, and a status line that is no status line are
/// malformed, found at the byte that shows it if that is in the status line or is a control character, else at the line's end. One
/// thing may be missing that the RFC asks for, because many servers leave it out: the space behind a status without a phrase.
AnswerRead read_answer_head(std::string_view bytes, const AnswerLimits& limits, AnswerHead& head);

/// How the end of a response's body is known.
enum class AnswerBody : std::uint8_t { none, length, chunked, until_close, malformed };

struct AnswerFraming {
  AnswerBody body = AnswerBody::none;
  std::uint64_t content_length = 0;  ///< bytes; only with AnswerBody::length
  std::string_view reason;           ///< of malformed: one sentence, static storage
};

/// RFC 9112 section 6.3, for the response to a request of that method. None, whatever the fields say: to HEAD, 1xx, 204, 304 and
/// 2xx to CONNECT; after a 101 and a 2xx to CONNECT the connection speaks something else. Malformed, even if the RFC
/// lets a client guess or go on with care: Content-Length more than once (also as a list), not a decimal number of 64 bits, or
/// beside Transfer-Encoding; a Transfer-Encoding that is not `chunked` alone, or comes with HTTP/1.0. A connection that brought a
/// malformed response must not be used again.
AnswerFraming answer_framing(const AnswerHead& head, std::string_view request_method);

/// What version and Connection say (RFC 9112 section 9.3). A body until_close ends the connection all the same.
bool keep_alive(const AnswerHead& head);

/// The seconds for which the server keeps the connection between requests, as Keep-Alive says (RFC 2068 section 19.7.1.1).
/// nullopt: it does not say.
std::optional<std::uint64_t> keep_alive_timeout(const AnswerHead& head);

}  // namespace wharf::codec
