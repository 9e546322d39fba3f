#pragma once
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/shared.h"
#include "codec/http/conditions.h"
#include "codec/http/prepared_fields.h"
#include "files/open_folder.h"
#include "wharf/mounts.hpp"

namespace wharf::server {

/// A moment on a loop.
struct LoopMoment {
  base::Time now{0};
  std::uint64_t turn = 0;  ///< counts the turns of the loop, from 1
};

/// A file as it is, or in a content coding, with all that a response says about it (RFC 9110 section 8).
struct Representation {
  enum class Held : std::uint8_t {
    nothing,  ///< known, and not opened or made yet
    bytes,    ///< in memory
    file      ///< open
  };

  std::string_view coding = "identity";  ///< static storage
  std::string_view type;                 ///< the media type; lives as long as the mount
  std::string name;                      ///< of the file, below the mount's folder; empty: compressed here
  FileIdentity identity;                 ///< of that file, or of the one that it is compressed from
  std::uint64_t checked = 0;             ///< the turn of the loop in which the identity was last checked; see LoopMoment

  bool settled = false;  ///< the bytes that were read are the file's as long as the identity is the same

  std::string etag;  ///< with its quotes
  std::time_t last_modified = 0;
  codec::PreparedFields fields;   ///< of a 200, in three parts that differ in use:
  std::size_t metadata_at = 0;    ///< before it only Content-Type
  std::size_t validators_at = 0;  ///< before it the fields that a 304 does not have (RFC 9110 section 15.4.5)

  Held held = Held::nothing;
  Shared<std::string> bytes;
  Shared<base::Descriptor> file;

  [[nodiscard]] bool is_coded() const { return coding != "identity"; }
  [[nodiscard]] bool is_made_here() const { return name.empty(); }
  [[nodiscard]] std::uint64_t size() const { return held == Held::bytes ? bytes->size() : identity.size; }
  [[nodiscard]] codec::Validators validators() const { return {etag, last_modified}; }
  [[nodiscard]] codec::PreparedFields::Part fields_without_type() const { return {fields, metadata_at}; }
  [[nodiscard]] codec::PreparedFields::Part validator_fields() const { return {fields, validators_at}; }
};

/// Whether the responses for a path depend on Accept-Encoding (RFC 9110 section 12.5.5).
enum class Varies : std::uint8_t { no, yes };

/// Sets etag, last_modified and fields from the other members and the mount's options for tags and Cache-Control. Last-Modified is
/// never later than `now` (section 8.8.2.1). No Cache-Control if its value is empty.
void describe(Representation& representation, Varies varies, const Files& files, std::time_t now);

}  // namespace wharf::server
