#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "codec/http/request_head.h"

namespace wharf::codec {

/// Chooses among the content codings that a server offers, in its order of preference: the one of the greatest weight in
/// Accept-Encoding (RFC 9110 section 12.5.3), and of several such the first offered. `identity` stands for no coding; offer it like
/// any other. The view returned is the one offered.
///
/// Without the field, or with an empty one: identity. If no member of the field mentions identity, it is acceptable, but after all
/// that are named. nullopt: nothing offered is acceptable; then send it without a coding nevertheless, or respond with 406.
/// Names are compared ignoring case, with x-gzip for gzip and x-compress for compress. A member that breaks the grammar (a weight
/// above 1 or with more than three decimals, another parameter) is ignored; of two for one coding the first counts.
std::optional<std::string_view> choose_coding(const RequestHead& head, std::span<const std::string_view> offered);

}  // namespace wharf::codec
