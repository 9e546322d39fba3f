#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::codec {

/// The reason phrase of RFC 9110 section 15 for a status, or "Unknown".
std::string_view reason_phrase(int status);

/// Fields that say how a connection carries a message: only its framing writes them.
bool is_framing_field(std::string_view name);
/// Those, and Date (RFC 9110 section 6.6.1): the fields that the server writes itself, and authors and configurations may not.
bool is_server_field(std::string_view name);

/// Writes the head of an HTTP/1.1 message (RFC 9112 sections 2 to 5) into a string: the first line at construction, then fields,
/// then the empty line by finish(). A field name that is not a token, or a value with CR, LF or NUL, is refused (false) and changes
/// nothing, so that no application can split a message.
class MessageHead {
 public:
  bool field(std::string_view name, std::string_view value);
  void content_length(std::uint64_t value);
  /// Field lines that are ready, each with its CRLF. They are not checked.
  void lines(std::string_view prepared) { text_ += prepared; }
  /// The whole head, the empty line included.
  [[nodiscard]] std::string finish() &&;

 protected:
  /// `memory` is overwritten: a caller that writes one head after the other need not allocate each time.
  explicit MessageHead(std::string memory);
  std::string& text() { return text_; }

 private:
  std::string text_;
};

class ResponseHead final : public MessageHead {
 public:
  explicit ResponseHead(int status, std::string memory = {});
};

class RequestText final : public MessageHead {
 public:
  /// `method` is a token; `target` has neither white space nor control characters.
  RequestText(std::string_view method, std::string_view target, std::string memory = {});
};

}  // namespace wharf::codec
