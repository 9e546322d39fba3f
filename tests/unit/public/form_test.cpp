#include "wharf/form.hpp"

#include <doctest/doctest.h>

namespace {

using namespace std::string_literals;
using wharf::Cookies;
using wharf::html_escape;
using wharf::Parameters;
using wharf::parse_cookies;
using wharf::parse_parameters;
using wharf::percent_decode;
using wharf::percent_encode;
using wharf::SameSite;
using wharf::SetCookie;

/// "name=value" of each, with a bar between.
template <class Pairs>
std::string written(const Pairs& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text += '|';
    ((text += name) += '=') += value;
  }
  return text;
}
std::string parameters(std::string_view text) { return written(parse_parameters(text)); }
std::string cookies(std::string_view field) { return written(parse_cookies(field)); }

std::string repeated(std::size_t count, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

/// A cookie with only a name and a value.
SetCookie plain(std::string_view name, std::string_view value) {
  return {.name = std::string(name), .value = std::string(value), .path = "", .http_only = false, .same_site = SameSite::unset};
}
/// As a field, or "none".
std::string set(const SetCookie& cookie) { return cookie.text().value_or("none"); }

std::string set_with_path(std::string_view path) {
  SetCookie cookie = plain("a", "b");
  cookie.path = path;
  return set(cookie);
}
std::string set_with_domain(std::string_view domain) {
  SetCookie cookie = plain("a", "b");
  cookie.domain = domain;
  return set(cookie);
}

/// Whether one can get a view into a temporary.
template <class T>
concept FindsInTemporary = requires(T&& parameters) {
  static_cast<T&&>(parameters).find("a");
};

}  // namespace

TEST_CASE("parameters are cut at '&' and at the first '='") {
  CHECK(parameters("").empty());
  CHECK(parameters("a=b") == "a=b");
  CHECK(parameters("a=b&c=d") == "a=b|c=d");
  CHECK(parameters("a=b=c&=d&e=") == "a=b=c|=d|e=");
  CHECK(parameters("a&b") == "a=|b=");
  CHECK(parameters("&&a=b&&") == "a=b");
  CHECK(parameters("=") == "=");
  CHECK(parameters("a=b;c=d") == "a=b;c=d");
  CHECK(parameters("?a#b") == "?a#b=");
}

TEST_CASE("parameters are decoded once") {
  CHECK(parameters("a+b=c+%2B") == "a b=c +");
  CHECK(parameters("%61%3D=%26%3d") == "a==&=");
  CHECK(parameters("a=%2541") == "a=%41");
  CHECK(parameters("a=%c3%A4") == "a=\xC3\xA4");
  CHECK(parameters("a=%ff") == "a=\xFF");
  CHECK(parameters("a=%00b%0d%0A") == "a=\0b\r\n"s);
}

TEST_CASE("a '%' that no two hexadecimal digits follow stays") {
  CHECK(parameters("a=%") == "a=%");
  CHECK(parameters("a=%4") == "a=%4");
  CHECK(parameters("a=%4&b=1") == "a=%4|b=1");
  CHECK(parameters("a=%%41%4g%g4%+1") == "a=%A%4g%g4% 1");
  CHECK(parameters("a=100%") == "a=100%");
}

TEST_CASE("a parameter is found by its exact name, the first or all") {
  const Parameters found = parse_parameters("a=1&b=2&a=3&A=4");
  CHECK(found.find("a") == "1");
  CHECK(found.find("A") == "4");
  CHECK(found.find("") == std::nullopt);
  CHECK(found.all("a") == std::vector<std::string_view>{"1", "3"});
  CHECK(found.all("c").empty());
  CHECK(found.size() == 4);
  CHECK(!found.empty());
  CHECK(found.complete());
  CHECK(Parameters().empty());
}

TEST_CASE("a temporary list of parameters hands out no views") {
  CHECK(FindsInTemporary<const Parameters&>);
  CHECK(!FindsInTemporary<Parameters>);
}

TEST_CASE("parameters are counted") {
  CHECK(parse_parameters(repeated(1000, "a&")).complete());
  CHECK(parse_parameters(repeated(1000, "a&")).size() == 1000);
  CHECK(!parse_parameters(repeated(1001, "a&")).complete());
  CHECK(parse_parameters(repeated(1001, "a&")).size() == 1000);

  CHECK(parse_parameters("a=1&b=2&&", {.count = 2}).complete());
  CHECK(written(parse_parameters("a=1&b=2&c=3&a=4", {.count = 2})) == "a=1|b=2");
  CHECK(!parse_parameters("a=1&b=2&c=3&a=4", {.count = 2}).complete());
  CHECK(parse_parameters("&&", {.count = 0}).complete());
  CHECK(!parse_parameters("a", {.count = 0}).complete());
}

TEST_CASE("percent_decode leaves '+' alone") {
  CHECK(percent_decode("a+b%20%2b%2F..%00%4") == "a+b +/..\0%4"s);
  CHECK(percent_decode("").empty());
}

TEST_CASE("percent_encode leaves the unreserved characters alone") {
  CHECK(percent_encode("azAZ09-._~") == "azAZ09-._~");
  CHECK(percent_encode(" +&=%/?#;\"") == "%20%2B%26%3D%25%2F%3F%23%3B%22");
  CHECK(percent_encode("\0\x1F\x7F\x80\xFF"s) == "%00%1F%7F%80%FF");
}

TEST_CASE("every byte comes back from percent_encode") {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  CHECK(percent_decode(percent_encode(bytes)) == bytes);
  CHECK(parameters(percent_encode(bytes) + "=" + percent_encode(bytes)) == bytes + "=" + bytes);
}

TEST_CASE("html_escape leaves nothing that HTML could read") {
  CHECK(html_escape("<a href=\"b\" c='d'>&amp;</a>") == "&lt;a href=&quot;b&quot; c=&#39;d&#39;&gt;&amp;amp;&lt;/a&gt;");
  CHECK(html_escape("\xC3\xA4 \n") == "\xC3\xA4 \n");
}

TEST_CASE("cookies are cut at ';' and at the first '=' (RFC 6265 section 4.2)") {
  CHECK(cookies("").empty());
  CHECK(cookies("SID=31d4d96e407aad42; lang=en-US") == "SID=31d4d96e407aad42|lang=en-US");
  CHECK(cookies("a=b;c=d") == "a=b|c=d");
  CHECK(cookies(" a = b ;\tc\t=\td\t;") == "a=b|c=d");
  CHECK(cookies("a=b=c; d=") == "a=b=c|d=");
  CHECK(cookies(";;; a=b;;") == "a=b");
  CHECK(cookies("a=b, c=d") == "a=b, c=d");
  CHECK(cookies("a=%41") == "a=%41");
}

TEST_CASE("an element without a name is no cookie") {
  CHECK(cookies("a").empty());
  CHECK(cookies("=a; ==; =").empty());
  CHECK(cookies("a; b=c; =__Host-d=e; \t =f") == "b=c");
}

TEST_CASE("quotes around a cookie's value stay, and hide no semicolon") {
  CHECK(cookies("a=\"b\"") == "a=\"b\"");
  CHECK(cookies("a=\"b; c=d\"") == "a=\"b|c=d\"");
  CHECK(cookies("a=\"b\\\"; c=d") == "a=\"b\\\"|c=d");
}

TEST_CASE("a cookie's name is compared to the letter") {
  const Cookies found = parse_cookies("$Version=1; a=1; A=2; a=3; \xC2\xA0__Host-a=4; __Host-a=5");
  CHECK(found.find("$Version") == "1");
  CHECK(found.find("a") == "1");
  CHECK(found.find("A") == "2");
  CHECK(found.find("__Host-a") == "5");
  CHECK(found.find("b") == std::nullopt);
  CHECK(found.size() == 6);
  CHECK(!found.empty());
  CHECK(found.complete());
}

TEST_CASE("cookies are views into the field") {
  const std::string field = "a=1; b=2";
  const Cookies found = parse_cookies(field);
  CHECK(found.find("b").value_or("").data() == field.data() + 7);
}

TEST_CASE("cookies are counted") {
  CHECK(parse_cookies(repeated(100, "a=b;")).complete());
  CHECK(parse_cookies(repeated(100, "a=b;") + ";;c;=d").complete());
  const std::string field = repeated(100, "a=b;") + "c=d";
  CHECK(!parse_cookies(field).complete());
  CHECK(parse_cookies(field).size() == 100);
  CHECK(parse_cookies(field).find("c") == std::nullopt);
}

TEST_CASE("a cookie is set with the attributes that it has (RFC 6265 section 4.1)") {
  CHECK(set(plain("SID", "31d4")) == "SID=31d4");
  SetCookie cookie{.name = "a", .value = "b"};
  CHECK(set(cookie) == "a=b; Path=/; HttpOnly; SameSite=Lax");
  cookie.path = "/x y";
  cookie.domain = "Example.com";
  cookie.max_age = std::chrono::hours(24);
  cookie.secure = true;
  cookie.same_site = SameSite::strict;
  CHECK(set(cookie) == "a=b; Path=/x y; Domain=Example.com; Max-Age=86400; Secure; HttpOnly; SameSite=Strict");
  cookie.same_site = SameSite::none;
  CHECK(cookie.text().value_or("").ends_with("; SameSite=None"));
  cookie.same_site = SameSite::unset;
  cookie.http_only = false;
  CHECK(cookie.text().value_or("").ends_with("; Secure"));
}

TEST_CASE("a cookie is dropped with a date, since Max-Age has no zero (RFC 6265 section 4.1.1)") {
  SetCookie cookie = plain("a", "");
  for (const int seconds : {0, -1}) {
    cookie.max_age = std::chrono::seconds(seconds);
    CHECK(set(cookie) == "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
  }
  cookie.max_age = std::chrono::seconds(1);
  CHECK(set(cookie) == "a=; Max-Age=1");
  cookie.max_age = std::chrono::seconds::max();
  CHECK(set(cookie) == "a=; Max-Age=9223372036854775807");
}

TEST_CASE("a cookie's name is a token") {
  CHECK(set(plain("!#$%&'*+-.^_`|~aZ9", "")) == "!#$%&'*+-.^_`|~aZ9=");
  CHECK(set(plain("", "b")) == "none");
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool token = (i > ' ' && i < 0x7F) && "\"(),/:;<=>?@[\\]{}"s.find(c) == std::string::npos;
    CAPTURE(i);
    CHECK((set(plain("a"s + c, "b")) != "none") == token);
  }
}

TEST_CASE("a cookie's value is of cookie-octets, in quotes or not") {
  for (int i = 0; i < 256; ++i) {
    const char c = static_cast<char>(i);
    const bool octet = (i > ' ' && i < 0x7F) && "\",;\\"s.find(c) == std::string::npos;
    CAPTURE(i);
    CHECK((set(plain("a", "b"s + c)) != "none") == octet);
    CHECK((set(plain("a", "\""s + c + "\"")) != "none") == octet);
  }
  CHECK(set(plain("a", "\"b\"")) == "a=\"b\"");
  CHECK(set(plain("a", "\"\"")) == "a=\"\"");
  for (const std::string_view value : {"\"", "\"b", "b\"", "\"b\"c", "\"\"\"", "b; Domain=evil", "b\r\nSet-Cookie: c=d"}) {
    CAPTURE(value);
    CHECK(set(plain("a", value)) == "none");
  }
  CHECK(set(plain("a", percent_encode("\r\n;\xC3\xA4"))) == "a=%0D%0A%3B%C3%A4");
}

TEST_CASE("a cookie's path begins with a slash and adds no attribute") {
  CHECK(set_with_path("/a b,\"=") == "a=b; Path=/a b,\"=");
  for (const std::string& path : {"a"s, "/;Secure"s, "/\r\n"s, "/\0"s, "/\x7F"s, "/\t"s, "/\xC3\xA4"s}) {
    CAPTURE(path);
    CHECK(set_with_path(path) == "none");
  }
}

TEST_CASE("a cookie's domain is a name of a host") {
  for (const std::string_view domain : {"a", "a.b", "1.2", "a-b.c-1", "xn--4ca.example"}) {
    CAPTURE(domain);
    CHECK(set_with_domain(domain) == "a=b; Domain=" + std::string(domain));
  }
  for (const std::string_view domain :
       {".", ".a", "a.", "a..b", "-a", "a-", "a.-b", "a b", "a;b", "a_b", "a:1", "[::1]", "a\r\n", "\xC3\xA4"}) {
    CAPTURE(domain);
    CHECK(set_with_domain(domain) == "none");
  }
  CHECK(set_with_domain("a\0b"s) == "none");
}

TEST_CASE("a cookie that browsers would drop is not set (RFC 6265bis section 5.6)") {
  SetCookie cookie = plain("a", "b");
  cookie.same_site = SameSite::none;
  CHECK(set(cookie) == "none");
  cookie.secure = true;
  CHECK(set(cookie) == "a=b; Secure; SameSite=None");

  CHECK(set(plain("ab", repeated(4094, "c"))) != "none");
  CHECK(set(plain("ab", repeated(4095, "c"))) == "none");
  CHECK(set_with_path("/" + repeated(1023, "c")) != "none");
  CHECK(set_with_path("/" + repeated(1024, "c")) == "none");
  CHECK(set_with_domain(repeated(512, "a.") + "b") == "none");
  CHECK(set_with_domain(repeated(511, "a.") + "bc") != "none");
}

TEST_CASE("a cookie's prefix keeps its promise (RFC 6265bis section 4.1.3)") {
  CHECK(set(plain("__Secure-a", "b")) == "none");
  CHECK(set(plain("__secure-a", "b")) == "none");
  CHECK(set(plain("__Secure", "b")) == "__Secure=b");
  SetCookie cookie = plain("__Secure-a", "b");
  cookie.secure = true;
  CHECK(set(cookie) == "__Secure-a=b; Secure");

  cookie.name = "__HOST-a";
  CHECK(set(cookie) == "none");
  cookie.path = "/";
  CHECK(set(cookie) == "__HOST-a=b; Path=/; Secure");
  cookie.domain = "a";
  CHECK(set(cookie) == "none");
  cookie.domain = "";
  cookie.path = "/a";
  CHECK(set(cookie) == "none");
  cookie.path = "/";
  cookie.secure = false;
  CHECK(set(cookie) == "none");
}
