#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "codec/http_head.h"

namespace wharf::codec {

/// A response's head as a client received it (RFC 9112 section 4). Every view points into the bytes that were read.
struct AnswerHead {
  HttpVersion version = HttpVersion::http11;
  int status = 0;             ///< 100 to 599
  std::string_view phrase;    ///< may be empty
  std::vector<Field> fields;  ///< in the order sent
  std::size_t size = 0;       ///< bytes, the empty line included

  /// The values of all fields of that name, in order.
  [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
};

struct AnswerLimits {
  std::size_t head = 16 * 1024;  ///< bytes, the empty line included
  std::size_t fields = 100;      ///< field lines
};

enum class AnswerState : std::uint8_t { more, done, malformed, too_large };

struct AnswerRead {
  AnswerState state = AnswerState::more;
  std::string_view reason;  ///< of malformed and too_large: one sentence, static storage
};

/// Reads a response's head from the front of `bytes`, all that was received of it so far; what follows it is not looked at. `head` is set
/// where it returns done. Strict, RFC 9112 to the letter: bare CR or LF, NUL and other control characters, white space before a colon,
/// obs-fold, a field name that is no token, a version other than HTTP/1.0 and HTTP/1.1, and a status line that is no status line are
/// malformed, found with the byte that shows it where that stands in the status line or is a control character, else at the line's end.
AnswerRead read_answer_head(std::string_view bytes, const AnswerLimits& limits, AnswerHead& head);

}  // namespace wharf::codec
