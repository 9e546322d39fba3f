#include "codec/http/target.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/peer_address.h"

namespace wharf::codec {
namespace {

constexpr std::string_view before_authority = "://";

bool is_decimal_at_most(std::string_view text, int most) {
  int value = 0;
  for (const char c : text) {
    if (!base::is_digit(c)) return false;
    value = value * 10 + (c - '0');
    if (value > most) return false;
  }
  return true;
}

bool is_ipv4_address(std::string_view text) {
  for (int part = 1; part <= 4; ++part) {
    const std::size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (part == 4)) return false;
    const std::string_view octet = text.substr(0, dot);
    if (octet.empty() || (octet.size() > 1 && octet.front() == '0') || !is_decimal_at_most(octet, 255)) return false;
    text.remove_prefix(part == 4 ? text.size() : dot + 1);
  }
  return true;
}

bool is_ipv6_group(std::string_view text) {
  return !text.empty() && text.size() <= 4 && std::all_of(text.begin(), text.end(), [](char c) { return base::hex_value(c) >= 0; });
}

/// RFC 3986 section 3.2.2, without zones.
bool is_ipv6_address(std::string_view text) {
  int groups = 0;
  bool shortened = text.starts_with("::");
  if (shortened) text.remove_prefix(2);
  while (!text.empty()) {
    const std::string_view group = text.substr(0, text.find(':'));
    if (group.size() == text.size() && is_ipv4_address(group)) {
      groups += 2;
      break;
    }
    if (!is_ipv6_group(group)) return false;
    ++groups;
    text.remove_prefix(group.size());
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) return false;
    if (text.front() != ':') continue;
    if (shortened) return false;
    shortened = true;
    text.remove_prefix(1);
  }
  return shortened ? groups < 8 : groups == 8;
}

constexpr std::array<bool, 256> make_name_chars() {
  std::array<bool, 256> chars{};
  for (const std::string_view text :
       {std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), std::string_view("-._~!$&'()*+,;=%")})
    for (const char c : text) chars[static_cast<unsigned char>(c)] = true;
  return chars;
}
constexpr std::array<bool, 256> name_chars = make_name_chars();

/// reg-name of RFC 3986 section 3.2.2, which IPv4 addresses are too; not empty.
bool is_registered_name(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!name_chars[static_cast<unsigned char>(c)]) return false;
    if (c == '%' && (text.size() - i < 3 || base::hex_value(text[i + 1]) < 0 || base::hex_value(text[i + 2]) < 0)) return false;
  }
  return !text.empty();
}

/// The text behind "http://" or "https://"; empty for anything else.
std::string_view after_scheme(std::string_view target) {
  const std::string_view scheme = target_scheme(target);
  return scheme.empty() ? scheme : target.substr(scheme.size() + before_authority.size());
}

}  // namespace

std::optional<Authority> split_authority(std::string_view text) {
  const auto parts = base::split_host_and_port(text);
  if (!parts) return std::nullopt;
  const std::string_view host = parts->bare_host();
  if (host.size() != parts->host.size() ? !is_ipv6_address(host) : !is_registered_name(host)) return std::nullopt;
  const std::string_view port = parts->port.value_or(std::string_view());
  return is_decimal_at_most(port, 65535) ? std::optional(Authority{parts->host, port}) : std::nullopt;
}

std::string_view host_of(std::string_view authority) {
  const auto parts = split_authority(authority);
  return parts ? parts->host : authority;
}

std::string_view usual_port(std::string_view scheme) {
  if (scheme == "https") return "443";
  return scheme == "http" ? "80" : std::string_view();
}

std::string_view target_scheme(std::string_view target) {
  for (const std::string_view scheme : {std::string_view("http"), std::string_view("https")}) {
    const bool begins = base::equal_ignoring_case(target.substr(0, scheme.size()), scheme);
    if (begins && target.substr(scheme.size()).starts_with(before_authority)) return scheme;
  }
  return {};
}

std::string_view target_authority(std::string_view target) {
  const std::string_view rest = after_scheme(target);
  return rest.substr(0, rest.find_first_of("/?#"));
}

std::optional<Target> split_target(std::string_view target) {
  if (!std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7F' && c != '#'; })) return std::nullopt;
  const Target cut = cut_target(target);
  if (cut.path.empty() || (!cut.authority.empty() && !split_authority(cut.authority))) return std::nullopt;
  return cut;
}

Target cut_target(std::string_view target) {
  Target cut;
  std::string_view rest = target;
  if (!target.starts_with('/')) {
    cut.authority = target_authority(target);
    if (cut.authority.empty()) return {};
    rest = after_scheme(target).substr(cut.authority.size());
  }
  const std::size_t mark = rest.find('?');
  const std::string_view path = rest.substr(0, mark);
  cut.path = path.empty() ? std::string_view("/") : path;
  if (mark != std::string_view::npos) cut.query = rest.substr(mark + 1);
  return cut;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = base::hex_value(text[i + 1]);
    const int low = base::hex_value(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

std::string percent_encode_path(std::string_view decoded) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : decoded) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = c == '/' || base::is_digit(c) || (base::lower(c) >= 'a' && base::lower(c) <= 'z') || c == '-' || c == '.' ||
                       c == '_' || c == '~';
    if (plain) encoded += c;
    else ((encoded += '%') += digits[byte >> 4]) += digits[byte & 15];
  }
  return encoded;
}

std::optional<std::string> safe_relative_path(std::string_view decoded_path) {
  if (!decoded_path.starts_with('/')) return std::nullopt;
  const std::string_view relative = decoded_path.substr(1);
  if (relative.find_first_of(std::string_view("\\\0", 2)) != std::string_view::npos) return std::nullopt;
  for (std::size_t start = 0; start < relative.size();) {
    if (relative[start] == '.' || relative[start] == '/') return std::nullopt;
    const std::size_t slash = relative.find('/', start);
    if (slash == std::string_view::npos) break;
    start = slash + 1;
  }
  return std::string(relative);
}

}  // namespace wharf::codec
