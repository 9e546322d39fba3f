#include "codec/http/multipart_range.h"

#include <openssl/rand.h>

#include <array>
#include <utility>

namespace wharf::codec {

std::optional<std::string> random_boundary() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return std::nullopt;
  std::string boundary;
  boundary.reserve(2 * bytes.size());
  for (const unsigned byte : bytes) (boundary += digits[byte >> 4U]) += digits[byte & 15U];
  return boundary;
}

MultipartRanges::MultipartRanges(std::string boundary, std::string media_type, std::vector<ByteRange> ranges, std::uint64_t size)
    : boundary_(std::move(boundary)), media_type_(std::move(media_type)), ranges_(std::move(ranges)), size_(size) {}

std::string MultipartRanges::content_type() const { return "multipart/byteranges; boundary=" + boundary_; }

std::uint64_t MultipartRanges::content_length() const {
  std::uint64_t length = closing().size();
  for (std::size_t part = 0; part < ranges_.size(); ++part) length += part_head(part).size() + ranges_[part].size();
  return length;
}

std::string MultipartRanges::part_head(std::size_t part) const {
  std::string head(part == 0 ? "--" : "\r\n--");
  (((head += boundary_) += "\r\nContent-Type: ") += media_type_) += "\r\nContent-Range: ";
  return (head += content_range(ranges_[part], size_)) += "\r\n\r\n";
}

std::string MultipartRanges::closing() const { return "\r\n--" + boundary_ + "--\r\n"; }

}  // namespace wharf::codec
