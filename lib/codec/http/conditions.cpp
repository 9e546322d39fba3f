#include "codec/http/conditions.h"

#include <algorithm>

#include "base/ascii.h"
#include "codec/http/date.h"

namespace wharf::codec {
namespace {

using Lines = ConditionalFields::Lines;
using Comparison = bool (*)(const EntityTag&, const EntityTag&);

constexpr std::string_view if_match_name = "if-match";
constexpr std::string_view if_none_match_name = "if-none-match";

/// etagc of RFC 9110 section 8.8.3: visible characters except the quote, and obs-text.
bool is_tag_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7F && c != '"';
}

/// Takes the first member from a list whose members may have commas in quotes.
std::string_view take_member(std::string_view& list) {
  bool quoted = false;
  const auto end = std::find_if(list.begin(), list.end(), [&quoted](char c) {
    if (c == '"') quoted = !quoted;
    return c == ',' && !quoted;
  });
  const std::string_view member = list.substr(0, static_cast<std::size_t>(end - list.begin()));
  list.remove_prefix(end == list.end() ? member.size() : member.size() + 1);
  return base::trim(member);
}

bool has_member(std::string_view list, const EntityTag& tag, Comparison equal) {
  while (!list.empty()) {
    const std::optional<EntityTag> member = parse_entity_tag(take_member(list));
    if (member && equal(*member, tag)) return true;
  }
  return false;
}

/// Whether a list of entity tags, or `*`, names the representation.
bool names(const RequestHead& head, std::string_view name, const Lines& lines, std::string_view etag, Comparison equal) {
  if (lines.count == 1 && lines.first == "*") return true;
  const std::optional<EntityTag> tag = parse_entity_tag(etag);
  if (!tag) return false;
  if (lines.count == 1) return has_member(lines.first, *tag, equal);
  return std::any_of(head.fields.begin(), head.fields.end(), [&](const Field& field) {
    return base::equal_ignoring_case(field.name, name) && has_member(field.value, *tag, equal);
  });
}

std::optional<std::time_t> date_of(const Lines& lines, std::time_t now) {
  return lines.count == 1 ? parse_http_date(lines.first, now) : std::nullopt;
}

bool is_retrieval(std::string_view method) { return method == "GET" || method == "HEAD"; }

bool selects_nothing(std::string_view method) { return method == "CONNECT" || method == "OPTIONS" || method == "TRACE"; }

/// The first two steps of RFC 9110 section 13.2.2.
bool state_is_expected(const RequestHead& head, const ConditionalFields& fields, const Validators& validators, std::time_t now) {
  if (fields.if_match) return names(head, if_match_name, fields.if_match, validators.etag, strongly_equal);
  const std::optional<std::time_t> date = date_of(fields.if_unmodified_since, now);
  return !date || !validators.last_modified || *validators.last_modified <= *date;
}

/// The third and fourth.
bool client_has_it(const RequestHead& head, const ConditionalFields& fields, const Validators& validators, std::time_t now) {
  if (fields.if_none_match) return names(head, if_none_match_name, fields.if_none_match, validators.etag, weakly_equal);
  if (!is_retrieval(head.method)) return false;
  const std::optional<std::time_t> date = date_of(fields.if_modified_since, now);
  return date && validators.last_modified && *validators.last_modified <= *date;
}

}  // namespace

std::optional<EntityTag> parse_entity_tag(std::string_view text) {
  const bool weak = text.starts_with("W/");
  if (weak) text.remove_prefix(2);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::nullopt;
  const std::string_view opaque = text.substr(1, text.size() - 2);
  if (!std::all_of(opaque.begin(), opaque.end(), is_tag_char)) return std::nullopt;
  return EntityTag{opaque, weak};
}

bool strongly_equal(const EntityTag& a, const EntityTag& b) { return !a.weak && !b.weak && a.opaque == b.opaque; }

bool weakly_equal(const EntityTag& a, const EntityTag& b) { return a.opaque == b.opaque; }

/// The first letter rules out most fields of a request, and the length most others.
ConditionalFields::ConditionalFields(const RequestHead& head) {
  struct Wanted {
    std::string_view name;
    Lines ConditionalFields::*lines;
  };
  constexpr Wanted all[] = {
      {"range", &ConditionalFields::range},
      {if_match_name, &ConditionalFields::if_match},
      {"if-range", &ConditionalFields::if_range},
      {if_none_match_name, &ConditionalFields::if_none_match},
      {"if-modified-since", &ConditionalFields::if_modified_since},
      {"if-unmodified-since", &ConditionalFields::if_unmodified_since},
  };
  for (const Field& field : head.fields) {
    const char initial = field.name.empty() ? '\0' : base::lower(field.name.front());
    if (initial != 'i' && initial != 'r') continue;
    for (const Wanted& wanted : all) {
      if (!base::equal_ignoring_case(field.name, wanted.name)) continue;
      Lines& lines = this->*wanted.lines;
      if (lines.count++ == 0) lines.first = field.value;
      break;
    }
  }
}

Condition evaluate_conditions(const RequestHead& head, const Validators& validators, std::time_t now) {
  return evaluate_conditions(head, ConditionalFields(head), validators, now);
}

Condition evaluate_conditions(const RequestHead& head, const ConditionalFields& fields, const Validators& validators,
                              std::time_t now) {
  if (selects_nothing(head.method)) return Condition::proceed;
  if (!state_is_expected(head, fields, validators, now)) return Condition::precondition_failed;
  if (!client_has_it(head, fields, validators, now)) return Condition::proceed;
  return is_retrieval(head.method) ? Condition::not_modified : Condition::precondition_failed;
}

bool range_applies(const RequestHead& head, const Validators& validators, std::time_t now) {
  return range_applies(head, ConditionalFields(head), validators, now);
}

bool range_applies(const RequestHead& head, const ConditionalFields& fields, const Validators& validators, std::time_t now) {
  if (fields.range.count != 1 || head.method != "GET") return false;
  if (!fields.if_range) return true;
  if (fields.if_range.count != 1) return false;
  const std::optional<EntityTag> asked = parse_entity_tag(fields.if_range.first);
  const std::optional<EntityTag> current = parse_entity_tag(validators.etag);
  if (asked) return current && strongly_equal(*asked, *current);
  const std::optional<std::time_t> date = date_of(fields.if_range, now);
  return date && date == validators.last_modified && *date < now;
}

}  // namespace wharf::codec
