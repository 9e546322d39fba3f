#pragma once
/// What the text of an HTTP request holds: the parameters of a query or of a form, and cookies.
///
///     const wharf::Parameters query = wharf::parse_parameters(request.query());
///     if (!query.complete()) return 400;
///     const std::string_view room = query.find("room").value_or("lobby");
///
///     const wharf::Cookies cookies = wharf::parse_cookies(request.field("cookie").value_or(""));
///     const auto session = cookies.find("session");
///
///     const wharf::SetCookie cookie{.name = "session", .value = id, .max_age = std::chrono::hours(24), .secure = true};
///     if (const std::optional<std::string> value = cookie.text()) ...  // the value of a Set-Cookie field
///
/// All strings are bytes. Nothing that a client sent is checked for UTF-8. For multipart/form-data see multipart.hpp.
///
/// This header is all inline: a plugin needs no library to link against. Exceptions that may leave any call: std::bad_alloc.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wharf/hidden.hpp"

namespace WHARF_HIDDEN wharf {

/// How many names and values are kept; their bytes are bounded by the text that they come from.
struct ParameterLimits {
  std::size_t count = 1000;
};

/// One name and value of a query or a form, decoded: any bytes, even NUL, CR and LF.
struct Parameter {
  std::string name;
  std::string value;
};

/// The parameters of a query or a form, in the order sent. A name may be there several times.
class Parameters {
 public:
  Parameters() = default;

  /// The first value of that name; exact, case counts. The view is into this object.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const& {
    for (const Parameter& parameter : list_)
      if (parameter.name == name) return parameter.value;
    return std::nullopt;
  }
  std::optional<std::string_view> find(std::string_view name) const&& = delete;  // the view would outlive the object

  /// All values of that name, in order. The views are into this object.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const& {
    std::vector<std::string_view> values;
    for (const Parameter& parameter : list_)
      if (parameter.name == name) values.emplace_back(parameter.value);
    return values;
  }
  std::vector<std::string_view> all(std::string_view name) const&& = delete;

  [[nodiscard]] auto begin() const { return list_.begin(); }
  [[nodiscard]] auto end() const { return list_.end(); }
  [[nodiscard]] std::size_t size() const { return list_.size(); }
  [[nodiscard]] bool empty() const { return list_.empty(); }

  /// False if there were more than the limit: those beyond it are missing here. Respond with 400 or 413 then.
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  friend Parameters parse_parameters(std::string_view text, const ParameterLimits& limits);

  std::vector<Parameter> list_;
  bool complete_ = true;
};

/// One cookie as the client sent it. Views into the field.
struct Cookie {
  std::string_view name;
  std::string_view value;
};

/// The cookies of a request, in the order sent.
class Cookies {
 public:
  static constexpr std::size_t limit = 100;

  Cookies() = default;

  /// The first cookie of that name; exact, case counts. A client sends the cookie of the longer path first, but nothing tells
  /// who set it (RFC 6265 section 5.4).
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const {
    for (const Cookie& cookie : list_)
      if (cookie.name == name) return cookie.value;
    return std::nullopt;
  }

  [[nodiscard]] auto begin() const { return list_.begin(); }
  [[nodiscard]] auto end() const { return list_.end(); }
  [[nodiscard]] std::size_t size() const { return list_.size(); }
  [[nodiscard]] bool empty() const { return list_.empty(); }

  /// False if there were more than `limit`: those beyond it are missing here.
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  friend Cookies parse_cookies(std::string_view field);

  std::vector<Cookie> list_;
  bool complete_ = true;
};

/// Which requests from other sites a cookie goes with (RFC 6265bis section 4.1.2.7).
enum class SameSite : std::uint8_t {
  unset,  ///< the attribute is left out, and the browser decides
  strict,
  lax,
  none  ///< all; browsers accept it only with `secure`
};

/// A cookie to set. The defaults are the careful choice: for all paths of this host alone, out of the reach of scripts, not sent
/// along when another site posts a form, gone with the browser's session.
struct SetCookie {
  std::string name = {};    ///< a token
  std::string value = {};   ///< visible ASCII without " , ; \, or such in quotes; percent_encode() makes it of anything
  std::string path = "/";   ///< empty: left out, and the browser takes the folder of the request's path
  std::string domain = {};  ///< empty: left out, and the cookie is for this host alone, not for those below it
  /// How long browsers keep it. Zero or less: they drop it at once. Nothing: until they are closed.
  std::optional<std::chrono::seconds> max_age = {};
  bool secure = false;    ///< only over TLS; set it if clients come by TLS
  bool http_only = true;  ///< not for scripts
  SameSite same_site = SameSite::lax;

  /// The value of a Set-Cookie field (RFC 6265 section 4.1.1). Nothing if a part has a character that is not allowed there, so
  /// that no part can add an attribute or a field; and nothing if browsers would not keep the cookie as meant: a path without
  /// '/' at its front, SameSite=None without Secure, name and value longer than 4,096 bytes, path or domain longer than
  /// 1,024, a name that begins with __Secure- or __Host- without what these promise (RFC 6265bis sections 4.1.3 and 5.6).
  [[nodiscard]] std::optional<std::string> text() const;
};

namespace detail::form {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
/// White space within a line (RFC 9110 section 5.6.3).
constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_control(char c) { return (c >= '\0' && c < ' ') || c == '\x7F'; }

/// RFC 9110 section 5.6.2.
constexpr bool is_token_char(char c) {
  return is_digit(c) || is_letter(c) || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

/// RFC 6265 section 4.1.1: US-ASCII without controls, space, quotes, comma, semicolon and backslash.
constexpr bool is_cookie_octet(char c) { return c > ' ' && c < '\x7F' && c != '"' && c != ',' && c != ';' && c != '\\'; }

/// Whether all of a text that is not empty is of one kind.
template <class Kind>
constexpr bool consists_of(std::string_view text, Kind kind) {
  return !text.empty() && std::all_of(text.begin(), text.end(), kind);
}

constexpr bool is_token(std::string_view text) { return consists_of(text, is_token_char); }

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Returns the text before the first `separator`, and leaves the text behind it.
constexpr std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

/// -1 if it is no hexadecimal digit.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

enum class Plus : std::uint8_t { plus, space };  ///< what '+' stands for

inline std::string decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus == Plus::space) c = ' ';
    if (c == '%' && text.size() - i > 2) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        c = static_cast<char>(high * 16 + low);
        i += 2;
      }
    }
    decoded += c;
  }
  return decoded;
}

/// A cookie's value with or without quotes around it; it may be empty.
constexpr bool is_cookie_value(std::string_view value) {
  if (value.size() > 1 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  return std::all_of(value.begin(), value.end(), is_cookie_octet);
}

/// US-ASCII without controls and semicolons, from '/' on.
constexpr bool is_cookie_path(std::string_view path) {
  const auto is_allowed = [](char c) { return c >= ' ' && c < '\x7F' && c != ';'; };
  return path.starts_with('/') && std::all_of(path.begin(), path.end(), is_allowed);
}

/// Labels of letters, digits and hyphens between dots (RFC 1034 section 3.5, RFC 1123 section 2.1).
constexpr bool is_domain(std::string_view domain) {
  if (domain.empty() || domain.ends_with('.')) return false;
  while (!domain.empty()) {
    const std::string_view label = take_until(domain, '.');
    if (!consists_of(label, [](char c) { return is_digit(c) || is_letter(c) || c == '-'; })) return false;
    if (label.starts_with('-') || label.ends_with('-')) return false;
  }
  return true;
}

/// Whether a browser would keep it (RFC 6265bis section 5.6).
inline bool is_kept(const SetCookie& cookie) {
  constexpr std::size_t longest_pair = 4096;
  constexpr std::size_t longest_attribute = 1024;
  const auto has_prefix = [&](std::string_view prefix) {
    return equal_ignoring_case(std::string_view(cookie.name).substr(0, prefix.size()), prefix);
  };
  if (cookie.name.size() + cookie.value.size() > longest_pair) return false;
  if (cookie.path.size() > longest_attribute || cookie.domain.size() > longest_attribute) return false;
  if ((cookie.same_site == SameSite::none || has_prefix("__Secure-")) && !cookie.secure) return false;
  return !has_prefix("__Host-") || (cookie.secure && cookie.path == "/" && cookie.domain.empty());
}

}  // namespace detail::form

/// Parses the query of a URL, without '?', or a body of application/x-www-form-urlencoded, as section 5.1 of the WHATWG's URL
/// standard says: '+' is a space, %XX is decoded once, and a '%' that no two hexadecimal digits follow stays as it is. A
/// name without '=' has an empty value; there is no parameter between two '&'. Only '&' separates. Unlike there, bytes that are
/// not UTF-8 are kept.
[[nodiscard]] inline Parameters parse_parameters(std::string_view text, const ParameterLimits& limits = {}) {
  using detail::form::Plus;
  Parameters parameters;
  while (!text.empty()) {
    std::string_view value = detail::form::take_until(text, '&');
    if (value.empty()) continue;
    if (parameters.list_.size() >= limits.count) {
      parameters.complete_ = false;
      break;
    }
    const std::string_view name = detail::form::take_until(value, '=');
    parameters.list_.push_back({detail::form::decode(name, Plus::space), detail::form::decode(value, Plus::space)});
  }
  return parameters;
}

/// Decodes %XX once (RFC 3986 section 2.1). '+' stays, and so does a '%' that no two hexadecimal digits follow. The result may
/// hold any byte, even NUL, '/' and "..": it is not safe as a path of a file.
[[nodiscard]] inline std::string percent_decode(std::string_view text) {
  return detail::form::decode(text, detail::form::Plus::plus);
}

/// Encodes every byte except the unreserved letters, digits and - . _ ~ (RFC 3986 section 2.3): for a name or value in a query or
/// a form, a segment of a path, the value of a cookie.
[[nodiscard]] inline std::string percent_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (detail::form::is_digit(c) || detail::form::is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      ((encoded += '%') += digits[byte >> 4U]) += digits[byte & 15U];
    }
  }
  return encoded;
}

/// For text in HTML, between tags or in an attribute's value that has quotes around it: & < > " ' become character references.
/// It makes no text safe inside script, style or comments, or as a URL.
[[nodiscard]] inline std::string html_escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

/// Parses the value of a Cookie field (RFC 6265 section 4.2): it is split at each ';', even in quotes, and each element at its
/// first '='. White space around name and value is left out; quotes around a value are part of it, so they stay. Names are not
/// checked: one with a '$' or a prefix is a name like any other. An element without '=' or without a name is skipped.
[[nodiscard]] inline Cookies parse_cookies(std::string_view field) {
  Cookies cookies;
  while (!field.empty()) {
    std::string_view value = detail::form::take_until(field, ';');
    if (value.find('=') == std::string_view::npos) continue;
    const std::string_view name = detail::form::trim(detail::form::take_until(value, '='));
    if (name.empty()) continue;
    if (cookies.list_.size() >= Cookies::limit) {
      cookies.complete_ = false;
      break;
    }
    cookies.list_.push_back({name, detail::form::trim(value)});
  }
  return cookies;
}

inline std::optional<std::string> SetCookie::text() const {
  if (!detail::form::is_token(name) || !detail::form::is_cookie_value(value)) return std::nullopt;
  if (!path.empty() && !detail::form::is_cookie_path(path)) return std::nullopt;
  if (!domain.empty() && !detail::form::is_domain(domain)) return std::nullopt;
  if (!detail::form::is_kept(*this)) return std::nullopt;
  std::string text = name + "=" + value;
  if (!path.empty()) text += "; Path=" + path;
  if (!domain.empty()) text += "; Domain=" + domain;
  // The grammar of Max-Age knows no zero.
  if (max_age && max_age->count() > 0) text += "; Max-Age=" + std::to_string(max_age->count());
  else if (max_age) text += "; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
  if (secure) text += "; Secure";
  if (http_only) text += "; HttpOnly";
  if (same_site == SameSite::strict) text += "; SameSite=Strict";
  if (same_site == SameSite::lax) text += "; SameSite=Lax";
  if (same_site == SameSite::none) text += "; SameSite=None";
  return text;
}

}  // namespace wharf
