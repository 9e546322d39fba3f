#include "codec/gzip.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdint>
#include <stdexcept>

namespace {

using wharf::codec::GzipWriter;

std::string compressed(std::string_view text, std::size_t piece, int level = 6) {
  GzipWriter writer(level);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) writer.write(text.substr(at, piece), out);
  writer.finish(out);
  return out;
}

/// The content of a gzip file that zlib reads to the last byte; "invalid" if it cannot.
std::string inflated(std::string_view file) {
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.data()));
  stream.avail_in = static_cast<uInt>(file.size());
  std::string text;
  char room[4096];
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(room);
    stream.avail_out = sizeof room;
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(room, sizeof room - stream.avail_out);
  }
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return whole ? text : "invalid";
}

std::string noise(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : text) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

}  // namespace

TEST_CASE("gzip: the content comes out again, however it was cut") {
  const std::string texts[] = {"", "x", std::string(100'000, 'a'), noise(70'000)};
  for (const std::string& text : texts) {
    const std::string whole = compressed(text, 1 << 30);
    CHECK(inflated(whole) == text);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, std::size_t{65536}}) CHECK(compressed(text, piece) == whole);
  }
}

TEST_CASE("gzip: the header has neither name nor time (RFC 1952 section 2.3.1)") {
  const std::string file = compressed("text", 4);
  REQUIRE(file.size() > 18);
  CHECK(file.substr(0, 8) == std::string("\x1F\x8B\x08\0\0\0\0\0", 8));
}

TEST_CASE("gzip: levels") {
  const std::string text = noise(2000) + std::string(2000, 'x') + noise(2000);
  for (int level = 1; level <= 9; ++level) CHECK(inflated(compressed(text, 500, level)) == text);
  for (const int level : {-1, 0, 10}) CHECK_THROWS_AS(GzipWriter{level}, std::invalid_argument);
}
