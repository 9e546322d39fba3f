#include "codec/http/target.h"

#include <doctest/doctest.h>

#include <string>

namespace {

using namespace wharf::codec;

/// "path|query", or "none".
std::string parts(std::string_view text) {
  const std::optional<Target> target = split_target(text);
  return target ? std::string(target->path) + "|" + std::string(target->query) : "none";
}

/// "host|port", or "none".
std::string authority(std::string_view text) {
  const std::optional<Authority> cut = split_authority(text);
  return cut ? std::string(cut->host) + "|" + std::string(cut->port) : "none";
}

}  // namespace

TEST_CASE("split_target cuts path and query") {
  CHECK(parts("/") == "/|");
  CHECK(parts("/a/b") == "/a/b|");
  CHECK(parts("/a?b=c&d") == "/a|b=c&d");
  CHECK(parts("/?") == "/|");
  CHECK(parts("/a?b?c") == "/a|b?c");
  CHECK(parts("//a/b") == "//a/b|");
  CHECK(parts("/%41%2e") == "/%41%2e|");
}

TEST_CASE("split_target takes the absolute form") {
  CHECK(parts("http://a/b?c") == "/b|c");
  CHECK(parts("HTTPS://a:1/b") == "/b|");
  CHECK(parts("http://a") == "/|");
  CHECK(parts("http://a?b/c") == "/|b/c");
  CHECK(parts("http://[::1]:80/b") == "/b|");
}

TEST_CASE("split_target refuses every other form") {
  for (const std::string_view text : {"", "*", "a", "a:80", "?", "http:/a", "http://", "http:///a", "http://:80/", "http://u@a/",
                                      "ftp://a/", "/a#b", "http://a#b", "/a b", "/a\tb", "/a\r", "/\x7F", "/\xC3\xA9", " /"}) {
    CAPTURE(text);
    CHECK(parts(text) == "none");
  }
  CHECK(parts(std::string_view("/\0", 2)) == "none");
}

TEST_CASE("target_authority names what an absolute target names") {
  CHECK(target_authority("http://a:80/b") == "a:80");
  CHECK(target_authority("https://a?b") == "a");
  CHECK(target_authority("http://a") == "a");
  CHECK(target_authority("http:///b").empty());
  CHECK(target_authority("/http://a").empty());
  CHECK(target_authority("*").empty());
}

TEST_CASE("target_scheme names http and https, and nothing else") {
  CHECK(target_scheme("http://a/b") == "http");
  CHECK(target_scheme("HTTPS://a") == "https");
  for (const std::string_view target : {"/https://a", "*", "https:/a", "https:a", "http", "ftp://a", "httpss://a", "a:443", ""})
    CHECK(target_scheme(target).empty());
}

TEST_CASE("split_authority cuts host and port") {
  CHECK(authority("a") == "a|");
  CHECK(authority("a:") == "a|");
  CHECK(authority("a.example:8080") == "a.example|8080");
  CHECK(authority("A-b_c~%20!$&'()*+,;=") == "A-b_c~%20!$&'()*+,;=|");
  CHECK(authority("192.0.2.1:0") == "192.0.2.1|0");
  CHECK(authority("a:65535") == "a|65535");
  CHECK(authority("a:00000080") == "a|00000080");
  for (const std::string_view text : {"",         ":",    ":80",   "a:65536", "a:99999999999999999999",
                                      "a:-1",     "a:8 ", "a:1:2", "a b",     "a/",
                                      "u@a",      "a%",   "a%4",   "a%4g",    "a[",
                                      "\xC3\xA9", "\x7F", "\"a\"", "a\\b",    "<a>"}) {
    CAPTURE(text);
    CHECK(authority(text) == "none");
  }
  CHECK(authority(std::string_view("a\0", 2)) == "none");
  CHECK(authority(std::string_view("a%41").substr(0, 3)) == "none");
}

TEST_CASE("split_authority takes IPv6 addresses in brackets only, and only whole ones") {
  for (const std::string_view text : {"[::]", "[::1]", "[1::]", "[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]", "[::2:3:4:5:6:7:8]",
                                      "[fe80::ABCD:ef]", "[::1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[1::2:255.0.10.199]"}) {
    CAPTURE(text);
    CHECK(authority(text) == std::string(text) + "|");
    CHECK(authority(std::string(text) + ":7") == std::string(text) + "|7");
  }
  for (const std::string_view text : {"::1",
                                      "[",
                                      "[]",
                                      "[:]",
                                      "[:::]",
                                      "[1]",
                                      "[1:2:3:4:5:6:7]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[1:2:3:4:5:6:7:8::]",
                                      "[1:2:3:4::5:6:7:8]",
                                      "[1::2::3]",
                                      "[12345::]",
                                      "[g::]",
                                      "[:1::]",
                                      "[1::2:]",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]]",
                                      "[::1.2.3]",
                                      "[::1.2.3.4.5]",
                                      "[::1.2.3.256]",
                                      "[::01.2.3.4]",
                                      "[::1..3.4]",
                                      "[1.2.3.4::]",
                                      "[1:2:3:4:5:6:7:1.2.3.4]",
                                      "[fe80::1%25eth0]",
                                      "[v1.a]"}) {
    CAPTURE(text);
    CHECK(authority(text) == "none");
  }
}

TEST_CASE("percent_decode decodes exactly once") {
  CHECK(percent_decode("") == "");
  CHECK(percent_decode("a+b") == "a+b");
  CHECK(percent_decode("%41%6a%4A%7e") == "AjJ~");
  CHECK(percent_decode("%2541") == "%41");
  CHECK(percent_decode("%2e%2E%2f") == "../");
  CHECK(percent_decode("%ff%01") == "\xFF\x01");
  for (const std::string_view text : {"%", "%4", "a%4", "%g0", "%0g", "%%41", "% 41", "%00", "a%00b"}) {
    CAPTURE(text);
    CHECK_FALSE(percent_decode(text).has_value());
  }
  CHECK_FALSE(percent_decode(std::string_view("a%41").substr(0, 3)).has_value());
}

TEST_CASE("safe_relative_path stays below the folder") {
  CHECK(safe_relative_path("/") == "");
  CHECK(safe_relative_path("/a/b") == "a/b");
  CHECK(safe_relative_path("/a/") == "a/");
  CHECK(safe_relative_path("/a.b/c..d") == "a.b/c..d");
  CHECK(safe_relative_path("/a b/\xC3\xA9") == "a b/\xC3\xA9");
  for (const std::string_view text :
       {"",      "a",    "..", "/..", "/../a", "/a/..", "/a/../b", "/.",     "/./a", "/a/.", "/.git/config",
        "/a/.b", "/...", "//", "//a", "/a//b", "/a//",  "/a\\b",   "/..\\a", "\\a"}) {
    CAPTURE(text);
    CHECK_FALSE(safe_relative_path(text).has_value());
  }
  CHECK_FALSE(safe_relative_path(std::string_view("/a\0b", 4)).has_value());
}

TEST_CASE("http target: a decoded path is encoded for a Location, and comes back the same") {
  CHECK(percent_encode_path("/a b/\xC3\xA9%?#~-._") == "/a%20b/%C3%A9%25%3F%23~-._");
  CHECK(percent_encode_path("").empty());
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  CHECK(percent_decode(percent_encode_path(all)) == all);
}

TEST_CASE("host_of leaves the port out, and what is no authority as it is") {
  CHECK(host_of("example.com:8080") == "example.com");
  CHECK(host_of("example.com") == "example.com");
  CHECK(host_of("[::1]:80") == "[::1]");
  CHECK(host_of("not a host:80") == "not a host:80");
  CHECK(host_of("") == "");
  CHECK(split_authority("[::1]:80")->bare_host() == "::1");
  CHECK(split_authority("example.com:80")->bare_host() == "example.com");
}

TEST_CASE("usual_port knows http and https") {
  CHECK(usual_port("http") == "80");
  CHECK(usual_port("https") == "443");
  CHECK(usual_port("ftp").empty());
}
