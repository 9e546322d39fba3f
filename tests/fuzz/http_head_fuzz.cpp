#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "codec/http/request_head.h"
#include "codec/http/target.h"
#include "fuzz/promise.h"

// Input: eight bytes that say where to cut and which limits apply, then what a client sends. Whatever the cuts, the outcome is the
// same and keeps its promises.

namespace {

using namespace wharf::codec;
using State = RequestParser::State;

constexpr std::size_t control_bytes = 8;

HeadLimits limits_from(std::uint8_t choice) {
  if (choice < 0x80) return {};
  return {24U + choice % 32U, 64U + choice, choice % 8U};
}

/// Everything that a parse says, as text, so that two can be compared after their buffers are gone.
std::string outcome(const RequestParser& parser, State state) {
  if (state == State::more) return "more";
  if (state == State::failed) return "failed " + std::to_string(parser.error().status) + " " + std::string(parser.error().reason);
  const RequestHead& head = parser.head();
  std::string text = "done " + std::to_string(parser.size()) + " ";
  ((((text += head.method) += ' ') += head.target) += ' ') += head.host;
  text += " " + std::to_string(static_cast<int>(head.version)) + std::to_string(static_cast<int>(head.body)) +
          std::to_string(head.content_length) + (head.keep_alive ? "k" : "c");
  for (const auto& [name, value] : head.fields) (((text += "\r\n") += name) += ':') += value;
  return text;
}

void check_path(std::string_view text) {
  const std::optional<std::string> decoded = percent_decode(text);
  if (!decoded) return;
  require(decoded->size() <= text.size(), "decoding does not lengthen");
  const std::optional<std::string> path = safe_relative_path(*decoded);
  if (!path) return;
  require("/" + *path == *decoded, "a safe path is the decoded path");
  require(path->find('\0') == std::string::npos && path->find('\\') == std::string::npos, "a safe path holds no NUL, no backslash");
  require(("/" + *path).find("/.") == std::string::npos, "no segment of a safe path starts with a dot");
  require(!path->starts_with('/') && path->find("//") == std::string::npos, "a safe path has no empty segment");
}

void check_fields(const RequestHead& head, std::string_view bytes) {
  for (const auto& [name, value] : head.fields) {
    require(lies_in(name, bytes) && lies_in(value, bytes), "fields lie in the bytes given");
    require(wharf::base::is_token(name), "a field name is a token");
    require(wharf::base::trim(value).size() == value.size(), "a value is trimmed");
    for (const char c : value) require((c & ~0x1F) != 0 ? c != 0x7F : c == '\t', "a value holds no control character");
    require(head.field(name).data() != nullptr && head.count(name) > 0, "a field is found by its name");
  }
  require(head.count("host") <= 1 && head.count("content-length") <= 1, "Host and Content-Length are not repeated");
}

void check_head(const RequestHead& head, std::string_view bytes, const HeadLimits& limits) {
  require(wharf::base::is_token(head.method) && lies_in(head.method, bytes), "a method is a token in the bytes given");
  require(!head.target.empty() && lies_in(head.target, bytes), "a target lies in the bytes given");
  require(head.fields.size() <= limits.fields, "the limit of fields holds");
  check_fields(head, bytes);
  if (head.host.empty()) require(head.version == HttpVersion::http10, "HTTP/1.1 has a host");
  else require(lies_in(head.host, bytes) && split_authority(head.host).has_value(), "the host is valid");
  require((head.body == BodyFraming::length) == (head.count("content-length") == 1), "Content-Length frames the body alone");
  require((head.body == BodyFraming::chunked) == (head.count("transfer-encoding") > 0), "Transfer-Encoding frames the body alone");
  if (head.body == BodyFraming::chunked) require(head.has_token("transfer-encoding", "chunked"), "the coding is chunked");
  const std::optional<Target> target = split_target(head.target);
  if (head.target == "*") require(head.method == "OPTIONS", "* goes with OPTIONS");
  else require(target.has_value() == (head.method != "CONNECT"), "every target but that of CONNECT has a path");
  if (target) check_path(target->path);
  require(head.path == (target ? target->path : "") && head.query == (target ? target->query : ""), "the head has its parts");
}

std::string parse_whole(std::string_view bytes, const HeadLimits& limits) {
  RequestParser parser(limits);
  const State state = parser.parse(bytes);
  if (state == State::done) {
    require(parser.size() <= bytes.size() && parser.size() <= limits.head + 2, "the head is within bytes and limit");
    check_head(parser.head(), bytes, limits);
  }
  if (state == State::failed) {
    const int status = parser.error().status;
    require(status == 400 || status == 414 || status == 431 || status == 501 || status == 505, "a status that the header names");
    require(!parser.error().reason.empty(), "an error has a reason");
  }
  const std::string result = outcome(parser, state);
  parser.reset();
  require(outcome(parser, parser.parse(bytes)) == result, "after reset the parser is as new");
  return result;
}

std::string parse_in_pieces(std::string_view bytes, const HeadLimits& limits, const std::uint8_t* cuts) {
  RequestParser parser(limits);
  std::unique_ptr<char[]> buffer;
  State state = State::more;
  std::size_t size = 0;
  for (std::size_t i = 0; size < bytes.size() && state == State::more; ++i) {
    size = std::min(bytes.size(), size + 1 + cuts[i % (control_bytes - 1)] % 61U);
    auto copy = std::make_unique<char[]>(size);
    bytes.copy(copy.get(), size);
    state = parser.parse({copy.get(), size});
    buffer = std::move(copy);
  }
  require(parser.parse(bytes.substr(0, size)) == state, "the same bytes again change nothing");
  return outcome(parser, state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const HeadLimits limits = limits_from(data[control_bytes - 1]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);
  require(parse_whole(bytes, limits) == parse_in_pieces(bytes, limits, data), "the outcome does not depend on the cuts");
  if (const std::optional<Target> target = split_target(bytes)) {
    require(target->path.starts_with('/'), "a path starts with a slash");
    check_path(target->path);
  }
  if (const std::optional<Authority> authority = split_authority(bytes))
    require(!authority->host.empty() && authority->host.find_first_of("/@ ") == std::string_view::npos, "a host is a host");
  check_path(bytes);
  return 0;
}
