#include "codec/http/prepared_fields.h"

#include <doctest/doctest.h>

#include <string>

using wharf::codec::PreparedFields;

namespace {

std::string pairs(PreparedFields::Part part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) (((text += part[i].name) += '=') += part[i].value) += ';';
  return text;
}

}  // namespace

TEST_CASE("prepared fields: lines as they were given, and pairs with names in lower case") {
  PreparedFields fields{{"Content-Type", "text/html"}, {"ETag", "\"A-b: c\""}};
  fields.add("X-Empty", "");
  CHECK(PreparedFields::Part(fields).lines() == "Content-Type: text/html\r\nETag: \"A-b: c\"\r\nX-Empty: \r\n");
  CHECK(pairs(fields) == "content-type=text/html;etag=\"A-b: c\";x-empty=;");
  CHECK(fields.size() == 3);
  CHECK(fields.memory() >= 60);
}

TEST_CASE("prepared fields: a part goes from one of them to the last") {
  const PreparedFields fields{{"A", "1"}, {"Bb", "2"}, {"Ccc", "3"}};
  CHECK(PreparedFields::Part(fields, 1).lines() == "Bb: 2\r\nCcc: 3\r\n");
  CHECK(pairs({fields, 1}) == "bb=2;ccc=3;");
  CHECK(pairs({fields, 2}) == "ccc=3;");
  CHECK(PreparedFields::Part(fields, 3).lines().empty());
  CHECK(pairs({fields, 3}).empty());
}

TEST_CASE("prepared fields: none are a part too, and a copy is one of its own") {
  CHECK(PreparedFields::Part().lines().empty());
  CHECK(PreparedFields::Part().size() == 0);
  const PreparedFields none;
  CHECK(PreparedFields::Part(none).lines().empty());
  PreparedFields fields{{"A", "1"}};
  PreparedFields copy = fields;
  copy.add("B", "2");
  CHECK(pairs(fields) == "a=1;");
  const PreparedFields moved = std::move(copy);
  CHECK(pairs(moved) == "a=1;b=2;");
}

TEST_CASE("prepared fields: those that are always sent come first, replace others of their name, and can be left out") {
  PreparedFields fields;
  CHECK(PreparedFields::Part(fields).always().empty());
  fields.add_always("Strict-Transport-Security", "max-age=1");
  CHECK(PreparedFields::Part(fields).always() == "Strict-Transport-Security: max-age=1\r\n");
  fields.add("X-Own", "1");
  const PreparedFields::Part all(fields);
  CHECK(all.lines() == "Strict-Transport-Security: max-age=1\r\nX-Own: 1\r\n");
  CHECK(all.always() == "Strict-Transport-Security: max-age=1\r\n");
  CHECK(all.replace("strict-transport-security"));
  CHECK_FALSE(all.replace("X-Own"));
  const PreparedFields::Part others(fields, fields.always());
  CHECK(others.lines() == "X-Own: 1\r\n");
  CHECK(others.always().empty());
  CHECK_FALSE(others.replace("Strict-Transport-Security"));
  CHECK_FALSE(PreparedFields::Part().replace("X-Own"));
}
