#include <doctest/doctest.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "test-apps/command_line.h"
#include "test-apps/named_options.h"
#include "test-apps/option_pages.h"
#include "test-apps/program_options.h"
#include "wharf/options.hpp"

// An option that stands in a table, and nowhere else, is in the parser, in --help and in the pages.

namespace {

using namespace wharf;
using option_pages::Entry;

enum class Tide : std::uint8_t { low, high };

struct Harbour {
  std::size_t boats = 2048;
  unsigned depth = 3;
  std::uint16_t berth = 7;
  std::chrono::milliseconds patience{90'000};
  Tide tide = Tide::high;
  std::string name;
  std::vector<std::string> piers;
  bool lit = false;
};

constexpr std::string_view tides[] = {"low", "high"};
constexpr options::Option<Harbour> of_harbour[] = {
    {.name = "help", .about = "print this", .letter = 'h'},
    {.name = "boats",
     .place = &Harbour::boats,
     .unit = options::Unit::count,
     .about = "boats, like `12`",
     .range = {.least = 1, .most = 5000},
     .otherwise = "as many as fit",
     .letter = 'b'},
    {.name = "depth",
     .place = &Harbour::depth,
     .unit = options::Unit::count,
     .about = "metres",
     .range = {.least = 2, .zero = options::Zero::standard}},
    {.name = "berth", .place = &Harbour::berth, .unit = options::Unit::number, .about = "where to go"},
    {.name = "patience",
     .place = &Harbour::patience,
     .unit = options::Unit::milliseconds,
     .about = "until a boat leaves",
     .range = {.least = 1},
     .page = "limits.md#boats"},
    {.name = "tide",
     .place = options::choice<&Harbour::tide>(),
     .unit = options::Unit::word,
     .about = "how high the water is",
     .words = tides},
    {.name = "name", .place = &Harbour::name, .about = "what it is called", .otherwise = "the town's"},
    {.name = "piers", .place = &Harbour::piers, .about = "a pier"},
    {.name = "lit", .place = &Harbour::lit, .unit = options::Unit::flag, .about = "light it"},
};

Harbour parsed(std::vector<std::string> words) {
  CLI::App app;
  Harbour harbour;
  app.option_defaults()->take_last();
  command_line::add(app, of_harbour, harbour);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  app.parse(words);
  return harbour;
}

std::string help() {
  CLI::App app;
  Harbour harbour;
  command_line::add(app, of_harbour, harbour, {{{"name", "Whitby"}}, {}});
  return app.help();
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::vector<Entry> entries(std::string_view owner) {
  std::vector<Entry> all;
  option_pages::add(all, owner, of_harbour);
  return all;
}

std::string filled(std::string_view owner, std::string_view text) { return option_pages::Page(entries(owner), text).text(); }

}  // namespace

TEST_CASE("options: one in the table is parsed") {
  const Harbour harbour = parsed(
      {"-b", "7", "--boats=8", "--patience", "5", "--tide", "low", "--name", "south", "--piers", "a", "--piers", "b", "--lit"});
  CHECK(harbour.boats == 8);
  CHECK(harbour.patience == std::chrono::milliseconds(5));
  CHECK(harbour.tide == Tide::low);
  CHECK(harbour.name == "south");
  CHECK(harbour.piers == std::vector<std::string>{"a", "b"});
  CHECK(harbour.lit);
  CHECK(parsed({}).boats == 2048);
}

TEST_CASE("options: a number in the table's range is parsed, and no other, and no word but those in the table") {
  CHECK(parsed({"--boats=1"}).boats == 1);
  CHECK(parsed({"--boats=5000"}).boats == 5000);
  CHECK(parsed({"--boats=010"}).boats == 10);
  CHECK(parsed({"--depth=4294967295"}).depth == 4294967295);
  CHECK(parsed({"--depth=0"}).depth == 0);
  CHECK(parsed({"--berth=65535"}).berth == 65535);
  CHECK(parsed({"--patience=4294967295"}).patience == std::chrono::milliseconds(4294967295));
  const auto fault = [](const std::string& word) {
    INFO(word);
    try {
      parsed({word});
    } catch (const CLI::ParseError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  for (const char* const value : {"0", "5001", "-1", "0x5", "5x", " 5", "18446744073709551616"})
    CHECK(fault("--boats=" + std::string(value)) == "--boats: it takes a number from 1 to 5000, not '" + std::string(value) + "'");
  CHECK(fault("--depth=1") == "--depth: it takes a number from 2, or 0 for the default, not '1'");
  CHECK(fault("--depth=4294967296") == "--depth: it takes a number from 2, or 0 for the default, not '4294967296'");
  for (const char* const value : {"-1", "65536"})
    CHECK(fault("--berth=" + std::string(value)) == "--berth: it takes a number, not '" + std::string(value) + "'");
  CHECK(fault("--patience=0") == "--patience: it takes a number from 1, not '0'");
  for (const char* const value : {"ebb", "Low", "1"})
    CHECK(fault("--tide=" + std::string(value)) == "--tide: it takes low or high, not '" + std::string(value) + "'");
}

TEST_CASE("options: one in the table is taken by name") {
  Harbour harbour;
  CHECK(named_options::take(of_harbour, harbour, "patience=5"));
  CHECK(harbour.patience == std::chrono::milliseconds(5));
  for (const std::string_view text : {"patience", "patience=", "Patience=5", "patience =5", "=5", "", "help=on"})
    CHECK_FALSE(named_options::take(of_harbour, harbour, text));
}

TEST_CASE("options: one in the table is in --help, with its default") {
  const std::string text = help();
  for (const std::string_view line : {"-h,--help", "Print this", "-b,--boats", "2048", "Boats, like 12. Default: as many as fit",
                                      "--patience", "90000", "Until a boat leaves (docs/limits.md)", "--tide", "{low,high}",
                                      "What it is called. Default: Whitby", "A pier; may be given several times", "--lit"}) {
    INFO(text);
    INFO(line);
    CHECK(has(text, line));
  }
}

TEST_CASE("options: one in the table is in the pages") {
  CHECK(filled("Harbour",
               "| limit | default | when |\n|---|---|---|\n| `Harbour::boats`, `patience` | 7 | full |\n| a pier, `x` | 1 | |\n") ==
        "| limit | default | when |\n|---|---|---|\n"
        "| `Harbour::boats`, `patience` | 2,048 boats, like `12`: as many as fit; 90 s until a boat leaves, see "
        "[limits](limits.md#boats) | full |\n"
        "| a pier, `x` | 1 | |\n");
  CHECK(filled("Harbour", "| field of `wharf::Harbour` | default | what |\n|---|---|---|\n| `tide` | | |\n| `name` | | |\n") ==
        "| field of `wharf::Harbour` | default | what |\n|---|---|---|\n| `tide` | high | how high the water is |\n"
        "| `name` | the town's | what it is called |\n");
  CHECK(filled("", "| short | long | default | what |\n|---|---|---|---|\n| | `--boats` | | |\n| `-x` | `--piers` | | |\n") ==
        "| short | long | default | what |\n|---|---|---|---|\n| `-b` | `--boats` | 2,048: as many as fit | boats, like `12` |\n"
        "| | `--piers` | none | a pier; may be given several times |\n");
}

TEST_CASE("options: an option without a row, and a row without an option, are found") {
  const std::vector<Entry> all = entries("");
  const option_pages::Page page(all, "| long | default |\n|---|---|\n| `--boats` | |\n| `--anchor` | |\n| a\\|b |\n\n`--lit`\n");
  CHECK(page.found() == std::set<std::string>{"--boats"});
  CHECK(page.faults() == std::vector<std::string>{"line 4: there is no option --anchor"});
}

TEST_CASE("options: a row that is for no option stays as it is") {
  const std::string_view text =
      "# Boats\n\n| `boats` | default |\n|---|---|\n| `a | b` | 1 |\n|  wide  |  x  |\n\nEnd, without a line feed";
  CHECK(filled("Harbour", text) == std::string(text) + "\n");
  const std::string once = filled("Harbour", "| limit | default |\n|---|---|\n| `Harbour::lit` | |\n| `Harbour::boats` | |\n");
  CHECK(filled("Harbour", once) == once);
}

TEST_CASE("options: numbers with their units") {
  using options::Unit;
  CHECK(option_pages::with_unit(0, Unit::bytes) == "0");
  CHECK(option_pages::with_unit(500, Unit::bytes) == "500 bytes");
  CHECK(option_pages::with_unit(1024, Unit::bytes) == "1 KiB");
  CHECK(option_pages::with_unit(1536, Unit::bytes) == "1,536 bytes");
  CHECK(option_pages::with_unit(std::int64_t{4} * 1024 * 1024, Unit::bytes) == "4 MiB");
  CHECK(option_pages::with_unit(500, Unit::bytes_a_second) == "500 bytes a second");
  CHECK(option_pages::with_unit(0, Unit::milliseconds) == "0 s");
  CHECK(option_pages::with_unit(250, Unit::milliseconds) == "250 ms");
  CHECK(option_pages::with_unit(75'000, Unit::milliseconds) == "75 s");
  CHECK(option_pages::with_unit(180'000, Unit::milliseconds) == "180 s");
  CHECK(option_pages::with_unit(600'000, Unit::milliseconds) == "10 min");
  CHECK(option_pages::with_unit(1'000'000, Unit::count) == "1,000,000");
  CHECK(option_pages::with_unit(7681, Unit::number) == "7681");
}

TEST_CASE("options: each one of the test server has a name and words") {
  std::set<std::string_view> names;
  std::set<char> letters;
  for (const auto& option : program_options::table) {
    INFO(option.name);
    CHECK(names.insert(option.name).second);
    CHECK((option.letter == '\0' || letters.insert(option.letter).second));
    CHECK_FALSE(option.about.empty());
    CHECK((option.unit == options::Unit::word) == !option.words.empty());
  }
}
