#include "base/ascii.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace wharf::base;

std::vector<std::string> items(std::string_view list) {
  std::vector<std::string> found;
  for_each_list_item(list, [&found](std::string_view item) { found.emplace_back(item); });
  return found;
}

}  // namespace

TEST_CASE("ascii: only A to Z have another case") {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool upper = byte >= 'A' && byte <= 'Z';
    CHECK(lower(c) == (upper ? static_cast<char>(byte + 32) : c));
    CHECK(is_digit(c) == (byte >= '0' && byte <= '9'));
  }
}

TEST_CASE("ascii: comparing ignores the case of letters alone") {
  CHECK(equal_ignoring_case("", ""));
  CHECK(equal_ignoring_case("WebSocket", "wEBsOCKET"));
  CHECK_FALSE(equal_ignoring_case("websocket", "websocke"));
  CHECK_FALSE(equal_ignoring_case("a", "b"));
  CHECK_FALSE(equal_ignoring_case("[", "{"));        // 0x20 apart, as letters are
  CHECK_FALSE(equal_ignoring_case("\xC4", "\xE4"));  // Ä and ä in Latin-1
}

TEST_CASE("ascii: trimming takes spaces and tabs from both ends and nothing else") {
  CHECK(trim("").empty());
  CHECK(trim(" \t ").empty());
  CHECK(trim("\t a b \t") == "a b");
  CHECK(trim("\r\na\v") == "\r\na\v");
}

TEST_CASE("ascii: the characters of a token (RFC 9110 section 5.6.2)") {
  const std::string_view allowed = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (int byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    CHECK(is_token_char(static_cast<char>(byte)) == (allowed.find(static_cast<char>(byte)) != std::string_view::npos));
  }
  CHECK(is_token("dumb-increment-protocol"));
  CHECK_FALSE(is_token(""));
  CHECK_FALSE(is_token("a b"));
  CHECK_FALSE(is_token("a,b"));
  CHECK_FALSE(is_token(std::string_view("a\0", 2)));
}

TEST_CASE("ascii: list items come in order, trimmed, the empty ones left out") {
  CHECK(items("") == std::vector<std::string>{});
  CHECK(items(" , ,\t,") == std::vector<std::string>{});
  CHECK(items("a") == std::vector<std::string>{"a"});
  CHECK(items(",a , b c,,\td\t") == std::vector<std::string>{"a", "b c", "d"});
}
