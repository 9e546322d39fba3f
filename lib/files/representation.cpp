#include "files/representation.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "codec/http/date.h"

namespace wharf::server {
namespace {

void append_hex(std::string& text, std::uint64_t value) {
  std::array<char, 16> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16);
  text.append(digits.data(), end);
}

constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

/// Whether the time of the last change distinguishes contents.
bool has_time(const FileIdentity& identity) { return identity.modified < 0 || identity.modified >= 2 * nanoseconds_per_second; }

/// Size, times and number of the file, and the coding: a representation in another coding is another one (RFC 9110 section
/// 8.8.3.3). The time of the last change of the status cannot be set back, as that of the content can.
std::string entity_tag(const Representation& representation, EntityTags kind) {
  const FileIdentity& identity = representation.identity;
  std::string tag = "\"";
  append_hex(tag, identity.size);
  if (kind == EntityTags::by_time_and_size && has_time(identity)) {
    append_hex(tag += '-', static_cast<std::uint64_t>(identity.modified / nanoseconds_per_second));
    if (!representation.settled) append_hex(tag += '-', static_cast<std::uint64_t>(identity.changed));
  } else {
    append_hex(tag += '-', static_cast<std::uint64_t>(identity.modified));
    append_hex(tag += '-', static_cast<std::uint64_t>(identity.changed));
    append_hex(tag += '-', identity.inode);
  }
  if (representation.is_coded()) (tag += '-') += representation.coding;
  if (representation.is_made_here()) tag += "-made";
  return tag += '"';
}

}  // namespace

void describe(Representation& representation, Varies varies, const Files& files, std::time_t now) {
  representation.etag = entity_tag(representation, files.etag);
  representation.last_modified = std::min<std::time_t>(representation.identity.modified / nanoseconds_per_second, now);
  codec::PreparedFields fields;
  fields.add("Content-Type", representation.type);
  representation.metadata_at = fields.size();
  if (representation.is_coded()) fields.add("Content-Encoding", representation.coding);
  if (!representation.is_made_here()) fields.add("Accept-Ranges", "bytes");
  fields.add("Last-Modified", codec::HttpDate(representation.last_modified).text());
  representation.validators_at = fields.size();
  fields.add("ETag", representation.etag);
  if (varies == Varies::yes) fields.add("Vary", "Accept-Encoding");
  if (!files.cache_control.empty()) fields.add("Cache-Control", files.cache_control);
  representation.fields = std::move(fields);
}

}  // namespace wharf::server
