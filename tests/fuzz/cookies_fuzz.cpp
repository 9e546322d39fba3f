#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/promise.h"
#include "wharf/form.hpp"

// Input: a byte of flags, three bytes for the lengths of a name, a value and a path, then these and a domain, all of one cookie
// that a server sets. A browser reads the Set-Cookie field that it becomes as it was meant, and nothing more. The bytes behind
// the first four are also read as a Cookie field.

namespace {

using namespace wharf;

constexpr std::size_t control_bytes = 4;

bool is_trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  return text.empty() || (!is_space(text.front()) && !is_space(text.back()));
}

void check_field(std::string_view field) {
  const Cookies cookies = parse_cookies(field);
  require(cookies.size() <= Cookies::limit, "cookies are counted");
  std::string again;
  for (const auto& [name, value] : cookies) {
    require(lies_in(name, field) && lies_in(value, field), "a cookie lies in the field");
    require(!name.empty() && name.find_first_of(";=") == std::string_view::npos, "a name ends at the first '='");
    require(value.find(';') == std::string_view::npos, "a value ends at the first ';'");
    require(is_trimmed(name) && is_trimmed(value), "there is no white space around names and values");
    const auto found = cookies.find(name);
    require(found && found->data() <= value.data(), "a cookie is found by its name, the first before the others");
    ((((again += again.empty() ? "" : "; ") += name) += "=") += value);
  }
  const Cookies second = parse_cookies(again);
  const auto same = [](const Cookie& a, const Cookie& b) { return a.name == b.name && a.value == b.value; };
  require(std::equal(cookies.begin(), cookies.end(), second.begin(), second.end(), same), "what was read can be written");
  if (cookies.complete() && cookies.size() < Cookies::limit) {
    const std::string longer = std::string(field) + ";==;a=b";
    require(parse_cookies(longer).size() == cookies.size() + 1, "neighbours do not change one another");
  }
}

struct Attribute {
  std::string name;
  std::string value;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

/// How a browser parses a Set-Cookie field (RFC 6265 section 5.2): the cookie's name and value, then the attributes.
std::vector<Attribute> as_browsers_read(std::string_view field) {
  std::vector<Attribute> list;
  for (bool more = true; more;) {
    const std::size_t end = field.find(';');
    more = end != std::string_view::npos;
    const std::string_view element = field.substr(0, end);
    const std::size_t equals = element.find('=');
    list.push_back({std::string(trimmed(element.substr(0, equals))),
                    equals == std::string_view::npos ? "" : std::string(trimmed(element.substr(equals + 1)))});
    if (more) field.remove_prefix(end + 1);
  }
  return list;
}

std::vector<Attribute> as_meant(const SetCookie& cookie) {
  std::vector<Attribute> list{{cookie.name, cookie.value}};
  if (!cookie.path.empty()) list.push_back({"Path", std::string(trimmed(cookie.path))});
  if (!cookie.domain.empty()) list.push_back({"Domain", cookie.domain});
  if (cookie.max_age && cookie.max_age->count() > 0) list.push_back({"Max-Age", std::to_string(cookie.max_age->count())});
  else if (cookie.max_age) list.push_back({"Expires", "Thu, 01 Jan 1970 00:00:00 GMT"});
  if (cookie.secure) list.push_back({"Secure", ""});
  if (cookie.http_only) list.push_back({"HttpOnly", ""});
  if (cookie.same_site == SameSite::strict) list.push_back({"SameSite", "Strict"});
  if (cookie.same_site == SameSite::lax) list.push_back({"SameSite", "Lax"});
  if (cookie.same_site == SameSite::none) list.push_back({"SameSite", "None"});
  return list;
}

void check_set(const SetCookie& cookie) {
  const std::optional<std::string> text = cookie.text();
  if (!text) return;
  for (const char c : *text) require(c >= ' ' && c < '\x7F', "a field is visible US-ASCII and spaces");
  const auto same = [](const Attribute& a, const Attribute& b) { return a.name == b.name && a.value == b.value; };
  const std::vector<Attribute> read = as_browsers_read(*text);
  const std::vector<Attribute> meant = as_meant(cookie);
  require(std::equal(read.begin(), read.end(), meant.begin(), meant.end(), same), "a browser reads what was meant");
  const std::string returned = cookie.name + "=" + cookie.value;
  const Cookies back = parse_cookies(returned);
  require(back.size() == 1 && back.find(cookie.name) == cookie.value, "the cookie comes back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);
  check_field(bytes);

  std::string_view rest = bytes;
  const auto take = [&](std::size_t wish) {
    const std::string taken(rest.substr(0, wish));
    rest.remove_prefix(taken.size());
    return taken;
  };
  SetCookie cookie{.name = take(data[1]), .value = take(data[2]), .path = take(data[3]), .domain = std::string(rest)};
  if ((data[0] & 1U) != 0) cookie.max_age = std::chrono::seconds(data[1] - 3);
  cookie.secure = (data[0] & 2U) != 0;
  cookie.http_only = (data[0] & 4U) != 0;
  cookie.same_site = static_cast<SameSite>(data[0] / 8U % 4U);
  check_set(cookie);
  cookie.value = percent_encode(cookie.value);
  check_set(cookie);
  const bool has_text = SetCookie{.name = "a", .value = percent_encode(bytes.substr(0, 1000))}.text().has_value();
  require(has_text, "whatever is encoded can be a value");
  return 0;
}
