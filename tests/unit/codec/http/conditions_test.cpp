#include "codec/http/conditions.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using wharf::codec::Condition;
using wharf::codec::ConditionalFields;
using wharf::codec::EntityTag;
using wharf::codec::evaluate_conditions;
using wharf::codec::Field;
using wharf::codec::parse_entity_tag;
using wharf::codec::range_applies;
using wharf::codec::RequestHead;
using wharf::codec::strongly_equal;
using wharf::codec::Validators;
using wharf::codec::weakly_equal;

namespace {

constexpr std::string_view before = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view exactly = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr std::string_view after = "Sun, 06 Nov 1994 08:49:38 GMT";
constexpr std::time_t last_modified = 784'111'777;
constexpr std::time_t now = last_modified + 3600;

constexpr Validators strong{"\"a\"", last_modified};
constexpr Validators weak{"W/\"a\"", last_modified};
const Validators none{};
const Validators tag_alone{"\"a\"", std::nullopt};
constexpr Validators date_alone{"", last_modified};

RequestHead request(std::string_view method, std::vector<Field> fields) {
  RequestHead head;
  head.method = method;
  head.fields = std::move(fields);
  return head;
}

std::string outcome(const RequestHead& head, const Validators& validators) {
  const Condition condition = evaluate_conditions(head, validators, now);
  CHECK(evaluate_conditions(head, ConditionalFields(head), validators, now) == condition);
  if (condition == Condition::not_modified) return "304";
  return condition == Condition::proceed ? "proceed" : "412";
}

std::string get(std::vector<Field> fields, const Validators& validators = strong) {
  const std::string for_get = outcome(request("GET", fields), validators);
  CHECK(outcome(request("HEAD", fields), validators) == for_get);
  return for_get;
}

std::string put(std::vector<Field> fields, const Validators& validators = strong) {
  return outcome(request("PUT", std::move(fields)), validators);
}

bool in_range(std::vector<Field> fields, const Validators& validators = strong, std::time_t clock = now) {
  fields.push_back({"Range", "bytes=0-0"});
  return range_applies(request("GET", std::move(fields)), validators, clock);
}

std::string tag(std::string_view text) {
  const auto parsed = parse_entity_tag(text);
  if (!parsed) return "none";
  return (parsed->weak ? "weak " : "strong ") + std::string(parsed->opaque);
}

}  // namespace

TEST_CASE("an entity tag is weak or strong, and its characters are those of RFC 9110 section 8.8.3") {
  CHECK(tag("\"xyzzy\"") == "strong xyzzy");
  CHECK(tag("W/\"xyzzy\"") == "weak xyzzy");
  CHECK(tag("\"\"") == "strong ");
  CHECK(tag("W/\"\"") == "weak ");
  CHECK(tag("\"!#,;\\~\x80\xFF\"") == "strong !#,;\\~\x80\xFF");
  for (const std::string_view text :
       {"",         "\"",        "a",          "\"a",      "a\"",    "W",           "W/",      "W/\"",
        "W/a",      "w/\"a\"",   "W \"a\"",    "W/ \"a\"", " \"a\"", "\"a\" ",      "\"a b\"", "\"a\tb\"",
        "\"a\"b\"", "\"a\x7F\"", "\"a\"\"b\"", "*",        "'a'",    "\"a\",\"b\"", "\"\x1F\""}) {
    CAPTURE(text);
    CHECK(tag(text) == "none");
  }
  CHECK(tag(std::string_view("\"\0\"", 3)) == "none");
}

TEST_CASE("the table of RFC 9110 section 8.8.3.2") {
  const EntityTag weak_1{"1", true};
  const EntityTag weak_2{"2", true};
  const EntityTag strong_1{"1", false};
  CHECK_FALSE(strongly_equal(weak_1, weak_1));
  CHECK(weakly_equal(weak_1, weak_1));
  CHECK_FALSE(strongly_equal(weak_1, weak_2));
  CHECK_FALSE(weakly_equal(weak_1, weak_2));
  CHECK_FALSE(strongly_equal(weak_1, strong_1));
  CHECK_FALSE(strongly_equal(strong_1, weak_1));
  CHECK(weakly_equal(weak_1, strong_1));
  CHECK(strongly_equal(strong_1, strong_1));
  CHECK(weakly_equal(strong_1, strong_1));
}

TEST_CASE("a request without preconditions goes on") {
  CHECK(get({}) == "proceed");
  CHECK(get({{"Host", "a"}, {"If", "\"b\""}, {"If-Rangex", "x"}, {"Referer", "x"}, {"If-None-Matck", "*"}}) == "proceed");
  CHECK(put({}, none) == "proceed");
}

TEST_CASE("If-Match compares strongly (RFC 9110 section 13.1.1)") {
  CHECK(get({{"If-Match", "\"a\""}}) == "proceed");
  CHECK(get({{"If-Match", "\"b\""}}) == "412");
  CHECK(get({{"If-Match", "\"b\", \"a\", \"c\""}}) == "proceed");
  CHECK(get({{"If-Match", "W/\"a\""}}) == "412");
  CHECK(get({{"If-Match", "\"a\""}}, weak) == "412");
  CHECK(get({{"If-Match", "W/\"a\""}}, weak) == "412");
  CHECK(put({{"If-Match", "\"a\""}}) == "proceed");
  CHECK(put({{"If-Match", "\"b\""}}) == "412");
  CHECK(get({{"If-Match", "\"A\""}}) == "412");
}

TEST_CASE("If-Match: * is true if something exists, with or without a tag") {
  CHECK(get({{"If-Match", "*"}}) == "proceed");
  CHECK(get({{"If-Match", "*"}}, none) == "proceed");
  CHECK(put({{"If-Match", "*"}}, weak) == "proceed");
  CHECK(get({{"If-Match", "\"a\""}}, none) == "412");
  CHECK(get({{"If-Match", "\"a\""}}, date_alone) == "412");
  CHECK(get({{"If-Match", "\"\""}}, none) == "412");
}

TEST_CASE("If-Unmodified-Since is true up to its date (RFC 9110 section 13.1.4)") {
  CHECK(get({{"If-Unmodified-Since", before}}) == "412");
  CHECK(get({{"If-Unmodified-Since", exactly}}) == "proceed");
  CHECK(get({{"If-Unmodified-Since", after}}) == "proceed");
  CHECK(put({{"If-Unmodified-Since", before}}) == "412");
  CHECK(get({{"If-Unmodified-Since", before}}, date_alone) == "412");
  CHECK(get({{"If-Unmodified-Since", "Sunday, 06-Nov-94 08:49:36 GMT"}}) == "412");
  CHECK(get({{"If-Unmodified-Since", "Sun Nov  6 08:49:36 1994"}}) == "412");
}

TEST_CASE("If-Unmodified-Since is ignored next to If-Match, and if there is nothing to compare (13.1.4)") {
  CHECK(get({{"If-Match", "\"a\""}, {"If-Unmodified-Since", before}}) == "proceed");
  CHECK(get({{"If-Unmodified-Since", before}, {"If-Match", "*"}}) == "proceed");
  CHECK(get({{"If-Match", "\"b\""}, {"If-Unmodified-Since", after}}) == "412");
  CHECK(get({{"If-Unmodified-Since", "yesterday"}}) == "proceed");
  CHECK(get({{"If-Unmodified-Since", ""}}) == "proceed");
  CHECK(get({{"If-Unmodified-Since", before}}, tag_alone) == "proceed");
  CHECK(get({{"If-Unmodified-Since", before}, {"If-Unmodified-Since", before}}) == "proceed");
  CHECK(get({{"If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT, Sun, 06 Nov 1994 08:49:36 GMT"}}) == "proceed");
}

TEST_CASE("If-None-Match compares weakly: 304 for GET and HEAD, else 412 (RFC 9110 section 13.1.2)") {
  CHECK(get({{"If-None-Match", "\"a\""}}) == "304");
  CHECK(get({{"If-None-Match", "W/\"a\""}}) == "304");
  CHECK(get({{"If-None-Match", "\"a\""}}, weak) == "304");
  CHECK(get({{"If-None-Match", "W/\"a\""}}, weak) == "304");
  CHECK(get({{"If-None-Match", "\"b\""}}) == "proceed");
  CHECK(get({{"If-None-Match", "\"b\", W/\"a\""}}) == "304");
  for (const std::string_view method : {"PUT", "POST", "DELETE", "PATCH", "get", "OTHER"}) {
    CAPTURE(method);
    CHECK(outcome(request(method, {{"If-None-Match", "\"a\""}}), strong) == "412");
    CHECK(outcome(request(method, {{"If-None-Match", "*"}}), none) == "412");
    CHECK(outcome(request(method, {{"If-None-Match", "\"b\""}}), strong) == "proceed");
  }
  CHECK(get({{"If-None-Match", "*"}}) == "304");
  CHECK(get({{"If-None-Match", "*"}}, none) == "304");
  CHECK(get({{"If-None-Match", "\"a\""}}, none) == "proceed");
}

TEST_CASE("If-Modified-Since is false up to its date (RFC 9110 section 13.1.3)") {
  CHECK(get({{"If-Modified-Since", before}}) == "proceed");
  CHECK(get({{"If-Modified-Since", exactly}}) == "304");
  CHECK(get({{"If-Modified-Since", after}}) == "304");
  CHECK(get({{"If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"}}) == "304");
  CHECK(get({{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}}) == "304");
  CHECK(get({{"If-Modified-Since", exactly}}, date_alone) == "304");
}

TEST_CASE("If-Modified-Since is ignored with other methods, next to If-None-Match, and if there is nothing to compare (13.1.3)") {
  CHECK(put({{"If-Modified-Since", exactly}}) == "proceed");
  CHECK(get({{"If-None-Match", "\"b\""}, {"If-Modified-Since", exactly}}) == "proceed");
  CHECK(get({{"If-Modified-Since", before}, {"If-None-Match", "\"a\""}}) == "304");
  CHECK(get({{"If-None-Match", ""}, {"If-Modified-Since", exactly}}) == "proceed");
  CHECK(get({{"If-Modified-Since", "now"}}) == "proceed");
  CHECK(get({{"If-Modified-Since", exactly}}, tag_alone) == "proceed");
  CHECK(get({{"If-Modified-Since", exactly}, {"If-Modified-Since", exactly}}) == "proceed");
}

TEST_CASE("conditions are evaluated in the order of RFC 9110 section 13.2.2") {
  CHECK(get({{"If-None-Match", "\"a\""}, {"If-Match", "\"b\""}}) == "412");
  CHECK(get({{"If-None-Match", "\"a\""}, {"If-Match", "\"a\""}}) == "304");
  CHECK(get({{"If-None-Match", "\"a\""}, {"If-Unmodified-Since", before}}) == "412");
  CHECK(get({{"If-Modified-Since", after}, {"If-Unmodified-Since", before}}) == "412");
  CHECK(get({{"If-Modified-Since", after}, {"If-Match", "\"a\""}}) == "304");
  CHECK(put({{"If-None-Match", "\"a\""}, {"If-Match", "\"a\""}}) == "412");
}

TEST_CASE("methods that select nothing have no preconditions (RFC 9110 section 13.2.1)") {
  for (const std::string_view method : {"CONNECT", "OPTIONS", "TRACE"}) {
    CAPTURE(method);
    CHECK(outcome(request(method, {{"If-Match", "\"b\""}, {"If-None-Match", "*"}, {"If-Unmodified-Since", before}}), strong) ==
          "proceed");
  }
}

TEST_CASE("names of fields are compared ignoring case") {
  CHECK(get({{"if-match", "\"b\""}}) == "412");
  CHECK(get({{"IF-MATCH", "\"b\""}}) == "412");
  CHECK(get({{"iF-nOnE-mAtCh", "\"a\""}}) == "304");
  CHECK(get({{"if-modified-SINCE", exactly}}) == "304");
  CHECK(get({{"IF-unmodified-since", before}}) == "412");
}

TEST_CASE("a list of tags may be cut into lines (RFC 9110 section 5.3)") {
  CHECK(get({{"If-Match", "\"b\""}, {"Host", "a"}, {"if-match", "\"a\""}}) == "proceed");
  CHECK(get({{"If-Match", "\"b\""}, {"If-Match", "\"c\""}}) == "412");
  CHECK(get({{"If-None-Match", "\"b\""}, {"If-None-Match", "\"c\",\"a\""}}) == "304");
  CHECK(get({{"If-None-Match", ""}, {"If-None-Match", "\"a\""}}) == "304");
  CHECK(get({{"If-None-Match", "\"b\""}, {"If-Match", "*"}, {"If-None-Match", "\"c\""}}) == "proceed");
  CHECK(get({{"If-None-Match", "\"b\""}, {"If-Match", "\"a\""}, {"If-None-Match", "\"c\""}}) == "proceed");
}

TEST_CASE("a list may have white space, members without anything, and commas in its tags") {
  constexpr Validators comma{"\"a,b\"", std::nullopt};
  CHECK(get({{"If-None-Match", "\"a,b\""}}, comma) == "304");
  CHECK(get({{"If-None-Match", "\"x\",\"a,b\",\"y\""}}, comma) == "304");
  CHECK(get({{"If-None-Match", "\"a\",\"b\""}}, comma) == "proceed");
  CHECK(get({{"If-None-Match", "\"x,\"a\",y\""}}) == "proceed");
  CHECK(get({{"If-None-Match", ",, \"b\"\t,\t\"a\" ,"}}) == "304");
  constexpr Validators backslash{"\"a\\\"", std::nullopt};  // is no escape here
  CHECK(get({{"If-None-Match", "\"a\\\", \"b\""}}, backslash) == "304");
}

TEST_CASE("a member that breaks the grammar matches nothing and leaves the others alone") {
  CHECK(get({{"If-None-Match", "a"}}) == "proceed");
  CHECK(get({{"If-Match", "a"}}) == "412");
  CHECK(get({{"If-Match", ""}}) == "412");
  CHECK(get({{"If-None-Match", "w/\"a\""}}) == "proceed");
  CHECK(get({{"If-None-Match", "b c, \"a\""}}) == "304");
  CHECK(get({{"If-None-Match", "\"b\"x, \"a\""}}) == "304");
  CHECK(get({{"If-None-Match", "\"a\"x"}}) == "proceed");
  CHECK(get({{"If-None-Match", "\"a\" \"b\""}}) == "proceed");
  CHECK(get({{"If-None-Match", "\"b, \"a\""}}) == "proceed");
}

TEST_CASE("* counts alone") {
  CHECK(get({{"If-Match", "*, \"b\""}}) == "412");
  CHECK(get({{"If-Match", "*,"}}) == "412");
  CHECK(get({{"If-Match", "*"}, {"If-Match", "*"}}) == "412");
  CHECK(get({{"If-Match", "\"*\""}}) == "412");
  CHECK(get({{"If-None-Match", "*, \"a\""}}) == "304");
  CHECK(get({{"If-None-Match", "*, \"b\""}}) == "proceed");
}

TEST_CASE("a tag of the server's own that is none matches nothing") {
  for (const std::string_view etag : {"a", "\"a", "\"a\",\"b\"", "*"}) {
    CAPTURE(etag);
    const Validators broken{etag, std::nullopt};
    CHECK(get({{"If-Match", etag}}, broken) == (etag == "*" ? "proceed" : "412"));
    CHECK(get({{"If-Match", "\"a\""}}, broken) == "412");
  }
}

TEST_CASE("a Range counts only with GET, and only if it is one line (RFC 9110 section 14.2)") {
  CHECK(range_applies(request("GET", {{"Range", "bytes=0-0"}}), strong, now));
  CHECK(range_applies(request("GET", {{"range", "bytes=0-0"}}), none, now));
  CHECK_FALSE(range_applies(request("HEAD", {{"Range", "bytes=0-0"}}), strong, now));
  CHECK_FALSE(range_applies(request("POST", {{"Range", "bytes=0-0"}}), strong, now));
  CHECK_FALSE(range_applies(request("GET", {}), strong, now));
  CHECK_FALSE(range_applies(request("GET", {{"If-Range", "\"a\""}}), strong, now));
  CHECK_FALSE(range_applies(request("GET", {{"Range", "bytes=0-0"}, {"Range", "bytes=0-0"}}), strong, now));
}

TEST_CASE("If-Range with a tag compares strongly (RFC 9110 section 13.1.5)") {
  CHECK(in_range({{"If-Range", "\"a\""}}));
  CHECK(in_range({{"if-range", "\"a\""}}, tag_alone));
  CHECK_FALSE(in_range({{"If-Range", "\"b\""}}));
  CHECK_FALSE(in_range({{"If-Range", "W/\"a\""}}));
  CHECK_FALSE(in_range({{"If-Range", "\"a\""}}, weak));
  CHECK_FALSE(in_range({{"If-Range", "W/\"a\""}}, weak));
  CHECK_FALSE(in_range({{"If-Range", "\"a\""}}, none));
  CHECK_FALSE(in_range({{"If-Range", "\"a\""}}, date_alone));
}

TEST_CASE("If-Range with a date is true of exactly that date (RFC 9110 section 13.1.5)") {
  CHECK(in_range({{"If-Range", exactly}}));
  CHECK(in_range({{"If-Range", exactly}}, date_alone));
  CHECK(in_range({{"If-Range", "Sunday, 06-Nov-94 08:49:37 GMT"}}));
  CHECK_FALSE(in_range({{"If-Range", before}}));
  CHECK_FALSE(in_range({{"If-Range", after}}));
  CHECK_FALSE(in_range({{"If-Range", exactly}}, tag_alone));
  CHECK_FALSE(in_range({{"If-Range", exactly}}, none));
}

TEST_CASE("a date of the present second is weak (RFC 9110 section 8.8.2.2)") {
  CHECK(in_range({{"If-Range", exactly}}, date_alone, last_modified + 1));
  CHECK_FALSE(in_range({{"If-Range", exactly}}, date_alone, last_modified));
  CHECK_FALSE(in_range({{"If-Range", exactly}}, date_alone, last_modified - 1));
  CHECK(in_range({{"If-Range", "\"a\""}}, strong, last_modified));
}

TEST_CASE("an If-Range that is no validator is false") {
  for (const std::string_view value : {"", "a", "*", "\"a", "\"a\",", "\"b\", \"a\"", "Sun, 06 Nov 1994 08:49:37", "0"}) {
    CAPTURE(value);
    CHECK_FALSE(in_range({{"If-Range", value}}));
    CHECK_FALSE(in_range({{"If-Range", value}}, none));
  }
  CHECK_FALSE(in_range({{"If-Range", "\"a\""}, {"If-Range", "\"a\""}}));
}

TEST_CASE("fields are found in one pass, first value and number of lines") {
  const RequestHead head =
      request("GET", {{"Range", "bytes=1-2"}, {"If-Match", "x"}, {"IF-NONE-MATCH", "y"}, {"If-Match", "z"}, {"", ""}});
  const ConditionalFields fields(head);
  CHECK(fields.range.first == "bytes=1-2");
  CHECK(fields.range.count == 1);
  CHECK(fields.if_match.first == "x");
  CHECK(fields.if_match.count == 2);
  CHECK(fields.if_none_match.first == "y");
  CHECK_FALSE(fields.if_range);
  CHECK_FALSE(fields.if_modified_since);
  CHECK_FALSE(fields.if_unmodified_since);
}
