#include "codec/opening.h"

#include <algorithm>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

constexpr std::string_view handshake_record = "\x16\x03";
constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether bytes may be in a request line behind the method.
bool is_in_line(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '\x7F'; }

/// HTTP/1.0, HTTP/1.1 and whatever follows.
bool is_version(std::string_view word) {
  return word.size() == 8 && word.starts_with("HTTP/") && base::is_digit(word[5]) && word[6] == '.' && base::is_digit(word[7]);
}

/// A line that is complete, without its end.
bool is_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  return first != std::string_view::npos && last > first + 1 && is_version(line.substr(last + 1));
}

Opening opening_of_line(std::string_view bytes) {
  if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // RFC 9112 section 2.2
  if (bytes.empty() || bytes == "\r") return Opening::undecided;
  const std::string_view method = bytes.substr(0, bytes.find(' '));
  const bool has_method = method.size() < bytes.size();
  if (method.empty()) return Opening::other;
  if (!std::ranges::all_of(method, base::is_token_char)) return Opening::other;
  if (!has_method) return bytes.size() < longest_opening ? Opening::undecided : Opening::other;
  const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
  if (!std::all_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(end), is_in_line)) return Opening::other;
  if (end == bytes.size()) return bytes.size() < longest_opening ? Opening::undecided : Opening::http1;
  return is_request_line(bytes.substr(0, end)) ? Opening::http1 : Opening::other;
}

}  // namespace

Opening opening_of(std::string_view bytes) {
  bytes = bytes.substr(0, longest_opening);
  if (bytes.empty() || handshake_record.starts_with(bytes)) return Opening::undecided;
  if (bytes.starts_with(handshake_record)) return Opening::tls;
  if (bytes.starts_with(http2_preface)) return Opening::http2;
  if (http2_preface.starts_with(bytes)) return Opening::undecided;
  return opening_of_line(bytes);
}

}  // namespace wharf::codec
