#include "codec/http/conditions.h"

#include <array>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "codec/http/accept.h"
#include "codec/http/date.h"
#include "fuzz/promise.h"

// Input: a byte for the method, one for the representation's validators, then field lines, one to a line: a digit for the name, the
// rest is the value. What is decided has to agree with itself when a field is added whose effect is known. Each value is also read
// as a date, as an entity tag and as an Accept-Encoding.

namespace {

using namespace wharf::codec;

constexpr std::size_t control_bytes = 2;
constexpr std::time_t now = 1'709'208'000;
constexpr std::time_t last_modified = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

constexpr std::array<std::string_view, 10> names = {"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
                                                    "If-Range", "Range",         "Accept-Encoding",   "if-none-match",
                                                    "Host",     "If-Unknown"};
constexpr std::array<std::string_view, 6> methods = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
constexpr std::array<std::string_view, 4> codings = {"br", "zstd", "gzip", "identity"};

Validators validators_from(std::uint8_t choice) {
  Validators validators;
  if ((choice & 1U) != 0) validators.etag = (choice & 2U) != 0 ? "W/\"a\"" : "\"a\"";
  if ((choice & 4U) != 0) validators.last_modified = (choice & 8U) != 0 ? now : last_modified;
  return validators;
}

RequestHead head_from(std::uint8_t method, std::string_view lines) {
  RequestHead head;
  head.method = methods[method % methods.size()];
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (line.empty() || !wharf::base::is_digit(line.front())) continue;
    head.fields.push_back({names[static_cast<std::size_t>(line.front() - '0')], wharf::base::trim(line.substr(1))});
  }
  return head;
}

RequestHead with(const RequestHead& head, std::string_view name, std::string_view value) {
  RequestHead more = head;
  more.fields.push_back({name, value});
  return more;
}

RequestHead without_conditions(const RequestHead& head) {
  RequestHead less = head;
  std::erase_if(less.fields, [](const Field& field) { return wharf::base::lower(field.name.front()) == 'i'; });
  return less;
}

void check_conditions(const RequestHead& head, const Validators& validators) {
  const Condition condition = evaluate_conditions(head, validators, now);
  const ConditionalFields fields(head);
  const bool retrieval = head.method == "GET" || head.method == "HEAD";
  const bool selects = head.method != "OPTIONS" && head.method != "TRACE";
  require(evaluate_conditions(head, fields, validators, now) == condition, "fields that are found beforehand change nothing");
  require(condition != Condition::not_modified || retrieval, "304 goes with GET and HEAD");
  require(condition == Condition::proceed || selects, "other methods have no preconditions");
  require(evaluate_conditions(without_conditions(head), validators, now) == Condition::proceed, "no conditions, no obstacles");
  require(evaluate_conditions(with(head, "If-", "*"), validators, now) == condition, "another field changes nothing");
  if (!selects) return;

  const bool stopped_early = (fields.if_match || fields.if_unmodified_since) && condition == Condition::precondition_failed;
  if (validators.etag == "\"a\"") {
    const Condition known = evaluate_conditions(with(head, "If-None-Match", "x,\"a\""), validators, now);
    require(known != Condition::proceed, "a tag that the client has stops the request");
    require(
        known == condition || stopped_early || condition == Condition::proceed || fields.if_none_match || fields.if_modified_since,
        "and nothing else does");
    RequestHead wanted = with(without_conditions(head), "If-Match", "\"b\"");
    require(evaluate_conditions(wanted, validators, now) == Condition::precondition_failed, "a tag that is not there stops it");
    wanted = with(wanted, "IF-MATCH", "\"c\" ,W/\"a\", \"a\"");
    require(evaluate_conditions(wanted, validators, now) == Condition::proceed, "until the right one is named too");
  }
  if (!validators.last_modified) return;
  const HttpDate date(*validators.last_modified);
  const RequestHead dated = with(without_conditions(head), "If-Modified-Since", date.text());
  require(evaluate_conditions(dated, validators, now) == (retrieval ? Condition::not_modified : Condition::proceed),
          "a date holds");
  require(evaluate_conditions(with(dated, "If-None-Match", "\"x\""), validators, now) == Condition::proceed,
          "tags go before dates");
}

void check_range(const RequestHead& head, const Validators& validators) {
  const ConditionalFields fields(head);
  const bool applies = range_applies(head, validators, now);
  require(range_applies(head, fields, validators, now) == applies, "fields that are found beforehand change nothing");
  require(!applies || (head.method == "GET" && fields.range.count == 1), "a range is one, of a GET");
  require(!applies || fields.if_range.count <= 1, "If-Range is one at most");
  require(!range_applies(with(head, "Range", "bytes=0-0"), validators, now) || !fields.range, "a second Range spoils the first");
  if (applies && !fields.if_range) {
    require(range_applies(with(head, "If-Range", "\"a\""), validators, now) == (validators.etag == "\"a\""), "If-Range is strong");
    require(!range_applies(with(head, "If-Range", "W/\"a\""), validators, now), "a weak tag is never");
    const HttpDate date(last_modified);
    require(range_applies(with(head, "If-Range", date.text()), validators, now) == (validators.last_modified == last_modified),
            "a date is exact");
    const HttpDate present(now);
    require(!range_applies(with(head, "If-Range", present.text()), validators, now), "a date of this second is weak");
  }
}

void check_date(std::string_view text) {
  const std::optional<std::time_t> when = parse_http_date(text, now);
  if (!when) return;
  const HttpDate written(*when);
  require(parse_http_date(written.text(), now) == when || *when > 253'402'300'799,
          "a date that was read can be written and read again");
  const bool leap_second = text.find(":60") != std::string_view::npos;
  if (text.size() == 29 && text[3] == ',' && !leap_second)
    require(written.text().substr(3) == text.substr(3), "it is the same but for its weekday");
}

void check_tag(std::string_view text) {
  const std::optional<EntityTag> tag = parse_entity_tag(text);
  if (!tag) return;
  require((tag->weak ? "W/\"" : "\"") + std::string(tag->opaque) + "\"" == text, "a tag is all of its text");
  require(weakly_equal(*tag, *tag) && strongly_equal(*tag, *tag) == !tag->weak, "a tag is equal to itself");
  RequestHead head;
  head.method = "GET";
  head.fields.push_back({"If-None-Match", text});
  require(evaluate_conditions(head, {text, std::nullopt}, now) == Condition::not_modified, "a tag in a list is found");
}

void check_coding(const RequestHead& head) {
  const auto all = choose_coding(head, codings);
  for (const std::string_view& coding : codings) {
    const auto alone = choose_coding(head, {&coding, 1});
    require(!alone || alone == coding, "what is taken was offered");
    require(all || !alone, "more to choose from is no less");
    require(all != coding || alone, "what is best among others is good alone");
  }
  RequestHead refusing;
  refusing.fields = {{"Accept-Encoding", "br;q=0, zstd;q=0, gzip;q=0, identity;q=0"}};
  refusing.fields.insert(refusing.fields.end(), head.fields.begin(), head.fields.end());
  require(!choose_coding(refusing, codings), "what comes first counts");
  refusing.fields.front().value = "X-Gzip";
  require(choose_coding(refusing, std::array<std::string_view, 1>{"gzip"}) == "gzip", "in either direction");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const RequestHead head = head_from(data[0], {reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes});
  const Validators validators = validators_from(data[1]);
  check_conditions(head, validators);
  check_range(head, validators);
  check_coding(head);
  for (const Field& field : head.fields) {
    check_date(field.value);
    check_tag(field.value);
  }
  return 0;
}
