#include "codec/http/basic_credentials.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "base64.h"

namespace {

using namespace wharf::codec;

/// "user|password", or "none".
std::string read(std::string_view authorization) {
  const std::optional<Credentials> credentials = parse_basic_credentials(authorization);
  return credentials ? credentials->user + "|" + credentials->password : "none";
}

std::string read_decoded(std::string_view decoded) { return read("Basic " + base64(decoded)); }

}  // namespace

TEST_CASE("basic credentials: the examples of RFC 7617") {
  CHECK(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") == "Aladdin|open sesame");
  CHECK(read("Basic dGVzdDoxMjPCow==") == "test|123\xC2\xA3");
}

TEST_CASE("basic credentials: the scheme is any case, then come spaces") {
  for (const std::string_view text : {"basic YTpi", "BASIC YTpi", "bAsIc YTpi", "Basic  YTpi", "Basic     YTpi"}) {
    CAPTURE(text);
    CHECK(read(text) == "a|b");
  }
  for (const std::string_view text : {"",
                                      "B",
                                      "Basi",
                                      "Basic",
                                      "Basic ",
                                      "Basic   ",
                                      "BasicYTpi",
                                      "Basic\tYTpi",
                                      "Basic \tYTpi",
                                      " Basic YTpi",
                                      "Basic YTpi ",
                                      "Basic YTpi YTpi",
                                      "Basic YTpi, YTpi",
                                      "Basic YTpi,",
                                      "Basic a=b",
                                      "Basic realm=\"YTpi\"",
                                      "Bearer YTpi",
                                      "Digest YTpi",
                                      "Basics YTpi",
                                      "YTpi"}) {
    CAPTURE(text);
    CHECK(read(text) == "none");
  }
}

TEST_CASE("basic credentials: the first colon parts user and password") {
  CHECK(read_decoded("a:b:c") == "a|b:c");
  CHECK(read_decoded("a::") == "a|:");
  CHECK(read_decoded("a:") == "a|");
  CHECK(read_decoded(":b") == "|b");
  CHECK(read_decoded(":") == "|");
  CHECK(read_decoded(" a : b ") == " a | b ");
  CHECK(read_decoded("abc") == "none");
  CHECK(read_decoded("a") == "none");
}

TEST_CASE("basic credentials: base64 is as an encoder writes it, or refused") {
  CHECK(read("Basic OmI=") == "|b");
  CHECK(read("Basic Og==") == "|");
  CHECK(read_decoded(":\xC2\xAB\xC3\xBF\xC3\xBE") == "|\xC2\xAB\xC3\xBF\xC3\xBE");
  CHECK(read("Basic OsO+w78=") == "|\xC3\xBE\xC3\xBF");  // with '+'
  CHECK(read("Basic OmE/Pz4+") == "|a?\?>>");            // with '/'
  for (const std::string_view text : {"OmI",      "Og",       "Og=",     "Og===",     "Q===",  "YTpiQ===", "YTpiA===", "OmI==",
                                      "OmI=====", "=",        "==",      "===",       "====",  "=OmI",     "O=mI",     "Om=I",
                                      "Og=A",     "Om==YTpi", "OmJ=",    "Oh==",      "Ox==",  "OmL=",     "YTp-",     "YTp_",
                                      "OsO-w78=", "YTpi\n",   "\nYTpi",  "YT\r\npi",  "YTpi=", "YTpi====", "YTp",      "YT",
                                      "Y",        "YTp.",     "YTp\xC2", "YTpiYTpi=", "YTp*"}) {
    CAPTURE(text);
    CHECK(read("Basic " + std::string(text)) == "none");
  }
  CHECK(read(std::string("Basic YTpi\0YTp", 14)) == "none");
  CHECK(read(std::string("Basic YTp\0", 10)) == "none");
}

TEST_CASE("basic credentials: control characters and bytes that are not UTF-8 are refused") {
  for (int c = 0; c < 0x80; ++c) {
    CAPTURE(c);
    const bool is_control = c < 0x20 || c == 0x7F;
    const std::string one(1, static_cast<char>(c));
    if (c != ':') CHECK(read_decoded("a" + one + "b:p") == (is_control ? "none" : "a" + one + "b|p"));
    CHECK(read_decoded("a:p" + one + "q") == (is_control ? "none" : "a|p" + one + "q"));
  }
  CHECK(read_decoded("j\xC3\xBCrgen:\xE2\x82\xAC\xF0\x9F\x98\x80") == "j\xC3\xBCrgen|\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(read_decoded("j\xFCrgen:p") == "none");
  CHECK(read_decoded("a:\xC0\xAF") == "none");
  CHECK(read_decoded("a:\xED\xA0\x80") == "none");
  CHECK(read_decoded("a\xC3:\xBC") == "none");
  CHECK(read_decoded("a:\xE2\x82") == "none");
}

TEST_CASE("basic credentials: they have a longest size") {
  const std::string most(longest_credentials - 2, 'x');
  CHECK(read_decoded("a:" + most) == "a|" + most);
  CHECK(read_decoded(most + ":a") == most + "|a");
  CHECK(read_decoded("a:" + most + "x") == "none");
  CHECK(read_decoded("a:" + most + "xx") == "none");
  CHECK(read_decoded("a:" + std::string(100'000, 'x')) == "none");
}

TEST_CASE("basic credentials: a user's name has no colon and no control characters, and is UTF-8") {
  for (const std::string_view user : {"ann", "", "ann b.", "\"\\#", "j\xC3\xBCrgen"}) {
    CAPTURE(user);
    CHECK(can_be_user(user));
  }
  for (const std::string_view user : {"a:b", ":", "a\nb", "a\x7F", "j\xFCrgen"}) {
    CAPTURE(user);
    CHECK_FALSE(can_be_user(user));
  }
}

TEST_CASE("basic credentials: the challenge quotes its realm") {
  CHECK(basic_challenge("files") == "Basic realm=\"files\", charset=\"UTF-8\"");
  CHECK(basic_challenge("") == "Basic realm=\"\", charset=\"UTF-8\"");
  CHECK(basic_challenge("a \"b\" \\ c") == "Basic realm=\"a \\\"b\\\" \\\\ c\", charset=\"UTF-8\"");
  CHECK(basic_challenge("f\xC3\xBCr alle") == "Basic realm=\"f\xC3\xBCr alle\", charset=\"UTF-8\"");
}

TEST_CASE("basic credentials: no realm breaks a field") {
  for (const std::string_view realm : {"a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\tb", "a\x7F", "a\x1F", "a\xFF", "a\xC3"}) {
    CAPTURE(realm);
    CHECK_FALSE(basic_challenge(realm).has_value());
  }
  CHECK_FALSE(basic_challenge(std::string_view("a\0b", 3)).has_value());
}
