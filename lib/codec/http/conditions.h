#pragma once
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string_view>

#include "codec/http/request_head.h"

namespace wharf::codec {

/// An entity tag (RFC 9110 section 8.8.3). The view is into what was parsed.
struct EntityTag {
  std::string_view opaque;  ///< without its quotes; may be empty
  bool weak = false;
};

/// Exactly one entity tag, without white space around it; nullopt for anything else.
std::optional<EntityTag> parse_entity_tag(std::string_view text);

/// RFC 9110 section 8.8.3.2.
bool strongly_equal(const EntityTag& a, const EntityTag& b);
bool weakly_equal(const EntityTag& a, const EntityTag& b);

/// What the response would say about the representation, which exists.
struct Validators {
  std::string_view etag;                     ///< the value of its ETag field, quotes included; empty: it has none
  std::optional<std::time_t> last_modified;  ///< its Last-Modified field, seconds since 1970, not after `now`; nullopt: it has none
};

/// The fields that make a request conditional or ask for a part (RFC 9110 sections 13.1 and 14.2), found in one pass over its head.
/// Views are those of the head.
struct ConditionalFields {
  struct Lines {
    std::string_view first;  ///< the value of the first line
    std::size_t count = 0;

    explicit operator bool() const { return count > 0; }
  };

  explicit ConditionalFields(const RequestHead& head);

  Lines if_match;
  Lines if_unmodified_since;
  Lines if_none_match;
  Lines if_modified_since;
  Lines if_range;
  Lines range;
};

enum class Condition : std::uint8_t {
  proceed,
  not_modified,        ///< 304; only for GET and HEAD
  precondition_failed  ///< 412
};

/// Evaluates the preconditions in the order of RFC 9110 section 13.2.2, for a request whose response would be 2xx without
/// them (section 13.2.1). If-Range is for range_applies().
///
/// Lists of entity tags may be cut into several field lines; a member that breaks the grammar matches nothing, nor does a `*` that
/// is not alone. A date is ignored if it is malformed, stands on several lines, or the representation has none to compare it with.
/// CONNECT, OPTIONS and TRACE have no preconditions.
Condition evaluate_conditions(const RequestHead& head, const Validators& validators, std::time_t now);
Condition evaluate_conditions(const RequestHead& head, const ConditionalFields& fields, const Validators& validators,
                              std::time_t now);

/// Whether the Range field counts (RFC 9110 sections 13.1.5 and 14.2), after evaluate_conditions() said proceed: there is exactly
/// one, with GET, and If-Range, if there, is one line that is true: an entity tag that is strongly equal, or the date of the last
/// modification, if that is strong, which means at least one second before `now` (section 8.8.2.2).
bool range_applies(const RequestHead& head, const Validators& validators, std::time_t now);
bool range_applies(const RequestHead& head, const ConditionalFields& fields, const Validators& validators, std::time_t now);

}  // namespace wharf::codec
