#pragma once
#include <cstddef>
#include <string_view>

namespace wharf::base {

/// ASCII only, whatever the locale says: protocol elements are never localised.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The value of a hexadecimal digit; -1 if it is none.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char low = lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  return true;
}

/// Strips optional white space as RFC 9110 section 5.6.3 defines it: space and horizontal tab.
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// tchar of RFC 9110 section 5.6.2: a character of a token (method, field name, subprotocol).
constexpr bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c)) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
constexpr bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text)
    if (!is_token_char(c)) return false;
  return true;
}

/// field-content of RFC 9110 section 5.5, or empty: no control characters except horizontal tab.
constexpr bool is_field_value(std::string_view text) {
  for (const char c : text)
    if ((c >= '\0' && c < ' ' && c != '\t') || c == '\x7F') return false;
  return true;
}

/// Calls `each(item)` for every non-empty element of a comma-separated list (RFC 9110 section 5.6.1), in order.
/// Quoted strings are not looked into; use it for lists of tokens only.
template <class Each>
void for_each_list_item(std::string_view list, Each&& each) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (const std::string_view item = trim(list.substr(0, comma)); !item.empty()) each(item);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
}

}  // namespace wharf::base
