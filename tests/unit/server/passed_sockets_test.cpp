#include "server/life/passed_sockets.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

// How descriptors for a successor are named.

namespace {

using namespace wharf::server;
using Kind = PassedDescriptor::Kind;

}  // namespace

TEST_CASE("passed sockets: what is written can be read") {
  const std::vector<PassedDescriptor> all{{3, 4711, Kind::own, "127.0.0.1:0", ""},
                                          {4, 18'446'744'073'709'551'615U, Kind::lent, "[::1]:443", "web"},
                                          {5, 1, Kind::own, "unix:/run/a b;c,d%\n\xFF", "so;many, things"},
                                          {6, 2, Kind::ready, "", ""}};
  const std::string text = write_passed(all);
  CHECK(text.find("5;1;own;unix:/run/a%20b%3Bc%2Cd%25%0A%FF;so%3Bmany%2C%20things") != std::string::npos);
  const auto again = read_passed(text);
  REQUIRE(again);
  CHECK(*again == all);
  CHECK(read_passed("")->empty());
}

TEST_CASE("passed sockets: another form is refused as a whole") {
  for (const char* text : {"3", "3;1;own;", "3;1;own;a;b;c d", "x;1;own;;", "-3;1;own;;", "3;-1;own;;", "3;1;mine;;", "3;1;own;%4;",
                           "3;1;own;%zz;", "3;1;own;;a,", ",", "3;1;own;a b;", "3;1;own;;,,3;1;own;;", "99999999999;1;own;;",
                           "3;1;own;%2f;", "3;1;own;;,4;2;own;;,3;1;own;;"}) {
    CAPTURE(text);
    CHECK_FALSE(read_passed(text));
  }
}

TEST_CASE("passed sockets: there is a limit of how many") {
  std::vector<PassedDescriptor> most(most_passed, {3, 1, Kind::own, "", ""});
  for (std::size_t i = 0; i < most.size(); ++i) most[i].number += static_cast<int>(i);
  CHECK(read_passed(write_passed(most)));
  CHECK_FALSE(read_passed(write_passed(most) + ",2;1;own;;"));
}
