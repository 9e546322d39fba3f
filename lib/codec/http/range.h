#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::codec {

/// The bytes from `first` to `last`, both included.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  [[nodiscard]] std::uint64_t size() const { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

struct RangeLimits {
  std::size_t ranges = 16;  ///< ranges in a field, inclusive; a field with more is ignored. 0: every field is ignored
};

/// The outcome of a Range field.
struct RangeAnswer {
  enum class Kind : std::uint8_t {
    whole,         ///< as if there were no such field: 200
    partial,       ///< 206 with `ranges`: one as such, more as multipart/byteranges
    unsatisfiable  ///< 416 with `Content-Range: bytes */SIZE`
  };
  Kind kind = Kind::whole;
  std::vector<ByteRange> ranges;  ///< only with partial: at least one, within the size, none touches another, in the order asked
};

/// Resolves the value of a Range field against a representation of `size` bytes (RFC 9110 sections 14.1 and 14.2).
///
/// The field is ignored, so the outcome is whole, if the unit is not bytes, the value breaks the grammar, a last position is before
/// the first, or there are more ranges than the limit, more than two that overlap with another, or more bytes in all than the size.
/// A number that does not fit into 64 bits counts as the largest that does. Ranges that overlap or adjoin become one, in the place
/// of the one that was asked first; ranges that cannot be satisfied are left out. An empty representation is never partial: it is
/// whole if a suffix asks for its last bytes, else unsatisfiable.
RangeAnswer resolve_ranges(std::string_view field, std::uint64_t size, const RangeLimits& limits = {});

/// Content-Range of a 206 or of one of its parts (RFC 9110 section 14.4): "bytes 0-9/100".
std::string content_range(const ByteRange& range, std::uint64_t size);

/// Content-Range of a 416: "bytes */100".
std::string unsatisfied_range(std::uint64_t size);

}  // namespace wharf::codec
