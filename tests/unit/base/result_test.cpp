#include "base/result.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace {

using namespace wharf::base;

Result<std::string, std::string> half(const std::string& text) {
  if (text.size() % 2 != 0) return Failure{"odd: " + text};
  return text.substr(0, text.size() / 2);
}

}  // namespace

TEST_CASE("result: a value and a reason of the same type are told apart") {
  const auto good = half("abcd");
  REQUIRE(good);
  CHECK(*good == "ab");
  CHECK(good->size() == 2);
  const auto bad = half("abc");
  REQUIRE_FALSE(bad);
  CHECK(bad.error() == "odd: abc");
}

TEST_CASE("result: it holds a move-only value, and hands it out") {
  Result<std::unique_ptr<int>, int> result(std::make_unique<int>(7));
  REQUIRE(result);
  const std::unique_ptr<int> taken = std::move(*result);
  CHECK(*taken == 7);
  CHECK(*result == nullptr);
}

TEST_CASE("result: a failure converts to the reason's type") {
  const Result<int, std::string> result = Failure{"because"};
  REQUIRE_FALSE(result);
  CHECK(result.error() == "because");
}

TEST_CASE("result: can be assigned, from value to reason and back") {
  Result<int, std::string> result(1);
  result = Failure{std::string("no")};
  CHECK_FALSE(result);
  result = Result<int, std::string>(2);
  REQUIRE(result);
  *result += 1;
  CHECK(*result == 3);
}
