#include "wharf/options.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Options by name: what a text sets, what is in its range, and the tables of the library.

namespace {

using namespace wharf;
using std::chrono::milliseconds;

enum class Tide : std::uint8_t { unknown, low, high };

struct Harbour {
  std::size_t boats = 12;
  int depth = 3;
  std::uint64_t fish = 7;
  milliseconds patience{1'500};
  Tide tide = Tide::low;
  std::string name = "north";
  std::vector<std::string> piers;
  bool lit = false;
};

constexpr std::string_view tides[] = {"low", "high"};
constexpr options::Option<Harbour> of_harbour[] = {
    {"boats", &Harbour::boats, options::Unit::count, "boats", {}, {.least = 1, .most = 20}},
    {"depth", &Harbour::depth, options::Unit::count, "metres", {}, {.least = 2, .most = 9, .zero = options::Zero::standard}},
    {"fish", &Harbour::fish, options::Unit::count, "fish", {}, {.least = 1}},
    {"patience", &Harbour::patience, options::Unit::milliseconds, "until a boat leaves", {}, {.least = 1}},
    {"tide", options::choice<&Harbour::tide, 1>(), options::Unit::word, "how high the water is", tides},
    {"name", &Harbour::name, options::Unit::text, "what it is called"},
    {"piers", &Harbour::piers, options::Unit::text, "names of piers"},
    {"lit", &Harbour::lit, options::Unit::flag, "whether it has a light"},
};

bool take(Harbour& harbour, std::string_view name, std::string_view text) {
  const auto* const option = options::find(of_harbour, name);
  REQUIRE(option != nullptr);
  return options::take(*option, harbour, text);
}

/// Each name is there once, each has words, and a new object is in range.
template <class Owner, std::size_t size>
void check_table(const options::Option<Owner> (&table)[size]) {
  for (const auto& option : table) {
    INFO(option.name);
    CHECK(options::find(table, option.name) == &option);
    CHECK_FALSE(option.about.empty());
    CHECK((option.unit == options::Unit::word) == !option.words.empty());
    CHECK(options::is_in_range(option, Owner{}));
  }
}

}  // namespace

TEST_CASE("options: each kind of member is set by a text") {
  Harbour harbour;
  CHECK(take(harbour, "boats", "5"));
  CHECK(take(harbour, "depth", "2147483647"));
  CHECK(take(harbour, "patience", "4294967295"));
  CHECK(take(harbour, "tide", "high"));
  CHECK(take(harbour, "name", ""));
  CHECK(take(harbour, "piers", "a"));
  CHECK(take(harbour, "piers", "b=c"));
  CHECK(take(harbour, "lit", "on"));
  CHECK(harbour.boats == 5);
  CHECK(harbour.depth == 2147483647);
  CHECK(harbour.patience == milliseconds(4294967295));
  CHECK(harbour.tide == Tide::high);
  CHECK(harbour.name.empty());
  CHECK(harbour.piers == std::vector<std::string>{"a", "b=c"});
  CHECK(harbour.lit);
}

TEST_CASE("options: a text that the member cannot hold sets nothing") {
  Harbour harbour;
  for (const std::string_view text : {"", "x", "-1", "+1", "-0", " 5", "5 ", "1.5", "0x5", "18446744073709551616"})
    for (const std::string_view name : {"boats", "depth", "patience"}) {
      INFO(name, "=", text);
      CHECK_FALSE(take(harbour, name, text));
    }
  CHECK_FALSE(take(harbour, "depth", "2147483648"));
  CHECK_FALSE(take(harbour, "patience", "4294967296"));
  CHECK_FALSE(take(harbour, "tide", "unknown"));
  CHECK_FALSE(take(harbour, "tide", "High"));
  harbour.lit = true;
  for (const std::string_view text : {"yes", "", "On", "1"}) CHECK_FALSE(take(harbour, "lit", text));
  CHECK(harbour.lit);
  CHECK(harbour.boats == 12);
  CHECK(harbour.depth == 3);
  CHECK(harbour.patience == milliseconds(1'500));
  CHECK(harbour.tide == Tide::low);
  CHECK(options::find(of_harbour, "Boats") == nullptr);
  CHECK(options::find(of_harbour, "") == nullptr);
}

TEST_CASE("options: a range has both its ends, and zero if that is a default") {
  const auto fits = [](std::string_view name, std::string_view text) {
    Harbour harbour;
    REQUIRE(take(harbour, name, text));
    return options::is_in_range(*options::find(of_harbour, name), harbour);
  };
  CHECK_FALSE(fits("boats", "0"));
  CHECK(fits("boats", "1"));
  CHECK(fits("boats", "20"));
  CHECK_FALSE(fits("boats", "21"));
  CHECK(fits("depth", "0"));
  CHECK_FALSE(fits("depth", "1"));
  CHECK(fits("fish", "9223372036854775808"));
  CHECK(fits("fish", "18446744073709551615"));
  CHECK_FALSE(fits("patience", "0"));
  CHECK(fits("name", "0"));
  Harbour harbour;
  harbour.patience = milliseconds(-1);
  CHECK_FALSE(options::is_in_range(*options::find(of_harbour, "patience"), harbour));
}

TEST_CASE("options: the tables of the library") {
  check_table(options::of_limits);
  check_table(options::of_file_limits);
  check_table(options::of_files);
  check_table(options::of_proxy);
  check_table(options::of_compression);
  CHECK(options::names(of_harbour, "x.") == "x.boats, x.depth, x.fish, x.patience, x.tide, x.name, x.piers, x.lit");
}
