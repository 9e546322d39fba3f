#include "codec/http/response_head.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

constexpr std::string_view status_line = "HTTP/1.d ddd ";  // d: a digit
constexpr std::string_view no_status_line = "The answer does not begin with HTTP/1.1 and a status of three digits.";

AnswerRead malformed(std::string_view reason) { return {AnswerState::malformed, reason}; }

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7F;
}

bool fits_status_line(std::string_view start) {
  const std::size_t size = std::min(start.size(), status_line.size());
  for (std::size_t i = 0; i < size; ++i) {
    const bool fits = status_line[i] == 'd' ? base::is_digit(start[i]) : start[i] == status_line[i];
    if (!fits) return false;
  }
  constexpr std::size_t status = 9;
  return start.size() <= status || start[status] != '0';
}

/// The lines at the front of `bytes`, one after the other.
class Lines {
 public:
  explicit Lines(std::string_view bytes) : bytes_(bytes) {}

  /// The next line, without its CRLF. Returns more if it is incomplete: then `line` is the part that is there.
  AnswerRead take(std::string_view& line) {
    const std::string_view rest = bytes_.substr(at_);
    const auto found = std::find_if(rest.begin(), rest.end(), is_control);
    line = rest.substr(0, static_cast<std::size_t>(found - rest.begin()));
    if (found == rest.end()) return {};
    if (*found == '\n') return malformed("The answer has a bare line feed.");
    if (*found != '\r') return malformed("The answer has a control character.");
    if (found + 1 == rest.end()) return {};
    if (found[1] != '\n') return malformed("The answer has a bare carriage return.");
    at_ += line.size() + 2;
    return {AnswerState::done, {}};
  }
  [[nodiscard]] std::size_t taken() const { return at_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

AnswerRead read_status_line(std::string_view line, AnswerHead& head) {
  if (line.size() + 1 < status_line.size()) return malformed(no_status_line);  // the last space is often left out without a phrase
  head.version = line[7] == '0' ? HttpVersion::http10 : HttpVersion::http11;   // RFC 9110 section 2.5
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  head.phrase = line.substr(std::min(line.size(), status_line.size()));
  return {};
}

AnswerRead read_field(std::string_view line, AnswerHead& head) {
  if (line.front() == ' ' || line.front() == '\t')
    return malformed("A field line starts with white space; folded lines are not taken.");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return malformed("A field line has no colon.");
  if (!base::is_token(line.substr(0, colon))) return malformed("What stands before a field's colon is not a name.");
  head.fields.push_back({line.substr(0, colon), base::trim(line.substr(colon + 1))});
  return {};
}

bool has_no_body(int status, std::string_view request_method) {
  if (status < 200 || status == 204 || status == 304 || request_method == "HEAD") return true;
  return status < 300 && request_method == "CONNECT";
}

AnswerFraming misframed(std::string_view reason) { return {AnswerBody::malformed, 0, reason}; }

AnswerFraming framing_by_length(std::string_view value) {
  AnswerFraming framing{AnswerBody::length, 0, {}};
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, framing.content_length);
  if (error == std::errc::result_out_of_range) return misframed("Content-Length is larger than any length.");
  return error == std::errc() && stop == end ? framing : misframed("Content-Length is not a decimal number.");
}

}  // namespace

std::vector<std::string_view> AnswerHead::values(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const Field& field : fields)
    if (base::equal_ignoring_case(field.name, name)) found.push_back(field.value);
  return found;
}

AnswerRead read_answer_head(std::string_view bytes, const AnswerLimits& limits, AnswerHead& head) {
  head = {};
  Lines lines(bytes.substr(0, limits.head));
  std::string_view line;
  AnswerRead read = lines.take(line);
  if (!fits_status_line(line)) return malformed(no_status_line);
  if (read.state == AnswerState::done) {
    read = read_status_line(line, head);
    while (read.state == AnswerState::more) {
      read = lines.take(line);
      if (read.state != AnswerState::done) break;
      head.size = lines.taken();
      if (line.empty()) return read;
      if (head.fields.size() == limits.fields) return {AnswerState::too_large, "The answer has more fields than the limit."};
      read = read_field(line, head);
    }
  }
  if (read.state == AnswerState::more && bytes.size() >= limits.head)
    return {AnswerState::too_large, "The head of the answer is larger than the limit."};
  return read;
}

AnswerFraming answer_framing(const AnswerHead& head, std::string_view request_method) {
  if (has_no_body(head.status, request_method)) return {};
  const Field* length = nullptr;
  const Field* coding = nullptr;
  for (const Field& field : head.fields) {
    if (base::equal_ignoring_case(field.name, "content-length")) {
      if (length != nullptr) return misframed("The answer has more than one Content-Length.");
      length = &field;
    } else if (base::equal_ignoring_case(field.name, "transfer-encoding")) {
      if (coding != nullptr) return misframed("The answer has more than one Transfer-Encoding.");
      coding = &field;
    }
  }
  if (coding == nullptr)
    return length == nullptr ? AnswerFraming{AnswerBody::until_close, 0, {}} : framing_by_length(length->value);
  if (length != nullptr) return misframed("The answer has both Content-Length and Transfer-Encoding.");
  if (head.version == HttpVersion::http10) return misframed("HTTP/1.0 has no Transfer-Encoding.");
  if (!base::equal_ignoring_case(coding->value, "chunked")) return misframed("The transfer coding is not chunked alone.");
  return {AnswerBody::chunked, 0, {}};
}

bool keep_alive(const AnswerHead& head) {
  bool keeps = head.version == HttpVersion::http11;
  bool closes = false;
  for (const Field& field : head.fields) {
    if (!base::equal_ignoring_case(field.name, "connection")) continue;
    base::for_each_list_item(field.value, [&keeps, &closes](std::string_view option) {
      if (base::equal_ignoring_case(option, "close")) closes = true;
      if (base::equal_ignoring_case(option, "keep-alive")) keeps = true;
    });
  }
  return keeps && !closes;
}

std::optional<std::uint64_t> keep_alive_timeout(const AnswerHead& head) {
  std::optional<std::uint64_t> found;
  for (const Field& field : head.fields) {
    if (!base::equal_ignoring_case(field.name, "keep-alive")) continue;
    base::for_each_list_item(field.value, [&found](std::string_view parameter) {
      const std::size_t equals = parameter.find('=');
      if (equals == std::string_view::npos || !base::equal_ignoring_case(base::trim(parameter.substr(0, equals)), "timeout"))
        return;
      const std::string_view value = base::trim(parameter.substr(equals + 1));
      std::uint64_t seconds = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
      if (error == std::errc() && end == value.data() + value.size()) found = std::min(found.value_or(seconds), seconds);
    });
  }
  return found;
}

}  // namespace wharf::codec
