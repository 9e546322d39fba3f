#include "access/recent_table.h"

#include <doctest/doctest.h>

#include <cstdint>

using wharf::server::RecentTable;

TEST_CASE("recent table: it knows the value that was written last for a key") {
  RecentTable<int> table;
  CHECK(table.find(0) == nullptr);
  CHECK(table.find(7) == nullptr);
  table.write(0, 1);
  table.write(7, 2);
  table.write(7, 3);
  REQUIRE(table.find(0) != nullptr);
  CHECK(*table.find(0) == 1);
  REQUIRE(table.find(7) != nullptr);
  CHECK(*table.find(7) == 3);
  CHECK(table.find(7 + RecentTable<int>::sets) == nullptr);
}

TEST_CASE("recent table: in a full place, the key that was written longest ago is dropped") {
  using Table = RecentTable<std::uint64_t>;
  Table table;
  for (std::uint64_t i = 0; i < Table::ways; ++i) table.write(5 + i * Table::sets, i);
  table.write(5, 100);  // the first is the last now
  table.write(5 + Table::ways * Table::sets, 200);
  CHECK(table.find(5 + Table::sets) == nullptr);
  REQUIRE(table.find(5) != nullptr);
  CHECK(*table.find(5) == 100);
  REQUIRE(table.find(5 + Table::ways * Table::sets) != nullptr);
  for (std::uint64_t i = 2; i < Table::ways; ++i) CHECK(table.find(5 + i * Table::sets) != nullptr);
}
