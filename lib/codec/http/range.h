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
  std::size_t ranges = 16;  ///< ranges in a field, inclusive; a field with more is ignored. 0: every field is
};

/// What to answer to a Range field.
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
/// Ignored, so whole: another unit than bytes, a value that breaks the grammar, a last position before the first, more ranges than
/// the limit, more than two ranges that overlap with another, ranges that ask for more bytes together than there are. A position or
/// length of any size is a number: what 64 bits cannot hold counts as the largest that they can. Ranges that overlap or adjoin each
/// other become one, in the place of the one asked first; what cannot be satisfied is left out. Of an empty representation nothing is
/// partial: it is whole where a suffix asks for its last bytes, else unsatisfiable.
RangeAnswer resolve_ranges(std::string_view field, std::uint64_t size, const RangeLimits& limits = {});

/// Content-Range of a 206 or of one of its parts (RFC 9110 section 14.4): "bytes 0-9/100".
std::string content_range(const ByteRange& range, std::uint64_t size);

/// Content-Range of a 416: "bytes */100".
std::string unsatisfied_range(std::uint64_t size);

}  // namespace wharf::codec
