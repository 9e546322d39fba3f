#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "codec/http/request_head.h"

namespace wharf::codec {

/// Which of the content codings that a server has to offer, in the order that it would like them best, to answer with: the one of
/// the greatest weight in Accept-Encoding (RFC 9110 section 12.5.3), of several such the first offered. `identity` stands for no
/// coding; offer it like any other. The view returned is the one offered.
///
/// Without the field, or with an empty one: identity. Where no member of the field says anything of identity, it is acceptable, but
/// after all that are named. nullopt: nothing offered is acceptable; then send it without a coding nevertheless, or answer 406.
/// Names are compared ignoring case, with x-gzip for gzip and x-compress for compress. A member that breaks the grammar (a weight
/// above 1 or with more than three decimals, another parameter) is as if it were not there; of two for one coding the first counts.
std::optional<std::string_view> choose_coding(const RequestHead& head, std::span<const std::string_view> offered);

}  // namespace wharf::codec
