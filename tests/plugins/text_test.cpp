#include "plugins/text.h"

#include <doctest/doctest.h>

using plugins::hexadecimal;
using plugins::json_string;
using plugins::utf8;

TEST_CASE("text: each wrong byte is replaced, and nothing else") {
  CHECK(utf8("Gr\xC3\xBC\xC3\x9F"
             "e \xF0\x9F\x91\x8B") ==
        "Gr\xC3\xBC\xC3\x9F"
        "e \xF0\x9F\x91\x8B");
  CHECK(utf8("a\xFF"
             "b\xC3") ==
        "a\xEF\xBF\xBD"
        "b\xEF\xBF\xBD");
  CHECK(utf8("\xE2\x82") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(utf8("") == "");
}

TEST_CASE("text: strings of JSON") {
  CHECK(json_string("") == R"("")");
  CHECK(json_string("plain \xC3\xA4") == "\"plain \xC3\xA4\"");
  CHECK(json_string("\"\\/") == R"("\"\\/")");
  CHECK(json_string(std::string_view("\0\n\t\x1F\x7F", 5)) == R"("\u0000\u000a\u0009\u001f\u007f")");
  CHECK(json_string("\xFF") == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("text: hexadecimal digits") { CHECK(hexadecimal(std::string_view("\0\x09\xAF\xFF", 4)) == "0009afff"); }
