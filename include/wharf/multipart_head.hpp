#pragma once
/// The head of one part of a form, for multipart.hpp, which is the header to include.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/form.hpp"
#include "wharf/hidden.hpp"

namespace WHARF_HIDDEN wharf {

/// Bytes and counts that a body may take. Each is inclusive: exactly that much still passes.
struct MultipartLimits {
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  std::size_t parts = 100;
  std::size_t part_head = 8 * 1024;     ///< bytes: the fields of a part and the empty line, all CRLFs included
  std::size_t part_head_fields = 16;    ///< fields of one part
  std::size_t name = 256;               ///< bytes of a part's name, decoded
  std::size_t file_name = 1024;         ///< bytes of a file's name, decoded
  std::uint64_t part_size = unlimited;  ///< bytes of one part's data
  std::uint64_t body_size = unlimited;  ///< bytes fed in all, delimiters, heads, preamble and epilogue included
};

/// What the head of a part says. All of it comes from the client, and is not checked for UTF-8. Names have no control
/// characters except those that a browser wrote as %0D and %0A, and horizontal tabs.
struct MultipartPart {
  std::string name;
  /// Nothing: a field that is no file. Empty: a file control in which no file was chosen. Never use it as a path; see
  /// base_name().
  std::optional<std::string> file_name;
  std::string type;  ///< the value of Content-Type; empty if there is none, which means text/plain
};

/// The part behind the last '/' or '\' of a file's name, as some browsers send the whole path; empty for "." and "..". It still
/// comes from the client: it may be that of a file that exists already, begin with a dot, or mean something to the file system.
[[nodiscard]] inline std::string base_name(std::string_view file_name) {
  const std::size_t slash = file_name.find_last_of("/\\");
  if (slash != std::string_view::npos) file_name.remove_prefix(slash + 1);
  return std::string(file_name == "." || file_name == ".." ? "" : file_name);
}

enum class MultipartError : std::uint8_t {
  none,
  boundary,           ///< the parser was made with an invalid boundary
  delimiter,          ///< a line that begins with the delimiter and goes on with something other than white space
  head,               ///< a line of a part's head that is no field with CRLF: bare CR or LF, controls, folded, begins with --
  disposition,        ///< not exactly one Content-Disposition of form-data, or it is malformed, or without a name
  type,               ///< more than one Content-Type
  transfer_encoding,  ///< a Content-Transfer-Encoding that changes the data (RFC 7578 section 4.7)
  unfinished,         ///< the body ended before its closing delimiter
  refused,            ///< the handler returned false

  too_many_parts,
  part_head_too_large,
  too_many_fields,
  name_too_long,
  file_name_too_long,
  part_too_large,
  body_too_large,
};

namespace detail::multipart {

constexpr std::size_t longest_boundary = 70;

/// RFC 2046 section 5.1.1.
constexpr bool is_boundary_char(char c) {
  return form::is_digit(c) || form::is_letter(c) ||
         (c != '\0' && std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos);
}
constexpr bool is_boundary(std::string_view text) {
  return form::consists_of(text, is_boundary_char) && text.size() <= longest_boundary && !text.ends_with(' ');
}

struct FieldParameter {
  std::string_view name;
  std::string_view value;  ///< the text between the quotes, as it is, if there are quotes
  bool quoted = false;
};

/// Reads the parameters of a field's value (RFC 9110 section 5.6.6), from the first ';' on.
class ParameterReader {
 public:
  explicit ParameterReader(std::string_view text) : text_(form::trim(text)) {}

  /// Nothing at the end, or if the grammar is broken.
  std::optional<FieldParameter> next() {
    while (well_formed_ && !text_.empty()) {
      well_formed_ = text_.front() == ';';
      text_ = form::trim(text_.substr(1));
      if (!well_formed_ || text_.empty() || text_.front() == ';') continue;
      FieldParameter parameter;
      well_formed_ = take(parameter);
      text_ = form::trim(text_);
      if (well_formed_) return parameter;
    }
    return std::nullopt;
  }

  /// Whether all that was read so far is well-formed.
  [[nodiscard]] bool well_formed() const { return well_formed_; }

 private:
  bool take(FieldParameter& parameter) {
    parameter.name = take_token();
    if (parameter.name.empty() || !text_.starts_with('=')) return false;
    text_.remove_prefix(1);
    parameter.quoted = text_.starts_with('"');
    if (parameter.quoted) return take_quoted(parameter.value);
    parameter.value = take_token();
    return !parameter.value.empty();
  }

  std::string_view take_token() {
    std::size_t size = 0;
    while (size < text_.size() && form::is_token_char(text_[size])) ++size;
    const std::string_view token = text_.substr(0, size);
    text_.remove_prefix(size);
    return token;
  }

  bool take_quoted(std::string_view& value) {
    for (std::size_t i = 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') ++i;
      else if (text_[i] == '"') {
        value = text_.substr(1, i - 1);
        text_.remove_prefix(i + 1);
        return true;
      }
    }
    return false;
  }

  std::string_view text_;
  bool well_formed_ = true;
};

/// The value of a quoted-string as RFC 9110 section 5.6.4 has it.
inline std::string unquoted(std::string_view value) {
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

/// A name as browsers write it in quotes: %22, %0D and %0A stand for characters that are not allowed there, and nothing else is
/// encoded, not even '%'. A backslash means itself, except in other clients' \" and \\.
inline std::string form_name(std::string_view value) {
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string_view three = value.substr(i, 3);
    const bool encoded = three == "%22" || three == "%0D" || three == "%0A";
    const bool escaped = three.starts_with("\\\"") || three.starts_with("\\\\");
    if (encoded) text += form::decode(three, form::Plus::plus);
    else text += value[escaped ? i + 1 : i];
    i += encoded ? 2 : escaped ? 1 : 0;
  }
  return text;
}

/// One field of a part's head; the name is a token, and the value has no control characters except horizontal tabs.
struct HeadField {
  std::string_view name;
  std::string_view value;
};

/// A line with its LF. Nothing if it is no field, or if it begins like a delimiter, for which others may take it.
inline std::optional<HeadField> read_field(std::string_view line) {
  if (!line.ends_with("\r\n") || line.starts_with("--")) return std::nullopt;
  line.remove_suffix(2);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !form::is_token(line.substr(0, colon))) return std::nullopt;
  const auto is_forbidden = [](char c) { return form::is_control(c) && c != '\t'; };
  if (std::any_of(line.begin(), line.end(), is_forbidden)) return std::nullopt;
  return HeadField{line.substr(0, colon), form::trim(line.substr(colon + 1))};
}

/// Collects the head of a part and reads it, one line at a time: it keeps what a part says, and a line that was cut.
class HeadReader {
 public:
  explicit HeadReader(const MultipartLimits& limits) : limits_(limits) {}

  /// For the head of the next part.
  void reset() { *this = HeadReader(limits_); }

  /// Takes the bytes that belong to the head. True: it is complete.
  bool read(std::string_view& bytes);

  [[nodiscard]] MultipartError error() const { return error_; }
  [[nodiscard]] const MultipartPart& part() const { return part_; }

 private:
  void fail(MultipartError error) { error_ = error; }
  bool take_line(std::string_view line);
  void take_field(const HeadField& field);
  void take_disposition(std::string_view value);
  void take_parameter(const FieldParameter& parameter);

  MultipartLimits limits_;
  MultipartError error_ = MultipartError::none;
  bool has_disposition_ = false;
  bool has_name_ = false;
  bool has_type_ = false;
  std::size_t size_ = 0;
  std::size_t fields_ = 0;
  std::string line_;  ///< the beginning of a line whose end is still to come
  MultipartPart part_;
};

inline bool HeadReader::read(std::string_view& bytes) {
  bool complete = false;
  while (!complete && !bytes.empty() && error_ == MultipartError::none) {
    const std::size_t feed = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, feed == std::string_view::npos ? feed : feed + 1);
    if (piece.size() > limits_.part_head - size_) {
      fail(MultipartError::part_head_too_large);
      break;
    }
    size_ += piece.size();
    bytes.remove_prefix(piece.size());
    line_ += piece;
    if (feed == std::string_view::npos) break;
    complete = take_line(line_);
    line_.clear();
  }
  return complete;
}

/// A line with its LF. True: it was the empty one that ends the head.
inline bool HeadReader::take_line(std::string_view line) {
  if (line == "\r\n") {
    if (!has_name_) fail(MultipartError::disposition);
    return has_name_;
  }
  if (++fields_ > limits_.part_head_fields) {
    fail(MultipartError::too_many_fields);
  } else if (const auto field = read_field(line)) {
    take_field(*field);
  } else {
    fail(MultipartError::head);
  }
  return false;
}

/// Fields other than these are ignored (RFC 7578 section 4.8).
inline void HeadReader::take_field(const HeadField& field) {
  using form::equal_ignoring_case;
  if (equal_ignoring_case(field.name, "content-disposition")) {
    if (std::exchange(has_disposition_, true)) return fail(MultipartError::disposition);
    take_disposition(field.value);
  } else if (equal_ignoring_case(field.name, "content-type")) {
    if (std::exchange(has_type_, true)) return fail(MultipartError::type);
    part_.type = field.value;
  } else if (equal_ignoring_case(field.name, "content-transfer-encoding")) {
    const auto is = [&](std::string_view encoding) { return equal_ignoring_case(field.value, encoding); };
    if (!is("binary") && !is("8bit") && !is("7bit")) fail(MultipartError::transfer_encoding);
  }
}

/// RFC 7578 section 4.2: `filename*` is not for forms, and ignored like every unknown parameter.
inline void HeadReader::take_disposition(std::string_view value) {
  const std::size_t end = std::min(value.find(';'), value.size());
  if (!form::equal_ignoring_case(form::trim(value.substr(0, end)), "form-data")) return fail(MultipartError::disposition);
  ParameterReader reader(value.substr(end));
  while (const auto parameter = reader.next()) {
    take_parameter(*parameter);
    if (error_ != MultipartError::none) return;
  }
  if (!reader.well_formed()) fail(MultipartError::disposition);
}

inline void HeadReader::take_parameter(const FieldParameter& parameter) {
  const bool is_name = form::equal_ignoring_case(parameter.name, "name");
  if (!is_name && !form::equal_ignoring_case(parameter.name, "filename")) return;
  if (is_name ? has_name_ : part_.file_name.has_value()) return fail(MultipartError::disposition);
  std::string text = parameter.quoted ? form_name(parameter.value) : std::string(parameter.value);
  if (is_name) {
    if (text.size() > limits_.name) return fail(MultipartError::name_too_long);
    has_name_ = true;
    part_.name = std::move(text);
  } else {
    if (text.size() > limits_.file_name) return fail(MultipartError::file_name_too_long);
    part_.file_name = std::move(text);
  }
}

}  // namespace detail::multipart

}  // namespace wharf
