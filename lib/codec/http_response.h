#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::codec {

/// The reason phrase of RFC 9110 section 15 for a status, or "Unknown".
std::string_view reason_phrase(int status);

/// The media type for a file name by its last extension, ignoring case, with `; charset=utf-8` for text types;
/// `application/octet-stream` when unknown.
std::string_view media_type(std::string_view file_name);

/// Writes the head of an HTTP/1.1 response (RFC 9112 section 4) into a string: the status line at construction, then fields, then
/// the empty line by finish(). A field name that is not a token, or a value with CR, LF or NUL, is refused (false) and leaves no
/// trace: what an application passes can not split a response.
class ResponseHead {
 public:
  explicit ResponseHead(int status);
  bool field(std::string_view name, std::string_view value);
  bool field(std::string_view name, std::uint64_t value);
  /// The whole head, the empty line included.
  [[nodiscard]] std::string finish() &&;

 private:
  std::string text_;
};

}  // namespace wharf::codec
