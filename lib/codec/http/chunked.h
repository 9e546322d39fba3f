#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http/request_head.h"
#include "wharf/limits.hpp"

namespace wharf::codec {

/// What a chunked body may have besides its data. Each is inclusive; the status behind it is for a body that exceeds it.
struct ChunkLimits {
  std::size_t extension = Limits{}.chunk_extension;  ///< bytes behind the size in one chunk's line, white space included; more: 413
  std::size_t extensions = Limits{}.chunk_extensions;    ///< bytes of extensions in all lines of a body together; more: 413
  std::size_t trailer = Limits{}.trailer;                ///< bytes of the trailer's field lines, their CRLFs included; more: 431
  std::size_t trailer_fields = Limits{}.trailer_fields;  ///< field lines in the trailer section; more: 431
};

/// A field of the trailer section. It is no field of the head and must not be made one (RFC 9110 section 6.5.1).
struct TrailerField {
  std::string name;   ///< a token, in the sender's case
  std::string value;  ///< without the white space around it
};

/// What becomes of the fields of a trailer section. Their syntax and their limits are checked either way.
enum class Trailers : std::uint8_t {
  kept,    ///< handed out; a field that belongs in the head is a fault, so that nobody takes it for one of the head
  dropped  ///< dropped, so no name is a fault (RFC 9112 section 7.1.2: a recipient may discard them)
};

/// A strict, incremental decoder of the chunked transfer coding, for one body of a request or a response: RFC 9112 section 7.1,
/// nothing ambiguous is repaired.
///
/// 400: a size that is not 1 to 16 hexadecimal digits (leading zeros count, so 64 bits are always enough); a bare CR or LF;
/// chunk data that is longer than its size; an extension that is not `;name`, `;name=token` or `;name="quoted string"`, or
/// holds a control character; a trailer field line that a request head would not take; if trailers are kept, a trailer field
/// that frames, routes, authenticates, modifies the request, controls the response or describes the content, which only the
/// head may do (RFC 9110 section 6.5.1).
/// Extensions are checked and dropped. White space around their ";" and "=" is accepted as in the grammar (BWS: SP and HTAB,
/// RFC 9110 section 5.6.3), and counts for the limits. Before CRLF the grammar has none.
class ChunkedDecoder {
 public:
  enum class State : std::uint8_t { more, data, done, failed };

  explicit ChunkedDecoder(const ChunkLimits& limits = {}, Trailers trailers = Trailers::kept)
      : left_(limits), keeps_trailers_(trailers == Trailers::kept) {}

  /// Takes bytes from the front of `bytes`, which shrinks by what was taken. more: all were taken. data: piece() is a part of
  /// the body; call again. done: the body has ended; the bytes that are left do not belong to it. failed: the first byte that
  /// is left shows the fault. Done and failed are final: every further call takes nothing. The outcome does not depend on how
  /// the bytes were cut, except for where pieces begin and end.
  State next(std::string_view& bytes);

  /// After data: not empty, a view into the bytes given. Else empty.
  [[nodiscard]] std::string_view piece() const { return piece_; }
  /// After done: the fields of the trailer section, in the order sent; none if they are dropped.
  [[nodiscard]] std::span<const TrailerField> trailers() const { return trailers_; }
  /// After failed: 400, 413 or 431. For a response, the caller chooses the status.
  [[nodiscard]] HeadError error() const { return error_ == nullptr ? HeadError{} : *error_; }

 private:
  enum class Phase : std::uint8_t {
    size,
    size_space,       // behind the size, before ";"
    extension_begin,  // behind ";"
    extension_name,
    extension_name_space,
    extension_value_begin,  // behind "="
    extension_token,
    extension_quoted,
    extension_escaped,
    extension_unquoted,  // behind the closing quote
    extension_value_space,
    size_line_feed,
    data,
    data_return,
    data_line_feed,
    trailer_begin,
    trailer_name,
    trailer_before_value,
    trailer_value,
    trailer_line_feed,
    last_line_feed,
    done
  };

  State take_data(std::string_view& bytes);
  void take(char c);
  void take_size(char c);
  void take_extension(char c);
  void take_extension_name(char c);
  void take_extension_value(char c);
  void take_trailer(char c);
  void begin_trailer_field(char c);
  void take_trailer_name(char c);
  void take_trailer_value(char c);
  void take_line_feed(char c);
  void fail(const HeadError& error) { error_ = &error; }
  void refuse(char found, const HeadError& error);

  ChunkLimits left_;                // what may still come
  std::size_t extension_left_ = 0;  // of the current line
  std::uint64_t chunk_left_ = 0;    // while the size is read: what it is so far
  std::string_view piece_;
  std::vector<TrailerField> trailers_;
  const HeadError* error_ = nullptr;  // static storage
  Phase phase_ = Phase::size;
  std::uint8_t digits_ = 0;  // of the size
  bool keeps_trailers_;
};

/// 16 digits and CRLF.
inline constexpr std::size_t max_chunk_header = 18;

/// Writes the line before a chunk's data, such as "1f4\r\n", and returns its length: at most max_chunk_header. Behind the data
/// comes "\r\n". `size` in bytes is not 0, which would end the body.
std::size_t write_chunk_header(char* out, std::uint64_t size);

/// Ends a body, without trailer fields.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace wharf::codec
