#include "observe/access_entry.h"

#include <algorithm>

#include "base/log.h"
#include "codec/http/date.h"
#include "codec/utf8.h"
#include "wharf/utf8.hpp"

namespace wharf::server {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void put_hex(std::string& line, unsigned char byte) { (line += hex_digits[byte >> 4]) += hex_digits[byte & 15]; }

/// The letter that stands for a character behind a backslash, 0 if there is none.
constexpr char escape_of(char c) {
  switch (c) {
    case '"':
    case '\\': return c;
    case '\b': return 'b';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    case '\v': return 'v';
    default: return '\0';
  }
}

/// What stands for itself in both formats.
constexpr bool is_plain(char c) { return c > ' ' && c < '\x7F' && c != '"' && c != '\\'; }

/// Moves the plain characters at the front of `rest` to the line.
void take_plain(std::string& line, std::string_view& rest) {
  const auto end = std::find_if_not(rest.begin(), rest.end(), [](char c) { return is_plain(c); });
  const auto size = static_cast<std::size_t>(end - rest.begin());
  line += rest.substr(0, size);
  rest.remove_prefix(size);
}

/// A text of the combined format, with spaces or their replacement.
void put_escaped(std::string& line, std::string_view text, std::size_t most, std::string_view space) {
  const std::string_view shown = codec::utf8_prefix(text, most);
  std::string_view rest = shown;
  for (take_plain(line, rest); !rest.empty(); take_plain(line, rest)) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (const char escape = escape_of(c); escape != '\0') (line += '\\') += escape;
    else if (c == ' ') line += space;
    else put_hex(line += "\\x", static_cast<unsigned char>(c));
  }
  if (text.empty()) line += '-';
  if (shown.size() < text.size()) line += "...";
}

void put_bare(std::string& line, std::string_view text) { put_escaped(line, text, longest_short_text, "\\x20"); }
void put_quoted(std::string& line, std::string_view text, std::size_t most = longest_text) { put_escaped(line, text, most, " "); }

void put_request_line(std::string& line, const AccessEntry& entry) {
  if (entry.method.empty() && entry.target.empty() && entry.version.empty()) {
    line += '-';
    return;
  }
  put_quoted(line, entry.method, longest_short_text);
  put_quoted(line += ' ', entry.target);
  put_quoted(line += ' ', entry.version, longest_short_text);
}

void put_code_point(std::string& line, std::string_view bytes) {
  const auto last = static_cast<unsigned char>(bytes.back());
  const bool is_c1 = bytes.size() == 2 && bytes.front() == '\xC2' && last < 0xA0;
  if (is_c1 || (bytes.size() == 1 && (last < 0x20 || last == 0x7F))) {
    put_hex(line += "\\u00", last);
    return;
  }
  if (bytes == "\"" || bytes == "\\") line += '\\';
  line += bytes;
}

void put_member(std::string& line, std::string_view name, std::string_view text, std::size_t most = longest_short_text) {
  ((line += ",\"") += name) += "\":\"";
  const std::string_view shown = codec::utf8_prefix(text, most);
  std::string_view rest = shown;
  for (take_plain(line, rest); !rest.empty(); take_plain(line, rest)) {
    const Utf8Front front = utf8_front(rest);
    const bool is_cut = utf8_left(front.state) != 0;
    // One U+FFFD stands for the bytes that could have begun a code point, or for one that could not.
    const std::size_t wrong = is_cut ? front.size : std::max<std::size_t>(front.size - 1, 1);
    if (front.state == Utf8State::boundary) put_code_point(line, rest.substr(0, front.size));
    else line += "\xEF\xBF\xBD";
    rest.remove_prefix(front.state == Utf8State::boundary ? front.size : wrong);
  }
  if (shown.size() < text.size()) line += "...";
  line += '"';
}

void put_number(std::string& line, std::string_view name, std::uint64_t number) {
  ((line += ",\"") += name) += "\":";
  base::append_text(line, number);
}

/// RFC 3339, in UTC.
void put_timestamp(std::string& line, std::time_t time, std::uint32_t microseconds) {
  codec::append_time(line, "%Y-%m-%dT%H:%M:%S.", time);
  line.append(std::to_string(1'000'000 + microseconds % 1'000'000), 1) += 'Z';
}

}  // namespace

std::string combined_line(const AccessEntry& entry) {
  std::string line;
  line.reserve(160 + entry.target.size() + entry.referer.size() + entry.user_agent.size());
  put_bare(line, entry.address.host());
  put_bare(line += " - ", entry.user);
  codec::append_time(line, " [%d/%b/%Y:%H:%M:%S +0000] \"", entry.time);
  put_request_line(line, entry);
  line += entry.status == 0 ? "\" - " : base::concat("\" ", entry.status, " ");
  if (entry.body_bytes == 0) line += '-';
  else base::append_text(line, entry.body_bytes);
  put_quoted(line += " \"", entry.referer);
  put_quoted(line += "\" \"", entry.user_agent);
  return line += '"';
}

std::string json_line(const AccessEntry& entry) {
  std::string line;
  line.reserve(320 + entry.target.size() + entry.referer.size() + entry.user_agent.size());
  put_timestamp(line += R"({"time":")", entry.time, entry.microseconds);
  line += '"';
  put_member(line, "address", entry.address.host());
  put_member(line, "user", entry.user);
  put_member(line, "host", entry.host);
  put_member(line, "method", entry.method);
  put_member(line, "target", entry.target, longest_text);
  put_member(line, "version", entry.version);
  put_number(line, "status", static_cast<std::uint64_t>(std::max(entry.status, 0)));
  put_number(line, "bytes", entry.body_bytes);
  put_member(line, "referer", entry.referer, longest_text);
  put_member(line, "user_agent", entry.user_agent, longest_text);
  put_number(line, "duration_us", entry.duration);
  put_member(line, "protocol", entry.protocol);
  line += entry.delivery == AccessEntry::Delivery::whole ? ",\"complete\":true" : ",\"complete\":false";
  put_member(line, "tls_version", entry.tls_version);
  put_member(line, "tls_cipher", entry.tls_cipher);
  put_member(line, "tls_resumed", entry.tls_resumed);
  return line += '}';
}

}  // namespace wharf::server
