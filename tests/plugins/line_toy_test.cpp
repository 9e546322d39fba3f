#include <doctest/doctest.h>

#include <string>

#include "exchanges.h"

extern "C" const wharf_plugin wharf_plugin_line_toy;

namespace {

using tests::StartedRow;
using tests::TestExchange;

const wharf_row& row() { return *wharf_plugin_line_toy.rows[0]; }

/// A connection that speaks lines.
struct Toy {
  StartedRow started{row()};
  TestExchange exchange{started, {"GET", "/mount/", {{"Upgrade", "line-toy/1"}}}};
  Toy() { exchange.body_end(); }
  tests::TestPipe& pipe() { return *exchange.pipe; }
  std::string said(std::string_view bytes) {
    pipe().data(bytes);
    return std::exchange(pipe().output, {});
  }
};

}  // namespace

TEST_CASE("line-toy: one row of that name, for requests alone") {
  CHECK(wharf_plugin_line_toy.row_count == 1);
  CHECK(row().name == std::string("line-toy"));
  CHECK((row().open == nullptr));
}

TEST_CASE("line-toy: a request without an upgrade is told how to ask for it") {
  StartedRow started(row());
  for (const tests::Fields& fields : {tests::Fields{}, tests::Fields{{"Upgrade", "line-toy/2"}}}) {
    TestExchange exchange(started, {"GET", "/mount/", fields});
    exchange.body_end();
    CHECK(exchange.status == 426);
    CHECK(exchange.answer_field("upgrade") == "line-toy/1");
  }
}

TEST_CASE("line-toy: only a GET becomes a conversation") {
  StartedRow started(row());
  for (const std::string method : {"HEAD", "POST", "PUT", "OPTIONS", "get"}) {
    CAPTURE(method);
    TestExchange exchange(started, {method, "/mount/", {{"Upgrade", "line-toy/1"}}});
    exchange.body_end();
    CHECK(exchange.status == 426);
    CHECK(exchange.answer_field("upgrade") == "line-toy/1");
    CHECK(exchange.pipe == nullptr);
  }
}

TEST_CASE("line-toy: commands") {
  Toy toy;
  REQUIRE(toy.exchange.status == 101);
  CHECK(toy.said("echo some text \n") == "some text \n");
  CHECK(toy.said("echo\necho \n") == "\n\n");
  CHECK(toy.said("upper a1 \xC3\xA4Z\n") == "A1 \xC3\xA4Z\n");
  CHECK(toy.said("\n") == "error\n");
  CHECK(toy.said("nonsense\ntimes\ntime now\n") == "error\nerror\nerror\n");
  const std::string time = toy.said("time\r\n");
  CHECK(time.size() == 11);
  CHECK(time.find_first_not_of("0123456789") == 10);
  CHECK(toy.pipe().history.empty());
}

TEST_CASE("line-toy: the cut of the bytes makes no difference") {
  const std::string bytes = "echo one\r\nupper two\n\r\necho " + std::string(1019, 'x') + "\r\necho three\n";
  const std::string answers = "one\nTWO\nerror\n" + std::string(1019, 'x') + "\nthree\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Toy toy;
    const std::string first = toy.said(std::string_view(bytes).substr(0, cut));
    if (first + toy.said(std::string_view(bytes).substr(cut)) != answers) FAIL("cut at ", cut);
  }
  Toy toy;
  std::string all;
  for (const char c : bytes) all += toy.said({&c, 1});
  CHECK(all == answers);
}

TEST_CASE("line-toy: a line that is too long ends it, whether it ends or not") {
  for (const std::string& line : {std::string(1025, 'x') + "\n", std::string(1024, 'x') + "y\r\n", std::string(5000, 'x')}) {
    for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{1024}, std::size_t{1025}}) {
      Toy toy;
      std::string answer = toy.said(std::string_view(line).substr(0, cut));
      answer += toy.said(line.substr(cut) + "echo more\n");
      CHECK(answer == "error\n");
      CHECK(toy.pipe().history == "x");
    }
  }
}

TEST_CASE("line-toy: the lines between cork and uncork are kept back") {
  Toy toy;
  CHECK(toy.said("cork\n") == "ok\n");
  CHECK(toy.pipe().history == "c");
  CHECK(toy.said("echo 1\necho 2\nuncork\n") == "1\n2\nok\n");
  CHECK(toy.pipe().history == "cu");
}

TEST_CASE("line-toy: half ends the output and not the input") {
  Toy toy;
  CHECK(toy.said("half\necho unheard\n") == "ok\n");
  CHECK(toy.pipe().history == "e");
  CHECK(toy.said("quit\n").empty());
  CHECK(toy.pipe().history == "ex");
}

TEST_CASE("line-toy: quit ends it, and what follows is not read") {
  Toy toy;
  CHECK(toy.said("echo 1\nquit\necho 2\n") == "1\nbye\n");
  CHECK(toy.pipe().history == "x");
}

TEST_CASE("line-toy: a client that has sent all is told how many lines there were") {
  Toy toy;
  CHECK(toy.said("echo 1\necho 2\nnot a whole line") == "1\n2\n");
  toy.pipe().ended();
  CHECK(toy.pipe().output == "bye 2\n");
  CHECK(toy.pipe().history == "x");
}
