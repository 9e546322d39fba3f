#include "codec/http/target.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/ascii.h"
#include "fuzz/promise.h"

// Input: a text, which is taken for a request target, an authority, something that is percent-encoded and a path that is decoded.
// The file name of a path never leads out of its folder, and a path is decoded once.

namespace {

using namespace wharf::codec;

std::string encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789aBcDeF";
  std::string escapes;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ((escapes += '%') += digits[byte >> 4U]) += digits[byte & 15U];
  }
  return escapes;
}

void check_safe_path(std::string_view decoded) {
  const std::optional<std::string> safe = safe_relative_path(decoded);
  if (!safe) return;
  require("/" + *safe == decoded, "a safe path is the decoded path without its first slash");
  require(safe->find('\0') == std::string::npos && safe->find('\\') == std::string::npos, "it holds no NUL, no backslash");
  std::string_view rest = *safe;
  while (!rest.empty()) {
    const std::string_view segment = rest.substr(0, rest.find('/'));
    require(!segment.empty() && segment.front() != '.', "no segment of it is empty or starts with a dot");
    require(segment.find("..") != 0, "no segment of it leads up");
    rest.remove_prefix(std::min(rest.size(), segment.size() + 1));
  }
}

void check_decoding(std::string_view text) {
  const std::optional<std::string> decoded = percent_decode(text);
  const auto escapes = static_cast<std::size_t>(std::count(text.begin(), text.end(), '%'));
  if (escapes == 0) require(decoded == text, "what holds no escape stays as it is");
  if (decoded) {
    require(decoded->size() == text.size() - 2 * escapes, "every escape becomes one byte");
    require(text.find('\0') != std::string_view::npos || decoded->find('\0') == std::string::npos, "and none becomes NUL");
    check_safe_path(*decoded);
  }
  const std::optional<std::string> back = percent_decode(encoded(text));
  require(back.has_value() == (text.find('\0') == std::string_view::npos), "every byte but NUL has an escape");
  require(!back || back == text, "which decodes to it, once");
}

void check_authority(std::string_view text) {
  const std::optional<Authority> authority = split_authority(text);
  if (!authority) return;
  const auto& [host, port] = *authority;
  require(!host.empty() && lies_in(host, text) && (port.empty() || lies_in(port, text)), "host and port lie in the authority");
  const std::string whole(host);
  require(whole == text || whole + ":" + std::string(port) == text, "and nothing else does");
  require(std::all_of(port.begin(), port.end(), wharf::base::is_digit), "a port is a number");
  require(port.empty() || std::strtoul(std::string(port).c_str(), nullptr, 10) <= 65535, "that a port can have");
  require(host.find_first_of("/?#@\\ \t") == std::string_view::npos, "a host ends where it ends");
  require(host.front() == '[' ? host.back() == ']' : host.find(':') == std::string_view::npos, "an IPv6 address has brackets");
}

void check_target(std::string_view text) {
  const std::optional<Target> target = split_target(text);
  if (!target) return;
  const auto& [path, query, authority] = *target;
  require(path.starts_with('/') && path.find_first_of("?#") == std::string_view::npos, "a path starts with a slash and is no more");
  require(query.empty() || lies_in(query, text), "a query lies in the target");
  for (const char c : std::string(path) + std::string(query))
    require(c > ' ' && c < '\x7F' && c != '#', "neither has other characters");
  const std::string whole(path);
  if (text.starts_with('/')) {
    require(whole == text || whole + "?" + std::string(query) == text, "of an origin form they are all");
    require(target_authority(text).empty() && authority.empty(), "which has no authority");
  } else {
    require(split_authority(authority).has_value() && authority == target_authority(text), "an absolute form has an authority");
    require(text.ends_with(query), "and ends with its query");
  }
  check_decoding(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_target(text);
  check_authority(text);
  check_decoding(text);
  check_safe_path(text);
  return 0;
}
