#include "base/flags.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>

namespace {

using namespace wharf::base;

enum class Bit : std::uint8_t { first, second, third, fourth, fifth, sixth, seventh, eighth };
constexpr std::array all{Bit::first, Bit::second, Bit::third, Bit::fourth, Bit::fifth, Bit::sixth, Bit::seventh, Bit::eighth};

}  // namespace

TEST_CASE("flags: a set of them begins empty") {
  const Flags<Bit> flags;
  for (const Bit bit : all) CHECK_FALSE(flags.has(bit));
}

TEST_CASE("flags: each of eight is added, removed and taken without the others") {
  for (const Bit bit : all) {
    CAPTURE(static_cast<int>(bit));
    Flags<Bit> flags;
    flags.add(bit);
    flags.add(bit);
    for (const Bit other : all) CHECK(flags.has(other) == (other == bit));
    for (const Bit other : all) flags.add(other);
    flags.remove(bit);
    for (const Bit other : all) CHECK(flags.has(other) == (other != bit));
    flags.add(bit);
    CHECK(flags.take(bit));
    for (const Bit other : all) CHECK(flags.has(other) == (other != bit));
  }
}

TEST_CASE("flags: take() finds a flag once, and leaves the others alone") {
  Flags<Bit> flags;
  flags.add(Bit::third);
  flags.remove(Bit::first);
  CHECK_FALSE(flags.take(Bit::second));
  CHECK(flags.has(Bit::third));
  CHECK(flags.take(Bit::third));
  CHECK_FALSE(flags.take(Bit::third));
  CHECK_FALSE(flags.has(Bit::third));
}

TEST_CASE("flags: clear leaves none") {
  Flags<Bit> flags;
  for (const Bit bit : all) flags.add(bit);
  flags.clear();
  for (const Bit bit : all) CHECK_FALSE(flags.has(bit));
}

TEST_CASE("flags: of several, one that is there is enough") {
  Flags<Bit> flags;
  flags.add(Bit::second);
  CHECK(flags.has_any(Bit::second));
  CHECK(flags.has_any(Bit::first, Bit::second));
  CHECK(flags.has_any(Bit::second, Bit::eighth, Bit::third));
  CHECK_FALSE(flags.has_any(Bit::first, Bit::third, Bit::eighth));
}
