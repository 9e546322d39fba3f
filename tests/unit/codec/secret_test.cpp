#include "codec/secret.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace {

using namespace wharf::codec;

std::string hex(const SecretKey::Bytes& bytes) {
  std::string text;
  for (const unsigned char byte : bytes) (text += "0123456789abcdef"[byte >> 4]) += "0123456789abcdef"[byte & 15];
  return text;
}

}  // namespace

// A shorter key is filled up with zeros, so those of RFC 4231 fit.
TEST_CASE("secret: a digest is HMAC-SHA-256, as in the vectors of RFC 4231") {
  SecretKey::Bytes first{};
  std::fill_n(first.begin(), 20, static_cast<unsigned char>(0x0b));
  CHECK(hex(SecretKey(first).digest("Hi There").value()) == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  SecretKey::Bytes second{};
  std::copy_n("Jefe", 4, second.begin());
  CHECK(hex(SecretKey(second).digest("what do ya want for nothing?").value()) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("secret: each key makes digests of its own, the same for the same text") {
  const SecretKey key;
  const SecretKey other;
  CHECK(key.digest("text").value() == key.digest("text").value());
  CHECK(key.digest("text").value() != other.digest("text").value());
  CHECK(key.digest("text").value() != key.digest("texu").value());
  CHECK(key.digest({}).value() == key.digest("").value());
  CHECK(key.digest(std::string_view("\0", 1)).value() != key.digest("").value());
}

TEST_CASE("secret: texts are compared whole") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(equal_in_constant_time("abc", "xbc"));
  CHECK_FALSE(equal_in_constant_time("abc", "ab"));
  CHECK_FALSE(equal_in_constant_time("ab", "abc"));
}

TEST_CASE("secret: wiped text is gone") {
  char bytes[] = "secret";
  wipe(bytes, sizeof bytes - 1);
  CHECK(std::all_of(std::begin(bytes), std::end(bytes), [](char c) { return c == '\0'; }));
  std::string text = "a secret that is too long to lie within the string itself";
  const char* const at = text.data();
  const std::size_t size = text.size();
  wipe(text);
  CHECK(text.empty());
  CHECK(std::string_view(at, size).find_first_not_of('\0') == std::string_view::npos);  // the memory is still the string's
}
