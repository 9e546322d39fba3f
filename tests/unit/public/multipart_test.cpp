#include "wharf/multipart.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

namespace {

using namespace std::string_literals;
using wharf::base_name;
using wharf::MultipartError;
using wharf::MultipartLimits;
using wharf::MultipartParser;
using wharf::MultipartPart;

constexpr std::string_view boundary = "AaB03x";

/// The events in one text; data as one event however they came.
struct Log {
  std::string text;

  void part(const MultipartPart& part) { text += "[" + part.name + "," + part.file_name.value_or("-") + "," + part.type + ":"; }
  void part_data(std::string_view data) { text += data; }
  void part_end() { text += "]"; }
};

std::string part(const std::string& name, const std::string& data) {
  return "--AaB03x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + data + "\r\n";
}
std::string file(const std::string& name, const std::string& data) {
  return "--AaB03x\r\nContent-Disposition: form-data; name=f; filename=\"" + name + "\"\r\nContent-Type: a/b\r\n\r\n" + data +
         "\r\n";
}
const std::string closing = "--AaB03x--\r\n";

/// Each piece is in memory of its own that is freed after the call.
bool feed_copy(MultipartParser& parser, std::string_view piece, Log& log) {
  const auto copy = std::make_unique<char[]>(piece.size());
  piece.copy(copy.get(), piece.size());
  return parser.feed({copy.get(), piece.size()}, log);
}

/// The outcome of a body that comes in pieces that end at `cuts`, which rise.
std::string outcome(std::string_view body, const std::vector<std::size_t>& cuts, const MultipartLimits& limits = {}) {
  MultipartParser parser(boundary, limits);
  Log log;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    static_cast<void>(feed_copy(parser, body.substr(at, cut - at), log));
    at = cut;
  }
  static_cast<void>(feed_copy(parser, body.substr(at), log));
  static_cast<void>(parser.finish());
  return log.text + std::string(parser.reason());
}

/// The outcome of the whole body, which must be that of its bytes one by one and of every pair of cuts.
std::string outcome_at_every_split(std::string_view body, const MultipartLimits& limits = {}) {
  std::string whole = outcome(body, {}, limits);
  std::vector<std::size_t> each;
  for (std::size_t i = 1; i < body.size(); ++i) each.push_back(i);
  CHECK(outcome(body, each, limits) == whole);
  for (std::size_t first = 0; first <= body.size(); ++first) {
    for (std::size_t second = first; second <= body.size(); ++second) {
      if (outcome(body, {first, second}, limits) == whole) continue;
      FAIL_CHECK("another outcome when cut at " << first << " and " << second);
      return whole;
    }
  }
  return whole;
}

MultipartError error_of(std::string_view body, const MultipartLimits& limits) {
  MultipartParser parser(boundary, limits);
  Log log;
  const bool fed = parser.feed(body, log);
  CHECK(fed == (parser.error() == MultipartError::none));
  static_cast<void>(parser.finish());
  return parser.error();
}

/// Collects what part_data() was given, piece by piece.
struct Pieces {
  std::vector<std::string> data;
  const char* where = nullptr;  ///< the last

  void part(const MultipartPart&) {}
  void part_data(std::string_view piece) {
    data.emplace_back(piece);
    where = piece.data();
  }
  void part_end() {}
};

}  // namespace

TEST_CASE("a form comes out alike at every two cuts") {
  const std::string text = part("a", "b\r\n-\r\n--AaB03\r\r\n") + file("c d.txt", "\r\n--") + part("", "") + closing;
  CHECK(outcome_at_every_split(text) == "[a,-,:b\r\n-\r\n--AaB03\r\r\n][f,c d.txt,a/b:\r\n--][,-,:]no error");
}

TEST_CASE("preamble, padding and epilogue come out alike at every two cuts") {
  const std::string text =
      "x\r\n--AaB03\r\n--AaB03x \t\r\nContent-Disposition: form-data; name=a\r\n\r\n--AaB03x-- \r\n--AaB03x\r\n";
  CHECK(outcome_at_every_split(text) == "[a,-,:]no error");
}

TEST_CASE("errors come out alike at every two cuts") {
  const std::string reached_too_late = part("a", "b") + part("c", "\r\n--AaB03xd") + closing;
  CHECK(outcome_at_every_split(reached_too_late) ==
        "[a,-,:b][c,-,:a delimiter of parts goes on with something else than the end of its line");
  CHECK(outcome_at_every_split(part("a", "0123\r\n--Aa"), {.part_size = 7}) == "[a,-,:0123\r\n-a part is longer than allowed");
  CHECK(outcome_at_every_split(part("a", "b"), {.part_head = 20}) == "the head of a part is longer than allowed");
  CHECK(outcome_at_every_split(part("a", "b"), {.body_size = part("a", "b").size() - 2}) ==
        "[a,-,:bthe body is longer than allowed");
}

TEST_CASE("every limit holds, and to the byte") {
  const std::string two = part("ab", "cde") + file("fgh", "ijk") + closing;
  const std::size_t head = file("fgh", "").size() - "--AaB03x\r\n\r\n"s.size();
  CHECK(error_of(two, {.parts = 2}) == MultipartError::none);
  CHECK(error_of(two, {.parts = 1}) == MultipartError::too_many_parts);
  CHECK(error_of(two, {.part_head = head}) == MultipartError::none);
  CHECK(error_of(two, {.part_head = head - 1}) == MultipartError::part_head_too_large);
  CHECK(error_of(two, {.part_head_fields = 2}) == MultipartError::none);
  CHECK(error_of(two, {.part_head_fields = 1}) == MultipartError::too_many_fields);
  CHECK(error_of(two, {.name = 2}) == MultipartError::none);
  CHECK(error_of(two, {.name = 1}) == MultipartError::name_too_long);
  CHECK(error_of(two, {.file_name = 3}) == MultipartError::none);
  CHECK(error_of(two, {.file_name = 2}) == MultipartError::file_name_too_long);
  CHECK(error_of(two, {.part_size = 3}) == MultipartError::none);
  CHECK(error_of(two, {.part_size = 2}) == MultipartError::part_too_large);
  CHECK(error_of(two, {.body_size = two.size()}) == MultipartError::none);
  CHECK(error_of(two, {.body_size = two.size() - 1}) == MultipartError::body_too_large);
}

TEST_CASE("the limits are these when nobody says otherwise") {
  std::string parts;
  for (int i = 0; i < 100; ++i) parts += part("a", "");
  CHECK(error_of(parts + closing, {}) == MultipartError::none);
  CHECK(error_of(parts + part("a", "") + closing, {}) == MultipartError::too_many_parts);
  const MultipartLimits limits;
  CHECK(limits.part_head == 8192);
  CHECK(limits.part_head_fields == 16);
  CHECK(limits.name == 256);
  CHECK(limits.file_name == 1024);
  CHECK(limits.part_size == MultipartLimits::unlimited);
  CHECK(limits.body_size == MultipartLimits::unlimited);
}

TEST_CASE("an error stays, and nothing is called after it") {
  MultipartParser parser(boundary);
  Log log;
  CHECK(!parser.feed("--AaB03x!", log));
  CHECK(parser.error() == MultipartError::delimiter);
  CHECK(parser.status() == 400);
  CHECK(!parser.feed("\r\n" + part("a", "b") + closing, log));
  CHECK(!parser.finish());
  CHECK(parser.error() == MultipartError::delimiter);
  CHECK(log.text.empty());
}

TEST_CASE("a limit that is reached is 413") {
  MultipartParser parser(boundary, {.parts = 0});
  Log log;
  CHECK(!parser.feed(part("a", "b"), log));
  CHECK(parser.status() == 413);
}

TEST_CASE("a body that is not over is not finished, and stays so") {
  MultipartParser parser(boundary);
  Log log;
  CHECK(parser.feed(part("a", "b"), log));
  CHECK(!parser.finish());
  CHECK(parser.error() == MultipartError::unfinished);
  CHECK(!parser.feed(closing, log));
}

TEST_CASE("a parser without a boundary fails") {
  for (const std::string& none : {""s, "a\r\nb"s, "a "s, "a\0"s, std::string(71, 'a')}) {
    MultipartParser parser(none);
    Log log;
    CHECK(!parser.feed("--" + none + "--", log));
    CHECK(parser.error() == MultipartError::boundary);
    CHECK(!parser.finish());
  }
}

TEST_CASE("data are views into the bytes fed, in one piece up to the delimiter") {
  const std::string data = "one\r\ntwo\r\n--\r\nthree\r";
  const std::string body = part("a", data) + closing;
  MultipartParser parser(boundary);
  Pieces pieces;
  CHECK(parser.feed(body, pieces));
  REQUIRE(pieces.data.size() == 1);
  CHECK(pieces.data[0] == data);
  CHECK(pieces.where == body.data() + body.find(data));
}

TEST_CASE("only what may be the beginning of a delimiter is held back") {
  MultipartParser parser(boundary);
  Pieces pieces;
  CHECK(parser.feed(part("a", "b\r\nc"), pieces));
  REQUIRE(pieces.data.size() == 1);
  CHECK(pieces.data[0] == "b\r\nc");
  CHECK(parser.feed("--AaB03", pieces));
  CHECK(pieces.data.size() == 1);
  CHECK(parser.feed("X", pieces));
  REQUIRE(pieces.data.size() == 3);
  CHECK(pieces.data[1] == "\r\n--AaB03");
  CHECK(pieces.data[2] == "X");
}

TEST_CASE("a part ends when its delimiter is known to be one") {
  MultipartParser parser(boundary);
  Log log;
  CHECK(parser.feed(part("a", "b") + "--AaB03x", log));
  CHECK(log.text == "[a,-,:b");
  CHECK(parser.feed("-", log));
  CHECK(log.text == "[a,-,:b");
  CHECK(parser.feed("-", log));
  CHECK(log.text == "[a,-,:b]");
  CHECK(parser.finish());
}

TEST_CASE("a handler may refuse, and hears nothing more") {
  struct Refusing {
    int until;
    int calls = 0;
    bool part(const MultipartPart&) { return ++calls < until; }
    bool part_data(std::string_view) { return ++calls < until; }
    bool part_end() { return ++calls < until; }
  };
  for (int until = 1; until <= 6; ++until) {
    MultipartParser parser(boundary);
    Refusing refusing{until};
    CHECK(!parser.feed(part("a", "b") + part("c", "d") + closing, refusing));
    CHECK(parser.error() == MultipartError::refused);
    CHECK(refusing.calls == until);
  }
  MultipartParser parser(boundary);
  Refusing refusing{7};
  CHECK(parser.feed(part("a", "b") + part("c", "d") + closing, refusing));
  CHECK(parser.finish());
}

TEST_CASE("a parser can be moved in the middle of a body") {
  const std::string body = part("a", "b\r\n--AaB") + file("c", "d") + closing;
  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    auto first = std::make_unique<MultipartParser>(boundary);
    Log log;
    CHECK(first->feed(std::string_view(body).substr(0, cut), log));
    MultipartParser second = std::move(*first);
    first.reset();
    CHECK(second.feed(std::string_view(body).substr(cut), log));
    CHECK(second.finish());
    CHECK(log.text == "[a,-,:b\r\n--AaB][f,c,a/b:d]");
  }
}

TEST_CASE("every error has its sentence") {
  std::vector<std::string_view> sentences;
  const auto remember = [&](const std::string& body, const MultipartLimits& limits) {
    MultipartParser parser(boundary, limits);
    Log log;
    static_cast<void>(parser.feed(body, log));
    static_cast<void>(parser.finish());
    sentences.push_back(parser.reason());
  };
  const std::string head = "--AaB03x\r\nContent-Disposition: form-data; name=a; filename=b\r\n";
  const std::string two_types = head + "Content-Type: a\r\nContent-Type: b\r\n";
  const std::string encoded = head + "Content-Transfer-Encoding: base64\r\n";
  for (const std::string& body : {closing, ""s, "--AaB03x!"s, "--AaB03x\r\n!\r\n"s, "--AaB03x\r\n\r\n"s, two_types, encoded})
    remember(body, {});
  remember(head, {.parts = 0});
  remember(head, {.part_head = 0});
  remember(head, {.part_head_fields = 0});
  remember(head, {.name = 0});
  remember(head, {.file_name = 0});
  remember(head + "\r\na", {.part_size = 0});
  remember(head, {.body_size = 0});
  sentences.push_back(MultipartParser("").reason());
  std::sort(sentences.begin(), sentences.end());
  CHECK(std::adjacent_find(sentences.begin(), sentences.end()) == sentences.end());
  CHECK(std::find(sentences.begin(), sentences.end(), "unknown error") == sentences.end());
}

TEST_CASE("base_name() is the part behind the last slash") {
  CHECK(base_name("a.txt") == "a.txt");
  CHECK(base_name("/etc/passwd") == "passwd");
  CHECK(base_name("C:\\temp\\x.txt") == "x.txt");
  CHECK(base_name("..\\../.a") == ".a");
  CHECK(base_name("a/b\\c") == "c");
  CHECK(base_name("a\\b/c") == "c");
  CHECK(base_name("...") == "...");
  for (const std::string_view name : {"", ".", "..", "a/", "a\\", "../..", "a/."}) CHECK(base_name(name).empty());
}
