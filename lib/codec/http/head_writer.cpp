#include "codec/http/head_writer.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/ascii.h"

namespace wharf::codec {
namespace {

struct Phrase {
  int status;
  std::string_view text;
};

constexpr Phrase phrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},   // RFC 2518
    {103, "Early Hints"},  // RFC 8297
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},            // RFC 6585
    {429, "Too Many Requests"},                // RFC 6585
    {431, "Request Header Fields Too Large"},  // RFC 6585
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

}  // namespace

std::string_view reason_phrase(int status) {
  for (const Phrase& each : phrases)
    if (each.status == status) return each.text;
  return "Unknown";
}

bool is_framing_field(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive"})
    if (base::equal_ignoring_case(name, own)) return true;
  return false;
}

bool is_server_field(std::string_view name) { return is_framing_field(name) || base::equal_ignoring_case(name, "Date"); }

/// A status that is no three-digit number would spoil the line: it becomes 500.
ResponseHead::ResponseHead(int status, std::string memory) : MessageHead(std::move(memory)) {
  if (status < 100 || status > 999) status = 500;
  if (status == 200) {
    text() = "HTTP/1.1 200 OK\r\n";
    return;
  }
  text() = "HTTP/1.1 ";
  (((text() += std::to_string(status)) += ' ') += reason_phrase(status)) += "\r\n";
}

RequestText::RequestText(std::string_view method, std::string_view target, std::string memory) : MessageHead(std::move(memory)) {
  text() = method;
  ((text() += ' ') += target) += " HTTP/1.1\r\n";
}

MessageHead::MessageHead(std::string memory) : text_(std::move(memory)) {
  if (text_.capacity() < 256) text_.reserve(256);
}

bool MessageHead::field(std::string_view name, std::string_view value) {
  if (!base::is_token(name) || !base::is_field_value(value)) return false;
  (((text_ += name) += ": ") += value) += "\r\n";
  return true;
}

void MessageHead::content_length(std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  ((text_ += "Content-Length: ").append(digits.data(), end)) += "\r\n";
}

std::string MessageHead::finish() && {
  text_ += "\r\n";
  return std::move(text_);
}

}  // namespace wharf::codec
