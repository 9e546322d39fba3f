#include "codec/http/range.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

using Kind = RangeAnswer::Kind;

/// 1*DIGIT. A number that is too large becomes the largest there is.
std::optional<std::uint64_t> number_of(std::string_view text) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!base::is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (most - digit) / 10 ? most : value * 10 + digit;
  }
  return value;
}

enum class Spec : std::uint8_t { malformed, unsatisfiable, satisfiable };

/// A suffix of no bytes is not satisfiable; any other is, even of nothing: then `range` is not set.
Spec resolve_suffix(std::optional<std::uint64_t> length, std::uint64_t size, ByteRange& range) {
  if (!length) return Spec::malformed;
  if (*length == 0) return Spec::unsatisfiable;
  if (size > 0) range = {size - std::min(*length, size), size - 1};
  return Spec::satisfiable;
}

/// int-range or suffix-range.
Spec resolve_spec(std::string_view text, std::uint64_t size, ByteRange& range) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return Spec::malformed;
  const std::optional<std::uint64_t> last = number_of(text.substr(dash + 1));
  if (dash == 0) return resolve_suffix(last, size, range);
  const std::optional<std::uint64_t> first = number_of(text.substr(0, dash));
  const bool open = dash + 1 == text.size();
  if (!first || (!last && !open) || (last && *last < *first)) return Spec::malformed;
  if (*first >= size) return Spec::unsatisfiable;
  range = {*first, open ? size - 1 : std::min(*last, size - 1)};
  return Spec::satisfiable;
}

struct Asked {
  ByteRange range;
  std::size_t place = 0;  ///< in the order of the field
};

bool ask_for_more_than(std::uint64_t size, const std::vector<Asked>& all) {
  for (const Asked& each : all) {
    if (each.range.size() > size) return true;
    size -= each.range.size();
  }
  return false;
}

/// The number of ranges, sorted by their first bytes, that share a byte with another.
std::size_t count_overlapping(const std::vector<Asked>& sorted) {
  std::size_t count = 0;
  std::uint64_t last = 0;  // of all ranges before
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const ByteRange& range = sorted[i].range;
    const bool with_earlier = i > 0 && range.first <= last;
    const bool with_later = i + 1 < sorted.size() && sorted[i + 1].range.first <= range.last;
    if (with_earlier || with_later) ++count;
    last = std::max(last, range.last);
  }
  return count;
}

/// Merges ranges that overlap or adjoin into one, with the earliest of their places.
std::vector<Asked> coalesce(const std::vector<Asked>& sorted) {
  std::vector<Asked> joined;
  for (const Asked& each : sorted) {
    if (joined.empty() || each.range.first > joined.back().range.last + 1) {
      joined.push_back(each);
      continue;
    }
    Asked& before = joined.back();
    before.range.last = std::max(before.range.last, each.range.last);
    before.place = std::min(before.place, each.place);
  }
  return joined;
}

RangeAnswer answer_to(std::vector<Asked> all, std::uint64_t size) {
  if (all.empty()) return {Kind::unsatisfiable, {}};
  if (size == 0 || ask_for_more_than(size, all)) return {};
  std::sort(all.begin(), all.end(), [](const Asked& a, const Asked& b) { return a.range.first < b.range.first; });
  if (count_overlapping(all) > 2) return {};
  all = coalesce(all);
  std::sort(all.begin(), all.end(), [](const Asked& a, const Asked& b) { return a.place < b.place; });
  RangeAnswer answer{Kind::partial, {}};
  answer.ranges.reserve(all.size());
  for (const Asked& each : all) answer.ranges.push_back(each.range);
  return answer;
}

}  // namespace

/// White space may follow the equals sign, as in an example of section 14.1.2 (erratum 7306).
RangeAnswer resolve_ranges(std::string_view field, std::uint64_t size, const RangeLimits& limits) {
  const std::size_t equals = field.find('=');
  if (equals == std::string_view::npos || !base::equal_ignoring_case(field.substr(0, equals), "bytes")) return {};
  std::size_t count = 0;
  bool well_formed = true;
  std::vector<Asked> satisfiable;
  base::for_each_list_item(field.substr(equals + 1), [&](std::string_view item) {
    if (!well_formed || ++count > limits.ranges) return;
    ByteRange range;
    const Spec spec = resolve_spec(item, size, range);
    if (spec == Spec::malformed) well_formed = false;
    if (spec == Spec::satisfiable) satisfiable.push_back({range, count});
  });
  if (!well_formed || count == 0 || count > limits.ranges) return {};
  return answer_to(std::move(satisfiable), size);
}

std::string content_range(const ByteRange& range, std::uint64_t size) {
  return "bytes " + std::to_string(range.first) + "-" + std::to_string(range.last) + "/" + std::to_string(size);
}

std::string unsatisfied_range(std::uint64_t size) { return "bytes */" + std::to_string(size); }

}  // namespace wharf::codec
