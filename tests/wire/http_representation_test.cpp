#include <doctest/doctest.h>

#include <stdexcept>

#include "codec/http/accept.h"
#include "codec/http/conditions.h"
#include "codec/http/date.h"
#include "codec/http/multipart_range.h"
#include "codec/http/range.h"
#include "wire/wire_case.h"

// The response of a server that has one representation: conditions, then the range, then the coding.

namespace {

using wharf::codec::ByteRange;
using wharf::codec::Condition;
using wharf::codec::ConditionalFields;
using wharf::codec::RangeAnswer;
using wharf::codec::RequestHead;
using wharf::codec::RequestParser;
using Log = std::vector<std::string>;

struct Representation {
  std::uint64_t size = 10000;
  std::string etag = "\"a\"";
  std::optional<std::time_t> last_modified = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
  std::time_t now = 784'115'377;                           // an hour later
  wharf::codec::RangeLimits limits;
  std::vector<std::string_view> codings;
};

std::time_t date_of(const std::string& text) {
  const std::optional<std::time_t> date = wharf::codec::parse_http_date(text, 0);
  if (!date) throw std::runtime_error(text + " is no date");
  return *date;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t end = 0; !text.empty(); text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1)) {
    end = text.find(' ');
    words.push_back(text.substr(0, end));
  }
  return words;
}

Representation representation_of(const WireCase& wire_case) {
  Representation it;
  for (const auto& [name, value] : wire_case.settings) {
    if (name == "size") it.size = std::stoull(value);
    else if (name == "etag") it.etag = value == "none" ? "" : value;
    else if (name == "last-modified" && value == "none") it.last_modified.reset();
    else if (name == "last-modified") it.last_modified = date_of(value);
    else if (name == "now") it.now = date_of(value);
    else if (name == "ranges") it.limits.ranges = std::stoul(value);
    else if (name == "codings") it.codings = words_of(value);
    else throw std::runtime_error(wire_case.where + ": no such setting: " + name);
  }
  return it;
}

Log partial_log(const RangeAnswer& answer, std::uint64_t size) {
  if (answer.ranges.size() == 1) return {"206 " + wharf::codec::content_range(answer.ranges.front(), size)};
  const wharf::codec::MultipartRanges multipart("b", "a/b", answer.ranges, size);
  Log log{"206 " + std::to_string(multipart.content_length()) + " " + multipart.content_type()};
  for (const ByteRange& range : multipart.ranges()) log.push_back("part " + wharf::codec::content_range(range, size));
  return log;
}

Log answer_to(const RequestHead& head, const Representation& it) {
  const ConditionalFields fields(head);
  const wharf::codec::Validators validators{it.etag, it.last_modified};
  const Condition condition = evaluate_conditions(head, fields, validators, it.now);
  if (condition == Condition::not_modified) return {"304"};
  if (condition == Condition::precondition_failed) return {"412"};
  if (!it.codings.empty()) return {"coding " + std::string(choose_coding(head, it.codings).value_or("none"))};
  if (!range_applies(head, fields, validators, it.now)) return {"200"};
  const RangeAnswer answer = resolve_ranges(fields.range.first, it.size, it.limits);
  if (answer.kind == RangeAnswer::Kind::whole) return {"200"};
  if (answer.kind == RangeAnswer::Kind::unsatisfiable) return {"416 " + wharf::codec::unsatisfied_range(it.size)};
  return partial_log(answer, it.size);
}

Log run(const WireCase& wire_case, const std::vector<std::string_view>& pieces) {
  RequestParser parser;
  std::string received;
  RequestParser::State state = RequestParser::State::more;
  for (const std::string_view piece : pieces) state = parser.parse(received += piece);
  if (state != RequestParser::State::done) return {"no request"};
  return answer_to(parser.head(), representation_of(wire_case));
}

}  // namespace

TEST_CASE("ranges on the wire, whole and cut at every place") { check_wire_cases("http_range.wire", 40, run); }

TEST_CASE("conditions on the wire, whole and cut at every place") { check_wire_cases("http_conditions.wire", 50, run); }

TEST_CASE("content codings on the wire, whole and cut at every place") { check_wire_cases("http_coding.wire", 15, run); }
