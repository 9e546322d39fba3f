#include <doctest/doctest.h>

#include <memory>

#include "codec/http/request_head.h"
#include "wire/wire_case.h"

namespace {

using wharf::codec::BodyFraming;
using wharf::codec::HeadLimits;
using wharf::codec::HttpVersion;
using wharf::codec::RequestHead;
using wharf::codec::RequestParser;

HeadLimits limits_of(const WireCase& wire_case) {
  HeadLimits limits;
  for (const auto& [name, value] : wire_case.settings) {
    if (name == "request_line") limits.request_line = std::stoul(value);
    if (name == "head") limits.head = std::stoul(value);
    if (name == "fields") limits.fields = std::stoul(value);
  }
  return limits;
}

std::string body_event(const RequestHead& head) {
  switch (head.body) {
    case BodyFraming::none: return "body none";
    case BodyFraming::length: return "body length " + std::to_string(head.content_length);
    case BodyFraming::chunked: return "body chunked";
  }
  return "body ?";
}

std::vector<std::string> full_log(const RequestHead& head) {
  const std::string version = head.version == HttpVersion::http11 ? "1.1" : "1.0";
  std::vector<std::string> log{"request " + in_quotes(head.method) + " " + in_quotes(head.target) + " " + version};
  for (const auto& [name, value] : head.fields) log.push_back("field " + in_quotes(name) + " " + in_quotes(value));
  log.push_back("host " + in_quotes(head.host));
  log.push_back(body_event(head));
  log.emplace_back(head.keep_alive ? "keep-alive" : "close");
  return log;
}

std::vector<std::string> brief_log(const RequestHead& head, std::size_t size) {
  return {"head of " + std::to_string(size) + " bytes, " + std::to_string(head.fields.size()) + " fields, " + body_event(head)};
}

/// Each call of parse() gets its own copy of all bytes so far, no longer than they are, so that a sanitizer sees a view into an old
/// copy and a read beyond the end.
std::vector<std::string> run_request(const WireCase& wire_case, const std::vector<std::string_view>& pieces) {
  RequestParser parser(limits_of(wire_case));
  std::string received;
  std::unique_ptr<char[]> buffer;
  RequestParser::State state = RequestParser::State::more;
  for (const std::string_view piece : pieces) {
    received += piece;
    if (state != RequestParser::State::more) continue;
    auto copy = std::make_unique<char[]>(received.size());
    received.copy(copy.get(), received.size());
    state = parser.parse({copy.get(), received.size()});
    buffer = std::move(copy);
  }
  if (state == RequestParser::State::more) return {"more"};
  if (state == RequestParser::State::failed)
    return {"error " + std::to_string(parser.error().status) + " " + in_quotes(parser.error().reason)};
  const bool brief = wire_case.settings.contains("log");
  std::vector<std::string> log = brief ? brief_log(parser.head(), parser.size()) : full_log(parser.head());
  if (parser.size() < received.size()) log.push_back("rest " + in_quotes(std::string_view(received).substr(parser.size())));
  return log;
}

}  // namespace

TEST_CASE("request heads on the wire, whole and cut at every place") { check_wire_cases("http_request.wire", 300, run_request); }
