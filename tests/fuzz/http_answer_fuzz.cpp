#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "codec/http/response_head.h"
#include "fuzz/promise.h"

// Input: eight bytes that say where to cut, which limits apply and what was asked for, then what a server sends. Whatever the
// cuts, the outcome is the same and keeps its promises.

namespace {

using namespace wharf::codec;

constexpr std::size_t control_bytes = 8;

AnswerLimits limits_from(std::uint8_t choice) {
  if (choice < 0x80) return {};
  return {32U + choice, choice % 4U};
}

std::string_view method_from(std::uint8_t choice) {
  constexpr std::string_view methods[] = {"GET", "HEAD", "CONNECT", "POST"};
  return methods[choice % 4U];
}

/// Everything that a reading says, as text, so that two can be compared after their buffers are gone.
std::string outcome(const AnswerRead& read, const AnswerHead& head, std::string_view method) {
  if (read.state != AnswerState::done) return std::to_string(static_cast<int>(read.state)) + std::string(read.reason);
  std::string text = "done " + std::to_string(head.size) + " " + std::to_string(static_cast<int>(head.version)) + " " +
                     std::to_string(head.status) + " ";
  text += head.phrase;
  for (const auto& [name, value] : head.fields) (((text += "\r\n") += name) += ':') += value;
  const AnswerFraming framing = answer_framing(head, method);
  text += "\r\n" + std::to_string(static_cast<int>(framing.body)) + std::to_string(framing.content_length) +
          (keep_alive(head) ? "k" : "c");
  return text += framing.reason;
}

std::size_t count(const AnswerHead& head, std::string_view name) { return head.values(name).size(); }

void check_framing(const AnswerHead& head, std::string_view method) {
  const AnswerFraming framing = answer_framing(head, method);
  const std::size_t lengths = count(head, "content-length");
  const std::size_t codings = count(head, "transfer-encoding");
  require((framing.body == AnswerBody::malformed) != framing.reason.empty(), "malformed says why, nothing else does");
  require(framing.body == AnswerBody::length || framing.content_length == 0, "a length goes with a length");
  switch (framing.body) {
    case AnswerBody::none:
      require(head.status < 300 || head.status == 304 || method == "HEAD", "status and method tell of no body");
      break;
    case AnswerBody::length: require(lengths == 1 && codings == 0, "one Content-Length frames the body alone"); break;
    case AnswerBody::chunked:
      require(lengths == 0 && codings == 1 && head.version == HttpVersion::http11, "one Transfer-Encoding frames the body alone");
      break;
    case AnswerBody::until_close:
      require(lengths == 0 && codings == 0, "nothing frames a body that ends with the connection");
      break;
    case AnswerBody::malformed: require(lengths + codings > 0, "some field is malformed"); break;
  }
  if (method == "HEAD" || head.status == 204) require(framing.body == AnswerBody::none, "nothing follows HEAD and 204");
}

void check_head(const AnswerHead& head, std::string_view bytes, const AnswerLimits& limits, std::string_view method) {
  const auto lies_in_head = [&](std::string_view view) {
    return view.data() >= bytes.data() && view.data() + view.size() + 4 <= bytes.data() + head.size;
  };
  require(head.size <= bytes.size() && head.size <= limits.head, "the head is within bytes and limit");
  require(bytes.substr(0, head.size).ends_with("\r\n\r\n"), "the head ends with an empty line");
  require(head.status >= 100 && head.status <= 999, "a status is a status");  // RFC 9110 section 15 has those above 599 read, too
  require(lies_in_head(head.phrase), "the phrase lies in the head");
  require(head.fields.size() <= limits.fields, "the limit of fields holds");
  for (const auto& [name, value] : head.fields) {
    require(lies_in_head(name) && lies_in_head(value), "fields lie in the head");
    require(wharf::base::is_token(name), "a field name is a token");
    require(wharf::base::trim(value).size() == value.size(), "a value is trimmed");
    for (const char c : value) require((c & ~0x1F) != 0 ? c != 0x7F : c == '\t', "a value holds no control character");
  }
  check_framing(head, method);
}

std::string read_whole(std::string_view bytes, const AnswerLimits& limits, std::string_view method) {
  AnswerHead head;
  const AnswerRead read = read_answer_head(bytes, limits, head);
  if (read.state == AnswerState::done) check_head(head, bytes, limits, method);
  const bool has_reason = read.state == AnswerState::malformed || read.state == AnswerState::too_large;
  require(has_reason != read.reason.empty(), "an error has a reason");
  return outcome(read, head, method);
}

std::string read_in_pieces(std::string_view bytes, const AnswerLimits& limits, std::string_view method, const std::uint8_t* cuts) {
  AnswerHead head;
  AnswerRead read;
  std::unique_ptr<char[]> buffer;
  std::size_t size = 0;
  for (std::size_t i = 0; size < bytes.size() && read.state == AnswerState::more; ++i) {
    size = std::min(bytes.size(), size + 1 + cuts[i % (control_bytes - 2)] % 61U);
    auto copy = std::make_unique<char[]>(size);
    bytes.copy(copy.get(), size);
    read = read_answer_head({copy.get(), size}, limits, head);
    buffer = std::move(copy);
  }
  return outcome(read, head, method);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const AnswerLimits limits = limits_from(data[control_bytes - 1]);
  const std::string_view method = method_from(data[control_bytes - 2]);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);
  require(read_whole(bytes, limits, method) == read_in_pieces(bytes, limits, method, data),
          "the outcome does not depend on the cuts");
  return 0;
}
