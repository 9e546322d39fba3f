#include "server/representation.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "codec/http_date.h"

namespace wharf::server {
namespace {

void append_hex(std::string& text, std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
  text.append(digits.data(), end);
}

/// Size, times and number of the file, and the coding: a representation in another coding is another one (RFC 9110 section
/// 8.8.3.3). The time of the last change of whatever is known of the file can not be set back, as that of its content can.
std::string entity_tag(const Representation& representation) {
  std::string tag = "\"";
  append_hex(tag, representation.identity.size);
  append_hex(tag += '-', static_cast<std::uint64_t>(representation.identity.modified));
  append_hex(tag += '-', static_cast<std::uint64_t>(representation.identity.changed));
  append_hex(tag += '-', representation.identity.inode);
  if (representation.is_coded()) (tag += '-') += representation.coding;
  if (representation.is_made_here()) tag += "-made";
  return tag += '"';
}

void append_line(std::string& lines, std::string_view name, std::string_view value) {
  (((lines += name) += ": ") += value) += "\r\n";
}

constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

}  // namespace

void describe(Representation& representation, Varies varies, std::string_view cache_control, std::time_t now) {
  representation.etag = entity_tag(representation);
  representation.last_modified = std::min<std::time_t>(representation.identity.modified / nanoseconds_per_second, now);
  std::string lines;
  lines.reserve(256 + cache_control.size());
  append_line(lines, "Content-Type", representation.type);
  representation.metadata_at = lines.size();
  if (representation.is_coded()) append_line(lines, "Content-Encoding", representation.coding);
  if (!representation.is_made_here()) append_line(lines, "Accept-Ranges", "bytes");
  append_line(lines, "Last-Modified", codec::HttpDate(representation.last_modified).text());
  representation.validators_at = lines.size();
  append_line(lines, "ETag", representation.etag);
  if (varies == Varies::yes) append_line(lines, "Vary", "Accept-Encoding");
  if (!cache_control.empty()) append_line(lines, "Cache-Control", cache_control);
  lines.shrink_to_fit();
  representation.lines = std::move(lines);
}

}  // namespace wharf::server
