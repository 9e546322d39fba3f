#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/http/range.h"

namespace wharf::codec {

/// A boundary of 32 characters, which content holds only with a chance of one in 2^128. nullopt if the system gives no random
/// bytes.
std::optional<std::string> random_boundary();

/// The text around the bytes of a multipart/byteranges body (RFC 9110 sections 14.6 and 15.3.7.2, RFC 2046 section 5.1.1):
///
///     part_head(0), the bytes of ranges()[0], part_head(1), the bytes of ranges()[1], ... closing()
class MultipartRanges {
 public:
  /// `boundary` is a token of at most 70 characters that the content does not hold; `media_type` is that of the whole representation,
  /// `size` its bytes, and `ranges` lie in it.
  MultipartRanges(std::string boundary, std::string media_type, std::vector<ByteRange> ranges, std::uint64_t size);

  [[nodiscard]] const std::vector<ByteRange>& ranges() const { return ranges_; }
  /// For the Content-Type of the response, which has no Content-Range.
  [[nodiscard]] std::string content_type() const;
  /// For the Content-Length of the response: all heads, all ranges and the end.
  [[nodiscard]] std::uint64_t content_length() const;
  /// The text before the bytes of that range: the delimiter, the part's fields, an empty line.
  [[nodiscard]] std::string part_head(std::size_t part) const;
  /// The text behind the last range: the closing delimiter.
  [[nodiscard]] std::string closing() const;

 private:
  std::string boundary_;
  std::string media_type_;
  std::vector<ByteRange> ranges_;
  std::uint64_t size_;
};

}  // namespace wharf::codec
