#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "codec/http/response_head.h"
#include "wire/wire_case.h"

namespace {

using namespace wharf::codec;

AnswerLimits limits_of(const WireCase& wire_case) {
  AnswerLimits limits;
  for (const auto& [name, value] : wire_case.settings) {
    if (name == "head") limits.head = std::stoul(value);
    if (name == "fields") limits.fields = std::stoul(value);
  }
  return limits;
}

std::string body_event(const AnswerFraming& framing) {
  switch (framing.body) {
    case AnswerBody::none: return "body none";
    case AnswerBody::length: return "body length " + std::to_string(framing.content_length);
    case AnswerBody::chunked: return "body chunked";
    case AnswerBody::until_close: return "body until close";
    case AnswerBody::malformed: return "body malformed " + in_quotes(framing.reason);
  }
  return "body ?";
}

std::vector<std::string> full_log(const AnswerHead& head, const std::string& method) {
  const std::string version = head.version == HttpVersion::http11 ? "1.1" : "1.0";
  std::vector<std::string> log{"answer " + version + " " + std::to_string(head.status) + " " + in_quotes(head.phrase)};
  for (const auto& [name, value] : head.fields) log.push_back("field " + in_quotes(name) + " " + in_quotes(value));
  log.push_back(body_event(answer_framing(head, method)));
  log.emplace_back(keep_alive(head) ? "keep-alive" : "close");
  return log;
}

/// Each call gets its own copy of all bytes so far, no longer than they are, so that a sanitizer sees a view into an old copy and a
/// read beyond the end.
std::vector<std::string> run_answer(const WireCase& wire_case, const std::vector<std::string_view>& pieces) {
  const AnswerLimits limits = limits_of(wire_case);
  const auto method = wire_case.settings.find("method");
  AnswerHead head;
  AnswerRead read;
  std::string received;
  std::unique_ptr<char[]> buffer;
  for (const std::string_view piece : pieces) {
    received += piece;
    if (read.state != AnswerState::more) continue;
    auto copy = std::make_unique<char[]>(received.size());
    received.copy(copy.get(), received.size());
    read = read_answer_head({copy.get(), received.size()}, limits, head);
    buffer = std::move(copy);
  }
  if (read.state == AnswerState::more) return {"more"};
  if (read.state == AnswerState::malformed) return {"malformed " + in_quotes(read.reason)};
  if (read.state == AnswerState::too_large) return {"too large " + in_quotes(read.reason)};
  std::vector<std::string> log;
  if (wire_case.settings.contains("log"))
    log = {"head of " + std::to_string(head.size) + " bytes, " + std::to_string(head.fields.size()) + " fields"};
  else log = full_log(head, method == wire_case.settings.end() ? "GET" : method->second);
  if (head.size < received.size()) log.push_back("rest " + in_quotes(std::string_view(received).substr(head.size)));
  return log;
}

}  // namespace

TEST_CASE("heads of responses on the wire, whole and cut at every place") { check_wire_cases("http_answer.wire", 110, run_answer); }
