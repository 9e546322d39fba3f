#include "codec/http/accept.h"

#include <algorithm>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

/// In thousandths, with one value above zero and below all others: acceptable, though nothing says so.
using Weight = int;
constexpr Weight unacceptable = 0;
constexpr Weight tolerated = 1;
constexpr Weight least = 2;

constexpr std::string_view field_name = "accept-encoding";
constexpr std::string_view no_coding = "identity";

struct Member {
  std::string_view coding;
  Weight weight = unacceptable;
};

/// qvalue of RFC 9110 section 12.4.2: 0 or 1 with up to three decimals, which are zeros behind a 1.
std::optional<Weight> weight_of(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.front() != '0' && text.front() != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  Weight thousandths = text.front() == '1' ? 1000 : 0;
  Weight place = 100;
  for (const char c : text.substr(std::min<std::size_t>(text.size(), 2))) {
    if (!base::is_digit(c)) return std::nullopt;
    thousandths += place * (c - '0');
    place /= 10;
  }
  if (thousandths > 1000) return std::nullopt;
  return thousandths == 0 ? unacceptable : thousandths - 1 + least;
}

/// codings [ OWS ";" OWS "q=" qvalue ]
std::optional<Member> member_of(std::string_view item) {
  const std::size_t semicolon = item.find(';');
  const std::string_view coding = base::trim(item.substr(0, semicolon));
  if (semicolon == std::string_view::npos) return Member{coding, *weight_of("1")};
  const std::string_view parameter = base::trim(item.substr(semicolon + 1));
  if (!base::equal_ignoring_case(parameter.substr(0, 2), "q=")) return std::nullopt;
  const std::optional<Weight> weight = weight_of(parameter.substr(2));
  return weight ? std::optional<Member>({coding, *weight}) : std::nullopt;
}

bool same_coding(std::string_view a, std::string_view b) {
  for (std::string_view* name : {&a, &b}) {
    if (base::equal_ignoring_case(*name, "x-gzip") || base::equal_ignoring_case(*name, "x-compress")) name->remove_prefix(2);
  }
  return base::equal_ignoring_case(a, b);
}

Weight weight_in(const RequestHead& head, std::string_view coding) {
  std::optional<Weight> named;
  std::optional<Weight> any;
  for (const Field& field : head.fields) {
    if (!base::equal_ignoring_case(field.name, field_name)) continue;
    base::for_each_list_item(field.value, [&](std::string_view item) {
      const std::optional<Member> member = member_of(item);
      if (!member) return;
      if (!named && same_coding(member->coding, coding)) named = member->weight;
      if (!any && member->coding == "*") any = member->weight;
    });
  }
  if (named) return *named;
  if (any) return *any;
  return base::equal_ignoring_case(coding, no_coding) ? tolerated : unacceptable;
}

}  // namespace

std::optional<std::string_view> choose_coding(const RequestHead& head, std::span<const std::string_view> offered) {
  std::optional<std::string_view> best;
  Weight most = unacceptable;
  for (const std::string_view coding : offered) {
    const Weight weight = weight_in(head, coding);
    if (weight <= most) continue;
    most = weight;
    best = coding;
  }
  return best;
}

}  // namespace wharf::codec
