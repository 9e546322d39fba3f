#include "codec/http/range.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/ascii.h"
#include "codec/http/multipart_range.h"
#include "fuzz/promise.h"

// Input: a byte for the limit of ranges, eight for the size of the representation, then the value of a Range field. The ranges lie
// in the representation, are not more and have no more bytes than allowed, and are exactly those that were asked for; asking for
// them again brings them again.

namespace {

using namespace wharf::codec;
using Kind = RangeAnswer::Kind;

constexpr std::size_t control_bytes = 9;
constexpr std::uint64_t small = 256;  // the size of a representation whose bytes can be checked one by one

/// The high bytes are seldom set: ranges meet only if sizes are small.
std::uint64_t size_from(const std::uint8_t* data) {
  std::uint64_t size = data[0];
  if (data[1] < 0x80) return size;
  for (int i = 1; i < 8; ++i) size = size << 8U | data[i];
  return size;
}

std::string field_of(const std::vector<ByteRange>& ranges) {
  std::string field;
  for (const ByteRange& range : ranges)
    field += (field.empty() ? "bytes=" : ",") + std::to_string(range.first) + "-" + std::to_string(range.last);
  return field;
}

/// A number as it is written, but no larger than `most`.
std::uint64_t number_up_to(std::uint64_t most, std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) value = std::min(most, value * 10 + static_cast<std::uint64_t>(c - '0'));
  return value;
}

/// The bytes that a well-formed field asks for, one by one, of a small representation.
std::set<std::uint64_t> asked_for(std::string_view field, std::uint64_t size) {
  std::set<std::uint64_t> bytes;
  wharf::base::for_each_list_item(field.substr(field.find('=') + 1), [&](std::string_view item) {
    const std::size_t dash = item.find('-');
    const std::string_view first = item.substr(0, dash);
    const std::string_view last = item.substr(dash + 1);
    for (std::uint64_t at = 0; at < size; ++at) {
      const bool in_suffix = first.empty() && at + number_up_to(size, last) >= size;
      const bool in_range = !first.empty() && at >= number_up_to(size, first) && (last.empty() || at <= number_up_to(size, last));
      if (in_suffix || in_range) bytes.insert(at);
    }
  });
  return bytes;
}

void check_bytes(const std::vector<ByteRange>& ranges, std::string_view field, std::uint64_t size) {
  std::set<std::uint64_t> bytes;
  for (const ByteRange& range : ranges)
    for (std::uint64_t at = range.first; at <= range.last; ++at) require(bytes.insert(at).second, "no byte is sent twice");
  require(bytes == asked_for(field, size), "what is sent is what was asked for");
}

void check_ranges(std::vector<ByteRange> ranges, std::uint64_t size, const RangeLimits& limits) {
  require(!ranges.empty() && ranges.size() <= limits.ranges, "there are no more ranges than the limit");
  const RangeAnswer again = resolve_ranges(field_of(ranges), size, limits);
  require(again.kind == Kind::partial && again.ranges == ranges, "asked for again they are the same");
  std::sort(ranges.begin(), ranges.end(), [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    require(ranges[i].first <= ranges[i].last && ranges[i].last < size, "a range lies in the representation");
    require(i == 0 || ranges[i].first > ranges[i - 1].last + 1, "no range touches another");
  }
}

void check_multipart(const std::vector<ByteRange>& ranges, std::uint64_t size) {
  if (size > std::numeric_limits<std::uint32_t>::max()) return;
  const MultipartRanges multipart("boundary", "text/plain", ranges, size);
  std::uint64_t length = multipart.closing().size();
  for (std::size_t part = 0; part < ranges.size(); ++part) {
    const std::string head = multipart.part_head(part);
    require(head.starts_with(part == 0 ? "--boundary\r\n" : "\r\n--boundary\r\n") && head.ends_with("\r\n\r\n"),
            "a part has a head");
    require(head.find("Content-Range: " + content_range(ranges[part], size)) != std::string::npos, "which says which part it is");
    length += head.size() + ranges[part].size();
  }
  require(length == multipart.content_length(), "the length is known beforehand");
}

void check_same(const RangeAnswer& a, const RangeAnswer& b, const char* what) {
  require(a.kind == b.kind && a.ranges == b.ranges, what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const RangeLimits limits{.ranges = data[0] % 32U};
  const std::uint64_t bytes = size_from(data + 1);
  const std::string field(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);
  const RangeAnswer answer = resolve_ranges(field, bytes, limits);
  if (answer.kind == Kind::partial) {
    check_ranges(answer.ranges, bytes, limits);
    check_multipart(answer.ranges, bytes);
    if (bytes <= small) check_bytes(answer.ranges, field, bytes);
  } else {
    require(answer.ranges.empty(), "there are ranges with a partial answer alone");
  }
  if (answer.kind == Kind::unsatisfiable && bytes <= small) require(asked_for(field, bytes).empty(), "nothing there was asked for");
  check_same(answer, resolve_ranges(field + ", ", bytes, limits), "members without anything change nothing");
  std::string capitals = field;
  std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  check_same(answer, resolve_ranges(capitals, bytes, limits), "capitals change nothing");
  require(resolve_ranges(field + ",x", bytes, limits).kind == Kind::whole, "what breaks the grammar is ignored as a whole");
  return 0;
}
