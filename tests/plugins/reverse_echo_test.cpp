#include <doctest/doctest.h>

#include <string>

#include "wharf/testing.hpp"

extern "C" const wharf_plugin wharf_plugin_reverse_echo;

namespace {

using wharf::Kind;
using wharf::testing::Client;
using wharf::testing::Close;
using wharf::testing::Harness;
using wharf::testing::Message;

const wharf_row& row() { return *wharf_plugin_reverse_echo.rows[0]; }

std::string text_back(std::string_view text) {
  Harness harness(row());
  Client client = harness.connect();
  client.send_text(text);
  const auto answer = client.receive();
  REQUIRE(answer);
  CHECK(answer->kind == Kind::text);
  CHECK_FALSE(client.receive());
  CHECK_FALSE(client.closed());
  return answer->data;
}

std::string binary_back(std::string_view bytes) {
  Harness harness(row());
  Client client = harness.connect();
  client.send_binary(bytes);
  const auto answer = client.receive();
  REQUIRE(answer);
  CHECK(answer->kind == Kind::binary);
  return answer->data;
}

}  // namespace

TEST_CASE("reverse-echo: one row of that name") {
  CHECK(wharf_plugin_reverse_echo.abi == WHARF_ABI_NUMBER);
  CHECK(wharf_plugin_reverse_echo.row_count == 1);
  CHECK(row().name == std::string("reverse-echo"));
}

TEST_CASE("reverse-echo: text by code point") {
  CHECK(text_back("abc") == "cba");
  CHECK(text_back("Hello, w\u00F6rld! \U0001F44B") == "\U0001F44B !dlr\u00F6w ,olleH");
  CHECK(text_back("") == "");
  CHECK(text_back("x") == "x");
  CHECK(text_back("\u00E9") == "\u00E9");
  CHECK(text_back("\u20AC\u00E9a") == "a\u00E9\u20AC");
}

TEST_CASE("reverse-echo: the first and last code points of each length") {
  const std::string text = "\x01\x7F\u0080\u07FF\u0800\uD7FF\uE000\uFFFF\U00010000\U0010FFFF";
  const std::string reversed = "\U0010FFFF\U00010000\uFFFF\uE000\uD7FF\u0800\u07FF\u0080\x7F\x01";
  CHECK(text_back(text) == reversed);
  CHECK(text_back(reversed) == text);
  CHECK(text_back(std::string("a\0b", 3)) == std::string("b\0a", 3));
}

TEST_CASE("reverse-echo: combining marks and joined emoji come apart, and stay valid") {
  CHECK(text_back("e\u0301x") == "x\u0301e");
  CHECK(text_back("\U0001F468\u200D\U0001F469") == "\U0001F469\u200D\U0001F468");
  CHECK(text_back("\U0001F1E9\U0001F1EA") == "\U0001F1EA\U0001F1E9");
}

TEST_CASE("reverse-echo: binary by byte") {
  CHECK(binary_back("") == "");
  CHECK(binary_back(std::string("\0\1\2\xFF", 4)) == std::string("\xFF\2\1\0", 4));
  CHECK(binary_back("\xC3\xB6") == "\xB6\xC3");
  std::string bytes(70'000, '\0'), reversed(70'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = reversed[bytes.size() - 1 - i] = static_cast<char>(i * 7);
  CHECK(binary_back(bytes) == reversed);
}

TEST_CASE("reverse-echo: a long text") {
  std::string text, reversed;
  for (int i = 0; i < 100'000; ++i) text += i % 2 == 0 ? "\U0001F44B" : "y";
  for (int i = 0; i < 100'000; ++i) reversed += i % 2 == 0 ? "y" : "\U0001F44B";
  CHECK((text_back(text) == reversed));
}

TEST_CASE("reverse-echo: messages are answered in order, each to its sender") {
  Harness harness(row());
  Client one = harness.connect(), two = harness.connect();
  one.send_text("ab");
  two.send_text("cd");
  one.send_binary("ef");
  CHECK(one.receive() == Message{Kind::text, "ba"});
  CHECK(one.receive() == Message{Kind::binary, "fe"});
  CHECK_FALSE(one.receive());
  CHECK(two.receive() == Message{Kind::text, "dc"});
  CHECK_FALSE(two.receive());
}

TEST_CASE("reverse-echo: every message is logged at info level") {
  Harness harness(row());
  Client client = harness.connect();
  CHECK(harness.log().empty());
  client.send_text("hello");
  client.send_binary("bytes");
  client.send_text("two\nlines");
  REQUIRE(harness.log().size() == 3);
  CHECK(harness.log()[0] == "info: reverse-echo: text: hello");
  CHECK(harness.log()[1] == "info: reverse-echo: binary: bytes");
  CHECK(harness.log()[2].find('\n') == std::string::npos);
  client.send_text(std::string(5000, 'x'));
  CHECK(harness.log().size() == 4);
  CHECK(harness.log().back().size() < 200);
}

TEST_CASE("reverse-echo: the close handshake is answered with the client's code") {
  Harness harness(row());
  Client client = harness.connect();
  client.close(3000, "enough");
  CHECK(client.closed() == Close{3000, ""});
}
