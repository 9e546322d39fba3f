#include "codec/http/chunked.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

constexpr std::uint8_t longest_size = 16;  // digits

constexpr HeadError bare_line_feed{400, "A line feed stands without a carriage return before it."};
constexpr HeadError bare_carriage_return{400, "A carriage return stands without a line feed behind it."};
constexpr HeadError no_size{400, "A chunk does not start with its size in hexadecimal digits."};
constexpr HeadError size_too_long{400, "A chunk size has more than 16 digits."};
constexpr HeadError size_not_ended{400, "A chunk size is not followed by an extension or the end of the line."};
constexpr HeadError bad_extension{400, "A chunk extension is not a name with or without a value."};
constexpr HeadError extension_control{400, "A chunk extension holds a control character."};
constexpr HeadError extension_too_long{413, "The chunk extensions are longer than the limit."};
constexpr HeadError data_not_ended{400, "The data of a chunk is not followed by the end of a line."};
constexpr HeadError trailer_folded{400, "A field line starts with white space; folded lines are not taken."};
constexpr HeadError trailer_no_name{400, "A field line does not start with a field name."};
constexpr HeadError trailer_space{400, "White space stands before the colon of a field."};
constexpr HeadError trailer_no_colon{400, "A field name is not followed by a colon."};
constexpr HeadError trailer_control{400, "A field value holds a control character."};
constexpr HeadError trailer_forbidden{400, "A field stands in the trailer section that belongs in the head."};
constexpr HeadError trailer_too_long{431, "The trailer section is larger than the limit."};
constexpr HeadError too_many_trailers{431, "The trailer section has more fields than the limit."};

/// By the kinds of RFC 9110 section 6.5.1.
constexpr std::string_view forbidden_in_trailers[] = {
    // message framing, and the connection
    "content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "proxy-connection", "upgrade",
    // routing
    "host", "max-forwards",
    // authentication
    "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "cookie", "set-cookie",
    // request modifiers
    "cache-control", "pragma", "expect", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
    "if-range",
    // response controls
    "age", "date", "expires", "location", "retry-after", "vary", "warning",
    // content format
    "content-encoding", "content-type", "content-range"};

bool is_forbidden_in_trailers(std::string_view name) {
  return std::any_of(std::begin(forbidden_in_trailers), std::end(forbidden_in_trailers),
                     [name](std::string_view each) { return base::equal_ignoring_case(each, name); });
}

bool is_space(char c) { return c == ' ' || c == '\t'; }

/// VCHAR, obs-text, SP, HTAB: what field values and quoted strings are made of (RFC 9110 sections 5.5 and 5.6.4).
bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7F) || c == '\t';
}

}  // namespace

ChunkedDecoder::State ChunkedDecoder::next(std::string_view& bytes) {
  piece_ = {};
  while (!bytes.empty() && phase_ != Phase::done && error_ == nullptr) {
    if (phase_ == Phase::data) return take_data(bytes);
    take(bytes.front());
    if (error_ == nullptr) bytes.remove_prefix(1);
  }
  if (error_ != nullptr) return State::failed;
  return phase_ == Phase::done ? State::done : State::more;
}

ChunkedDecoder::State ChunkedDecoder::take_data(std::string_view& bytes) {
  piece_ = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, bytes.size())));
  bytes.remove_prefix(piece_.size());
  chunk_left_ -= piece_.size();
  if (chunk_left_ == 0) phase_ = Phase::data_return;
  return State::data;
}

void ChunkedDecoder::take(char c) {
  if (phase_ == Phase::size) return take_size(c);
  if (phase_ < Phase::size_line_feed) return take_extension(c);
  switch (phase_) {
    case Phase::size_line_feed:
    case Phase::data_line_feed:
    case Phase::last_line_feed: return take_line_feed(c);
    case Phase::data_return:
      if (c != '\r') return refuse(c, data_not_ended);
      phase_ = Phase::data_line_feed;
      return;
    default: return take_trailer(c);
  }
}

void ChunkedDecoder::take_size(char c) {
  if (const int digit = base::hex_value(c); digit >= 0) {
    if (digits_ == longest_size) return fail(size_too_long);
    ++digits_;
    chunk_left_ = chunk_left_ << 4U | static_cast<unsigned>(digit);
  } else if (digits_ == 0) {
    refuse(c, no_size);
  } else if (c == '\r') {
    phase_ = Phase::size_line_feed;
  } else if (c == ';' || is_space(c)) {
    extension_left_ = left_.extension;
    phase_ = Phase::size_space;
    take_extension(c);
  } else {
    refuse(c, size_not_ended);
  }
}

/// Any byte behind the size, up to the end of the line.
void ChunkedDecoder::take_extension(char c) {
  if (!is_value_char(c) && c != '\r') return refuse(c, extension_control);
  if (c != '\r') {
    if (extension_left_ == 0 || left_.extensions == 0) return fail(extension_too_long);
    --extension_left_;
    --left_.extensions;
  }
  if (phase_ < Phase::extension_value_begin) take_extension_name(c);
  else take_extension_value(c);
}

void ChunkedDecoder::take_extension_name(char c) {
  const bool is_token = base::is_token_char(c);
  switch (phase_) {
    case Phase::size_space:
      if (c == ';') phase_ = Phase::extension_begin;
      else if (!is_space(c)) fail(size_not_ended);
      return;
    case Phase::extension_begin:
      if (is_token) phase_ = Phase::extension_name;
      else if (!is_space(c)) fail(bad_extension);
      return;
    case Phase::extension_name:
      if (is_token) return;
      if (c == '\r') phase_ = Phase::size_line_feed;
      else if (is_space(c)) phase_ = Phase::extension_name_space;
      else if (c == '=') phase_ = Phase::extension_value_begin;
      else if (c == ';') phase_ = Phase::extension_begin;
      else fail(bad_extension);
      return;
    default:
      if (c == '=') phase_ = Phase::extension_value_begin;
      else if (c == ';') phase_ = Phase::extension_begin;
      else if (!is_space(c)) fail(bad_extension);
      return;
  }
}

void ChunkedDecoder::take_extension_value(char c) {
  const bool is_token = base::is_token_char(c);
  switch (phase_) {
    case Phase::extension_value_begin:
      if (is_token) phase_ = Phase::extension_token;
      else if (c == '"') phase_ = Phase::extension_quoted;
      else if (!is_space(c)) fail(bad_extension);
      return;
    case Phase::extension_quoted:
      if (c == '\r') fail(bad_extension);
      else if (c == '\\') phase_ = Phase::extension_escaped;
      else if (c == '"') phase_ = Phase::extension_unquoted;
      return;
    case Phase::extension_escaped:
      if (c == '\r') fail(bad_extension);
      else phase_ = Phase::extension_quoted;
      return;
    case Phase::extension_token:
      if (is_token) return;
      [[fallthrough]];
    case Phase::extension_unquoted:
      if (c == '\r') phase_ = Phase::size_line_feed;
      else if (is_space(c)) phase_ = Phase::extension_value_space;
      else if (c == ';') phase_ = Phase::extension_begin;
      else fail(bad_extension);
      return;
    default:
      if (c == ';') phase_ = Phase::extension_begin;
      else if (!is_space(c)) fail(bad_extension);
      return;
  }
}

/// Any byte behind the last chunk, up to the last CR.
void ChunkedDecoder::take_trailer(char c) {
  if (phase_ == Phase::trailer_begin && c == '\r') {
    phase_ = Phase::last_line_feed;
    return;
  }
  if (left_.trailer == 0) return fail(trailer_too_long);
  --left_.trailer;
  switch (phase_) {
    case Phase::trailer_begin: return begin_trailer_field(c);
    case Phase::trailer_name: return take_trailer_name(c);
    case Phase::trailer_line_feed: return take_line_feed(c);
    default: return take_trailer_value(c);
  }
}

void ChunkedDecoder::begin_trailer_field(char c) {
  if (is_space(c)) return fail(trailer_folded);
  if (!base::is_token_char(c)) return refuse(c, trailer_no_name);
  if (left_.trailer_fields == 0) return fail(too_many_trailers);
  --left_.trailer_fields;
  if (keeps_trailers_) trailers_.emplace_back().name = c;
  phase_ = Phase::trailer_name;
}

void ChunkedDecoder::take_trailer_name(char c) {
  if (base::is_token_char(c)) {
    if (keeps_trailers_) trailers_.back().name += c;
  } else if (c == ':') {
    if (keeps_trailers_ && is_forbidden_in_trailers(trailers_.back().name)) return fail(trailer_forbidden);
    phase_ = Phase::trailer_before_value;
  } else if (is_space(c)) {
    fail(trailer_space);
  } else {
    refuse(c, trailer_no_colon);
  }
}

void ChunkedDecoder::take_trailer_value(char c) {
  std::string* const value = keeps_trailers_ ? &trailers_.back().value : nullptr;
  if (c == '\r') {
    if (value != nullptr) value->resize(base::trim(*value).size());  // it does not begin with white space
    phase_ = Phase::trailer_line_feed;
  } else if (!is_value_char(c)) {
    refuse(c, trailer_control);
  } else if (phase_ == Phase::trailer_value || !is_space(c)) {
    if (value != nullptr) *value += c;
    phase_ = Phase::trailer_value;
  }
}

void ChunkedDecoder::take_line_feed(char c) {
  if (c != '\n') return fail(bare_carriage_return);
  switch (phase_) {
    case Phase::size_line_feed: phase_ = chunk_left_ == 0 ? Phase::trailer_begin : Phase::data; return;
    case Phase::data_line_feed:
      digits_ = 0;
      phase_ = Phase::size;
      return;
    case Phase::last_line_feed: phase_ = Phase::done; return;
    default: phase_ = Phase::trailer_begin; return;
  }
}

void ChunkedDecoder::refuse(char found, const HeadError& error) { fail(found == '\n' ? bare_line_feed : error); }

std::size_t write_chunk_header(char* out, std::uint64_t size) {
  char* const end = std::to_chars(out, out + longest_size, size, 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  return static_cast<std::size_t>(end - out) + 2;
}

}  // namespace wharf::codec
