#pragma once
/// Forms with files: parses multipart/form-data (RFC 7578) as it arrives, in a few KiB of memory whatever is uploaded.
///
///     struct Upload {                    // what receives the pieces of a request's body
///       wharf::MultipartParser parser;   // made from *wharf::MultipartParser::boundary(content_type)
///
///       void part(const wharf::MultipartPart& part) { open_for(part); }
///       void part_data(std::string_view data) { file.write(data); }
///       void part_end() { file.close(); }
///
///       bool body(std::string_view piece) { return parser.feed(piece, *this); }   // false: respond with parser.status()
///       bool body_end() { return parser.finish(); }
///     };
///
/// The parser is strict: what two parsers could read differently is an error. This header is all inline: a plugin needs no
/// library to link against. Exceptions that may leave a call: std::bad_alloc and those of the handler; after one, the parser
/// can only be destroyed.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "wharf/form.hpp"
#include "wharf/hidden.hpp"
#include "wharf/multipart_head.hpp"

namespace WHARF_HIDDEN wharf {

namespace detail::multipart {

/// Calls one of a handler's members: false if it says so.
template <class Call>
bool goes_on(Call call) {
  using Answer = decltype(call());
  static_assert(std::is_void_v<Answer> || std::same_as<Answer, bool>, "part, part_data and part_end return nothing or bool");
  if constexpr (std::is_void_v<Answer>) {
    call();
    return true;
  } else {
    return call();
  }
}

}  // namespace detail::multipart

/// Parses one body. The outcome does not depend on how the bytes are cut, except for the places where data are cut. It keeps
/// one part's head at most, and no data: those are handed on as they arrive. Errors are sticky. For one thread at a time.
class MultipartParser {
 public:
  /// The boundary in the value of a request's Content-Type field; nothing if that is not multipart/form-data, is malformed,
  /// or has not exactly one boundary of 1 to 70 of the characters that RFC 2046 section 5.1.1 allows. A boundary that is no token
  /// has to be in quotes.
  static std::optional<std::string> boundary(std::string_view content_type);

  /// With a boundary that boundary() would not have found, every feed() fails.
  explicit MultipartParser(std::string_view boundary, const MultipartLimits& limits = {})
      : limits_(limits),
        error_(detail::multipart::is_boundary(boundary) ? MultipartError::none : MultipartError::boundary),
        delimiter_("\r\n--" + std::string(boundary)),
        head_(limits) {}

  /// The next bytes of the body. False: it failed, now or earlier; nothing more is called. The handler has these members, which
  /// return nothing, or false to end it with MultipartError::refused:
  ///
  ///     void part(const wharf::MultipartPart& part);   a part begins; lent during the call
  ///     void part_data(std::string_view data);         some of its data, never empty; lent during the call
  ///     void part_end();                               all of it was there, and its delimiter
  ///
  /// They must not feed or destroy the parser. A part that was begun before a failure gets no part_end().
  template <class Handler>
  [[nodiscard]] bool feed(std::string_view bytes, Handler& handler);

  /// The body is over. False: it failed, or its closing delimiter is missing.
  [[nodiscard]] bool finish();

  [[nodiscard]] MultipartError error() const { return error_; }
  /// The status to respond with: 413 if a limit was reached, else 400.
  [[nodiscard]] int status() const { return error_ >= MultipartError::too_many_parts ? 413 : 400; }
  /// One sentence about the error for a person, in static storage.
  [[nodiscard]] std::string_view reason() const;

 private:
  enum class State : std::uint8_t {
    data,       ///< or the preamble
    delimiter,  ///< behind the delimiter's last byte
    padding,
    line_feed,  ///< behind the CR of a delimiter's line
    head,
    hyphen,  ///< behind the first of two
    closed,  ///< behind the closing delimiter
    closed_line_feed,
    epilogue
  };

  void fail(MultipartError error) { error_ = error; }
  template <class Handler>
  void read_data(std::string_view& bytes, Handler& handler);
  template <class Handler>
  void pass(std::string_view data, Handler& handler);
  template <class Handler>
  void read_delimiter(char c, Handler& handler);
  template <class Handler>
  void end_part(Handler& handler);
  template <class Handler>
  void read_head(std::string_view& bytes, Handler& handler);

  [[nodiscard]] std::size_t find_delimiter(std::string_view bytes) const;
  bool resume_delimiter(std::string_view& bytes);
  void begin_head();

  MultipartLimits limits_;
  MultipartError error_;
  State state_ = State::data;
  bool in_part_ = false;
  std::string delimiter_;  ///< with the CRLF before it; it has no other CR
  /// The bytes of the delimiter seen so far, of which the first `implied_` belong to the line before, not to the data: a body and
  /// a part's data may begin with a delimiter as if a CRLF were before it.
  std::size_t matched_ = 2;
  std::size_t implied_ = 2;
  std::size_t parts_ = 0;
  std::uint64_t part_size_ = 0;
  std::uint64_t fed_ = 0;
  detail::multipart::HeadReader head_;
};

template <class Handler>
bool MultipartParser::feed(std::string_view bytes, Handler& handler) {
  // clang-format off
  static_assert(requires(const MultipartPart& part) { handler.part(part); },
                "a handler needs: void part(const wharf::MultipartPart& part), or bool");
  static_assert(requires { handler.part_data(std::string_view()); },
                "a handler needs: void part_data(std::string_view data), or bool");
  static_assert(requires { handler.part_end(); }, "a handler needs: void part_end(), or bool");
  // clang-format on
  const std::uint64_t room = limits_.body_size - fed_;
  const bool fits = bytes.size() <= room;
  if (!fits) bytes = bytes.substr(0, static_cast<std::size_t>(room));
  fed_ += bytes.size();
  while (!bytes.empty() && error_ == MultipartError::none) {
    switch (state_) {
      case State::data: read_data(bytes, handler); break;
      case State::head: read_head(bytes, handler); break;
      case State::epilogue: bytes = {}; break;
      default: read_delimiter(bytes.front(), handler); bytes.remove_prefix(1);
    }
  }
  if (!fits && error_ == MultipartError::none) fail(MultipartError::body_too_large);
  return error_ == MultipartError::none;
}

inline bool MultipartParser::finish() {
  const bool finished = state_ == State::closed || state_ == State::epilogue;
  if (!finished && error_ == MultipartError::none) fail(MultipartError::unfinished);
  return error_ == MultipartError::none;
}

/// Hands on the data before what is, or may become, a delimiter.
template <class Handler>
void MultipartParser::read_data(std::string_view& bytes, Handler& handler) {
  if (matched_ > 0) {
    if (resume_delimiter(bytes)) return;
    pass(std::string_view(delimiter_).substr(implied_, matched_ - implied_), handler);
    matched_ = implied_ = 0;
    if (error_ != MultipartError::none) return;
  }
  const std::size_t begin = find_delimiter(bytes);
  pass(bytes.substr(0, begin), handler);
  bytes.remove_prefix(begin);
  resume_delimiter(bytes);
}

/// Where the delimiter begins, or may begin if the right bytes follow; else the size. This is linear: only the first byte of a
/// delimiter is a CR, so bytes that were compared in vain hold no other beginning.
inline std::size_t MultipartParser::find_delimiter(std::string_view bytes) const {
  const std::string_view delimiter = delimiter_;
  for (std::size_t at = bytes.find('\r'); at != std::string_view::npos; at = bytes.find('\r', at + 1))
    if (delimiter.starts_with(bytes.substr(at, delimiter.size()))) return at;
  return bytes.size();
}

/// Takes as much of a delimiter's rest as is there. False, and nothing is taken, if something else follows.
inline bool MultipartParser::resume_delimiter(std::string_view& bytes) {
  const std::string_view rest = std::string_view(delimiter_).substr(matched_);
  const std::size_t size = std::min(rest.size(), bytes.size());
  if (rest.substr(0, size) != bytes.substr(0, size)) return false;
  matched_ += size;
  bytes.remove_prefix(size);
  if (matched_ == delimiter_.size()) state_ = State::delimiter;
  return true;
}

template <class Handler>
void MultipartParser::pass(std::string_view data, Handler& handler) {
  if (!in_part_) return;
  const std::uint64_t room = limits_.part_size - part_size_;
  const bool fits = data.size() <= room;
  if (!fits) data = data.substr(0, static_cast<std::size_t>(room));
  part_size_ += data.size();
  if (!data.empty() && !detail::multipart::goes_on([&] { return handler.part_data(data); })) fail(MultipartError::refused);
  else if (!fits) fail(MultipartError::part_too_large);
}

/// One byte of what follows a delimiter on its line.
template <class Handler>
void MultipartParser::read_delimiter(char c, Handler& handler) {
  const bool space = detail::form::is_space(c);
  if ((state_ == State::delimiter || state_ == State::padding) && space) {
    state_ = State::padding;
  } else if ((state_ == State::delimiter || state_ == State::padding) && c == '\r') {
    state_ = State::line_feed;
  } else if (state_ == State::line_feed && c == '\n') {
    end_part(handler);
    begin_head();
  } else if (state_ == State::delimiter && c == '-') {
    state_ = State::hyphen;
  } else if (state_ == State::hyphen && c == '-') {
    end_part(handler);
    state_ = State::closed;
  } else if (state_ == State::closed && c == '\r') {
    state_ = State::closed_line_feed;
  } else if (state_ == State::closed_line_feed && c == '\n') {
    state_ = State::epilogue;
  } else if (state_ != State::closed || !space) {
    fail(MultipartError::delimiter);
  }
}

template <class Handler>
void MultipartParser::end_part(Handler& handler) {
  if (std::exchange(in_part_, false) && !detail::multipart::goes_on([&] { return handler.part_end(); }))
    fail(MultipartError::refused);
}

inline void MultipartParser::begin_head() {
  if (error_ != MultipartError::none) return;
  if (parts_ >= limits_.parts) return fail(MultipartError::too_many_parts);
  ++parts_;
  head_.reset();
  state_ = State::head;
}

template <class Handler>
void MultipartParser::read_head(std::string_view& bytes, Handler& handler) {
  const bool complete = head_.read(bytes);
  error_ = head_.error();
  if (!complete) return;
  in_part_ = true;
  part_size_ = 0;
  state_ = State::data;
  matched_ = implied_ = 2;
  if (!detail::multipart::goes_on([&] { return handler.part(head_.part()); })) fail(MultipartError::refused);
}

inline std::optional<std::string> MultipartParser::boundary(std::string_view content_type) {
  const std::size_t end = std::min(content_type.find(';'), content_type.size());
  if (!detail::form::equal_ignoring_case(detail::form::trim(content_type.substr(0, end)), "multipart/form-data"))
    return std::nullopt;
  std::optional<std::string> found;
  detail::multipart::ParameterReader reader(content_type.substr(end));
  while (const auto parameter = reader.next()) {
    if (!detail::form::equal_ignoring_case(parameter->name, "boundary")) continue;
    if (found) return std::nullopt;
    found = parameter->quoted ? detail::multipart::unquoted(parameter->value) : std::string(parameter->value);
  }
  return reader.well_formed() && found && detail::multipart::is_boundary(*found) ? found : std::nullopt;
}

inline std::string_view MultipartParser::reason() const {
  switch (error_) {
    case MultipartError::none: return "no error";
    case MultipartError::boundary: return "no valid boundary of multipart/form-data";
    case MultipartError::delimiter: return "a delimiter of parts goes on with something else than the end of its line";
    case MultipartError::head: return "a line in the head of a part is malformed";
    case MultipartError::disposition: return "a part without exactly one valid Content-Disposition and name";
    case MultipartError::type: return "a part with more than one Content-Type";
    case MultipartError::transfer_encoding: return "a part with a Content-Transfer-Encoding";
    case MultipartError::unfinished: return "the body ended before its closing delimiter";
    case MultipartError::refused: return "a part was refused";
    case MultipartError::too_many_parts: return "more parts than allowed";
    case MultipartError::part_head_too_large: return "the head of a part is longer than allowed";
    case MultipartError::too_many_fields: return "a part has more fields than allowed";
    case MultipartError::name_too_long: return "the name of a part is longer than allowed";
    case MultipartError::file_name_too_long: return "the name of a file is longer than allowed";
    case MultipartError::part_too_large: return "a part is longer than allowed";
    case MultipartError::body_too_large: return "the body is longer than allowed";
  }
  return "unknown error";
}

}  // namespace wharf
