#include "plugins/upload.h"

#include <doctest/doctest.h>

#include <string>

using plugins::UploadedPart;

namespace {

UploadedPart part_of(std::string_view data) {
  UploadedPart part{"name"};
  part.feed(data);
  return part;
}

}  // namespace

TEST_CASE("upload: checksums") {
  CHECK(part_of("").crc_text() == "00000000");
  CHECK(part_of("123456789").crc_text() == "cbf43926");  // the check value of CRC-32
  UploadedPart pieces{"name"};
  for (const char c : std::string_view("123456789")) pieces.feed({&c, 1});
  CHECK(pieces.crc_text() == "cbf43926");
  CHECK(pieces.size == 9);
}

TEST_CASE("upload: only the beginning is kept") {
  UploadedPart part{"name"};
  for (int i = 0; i < 1000; ++i) part.feed("0123456789");
  CHECK(part.size == 10'000);
  CHECK(part.beginning.size() == UploadedPart::kept_bytes);
  CHECK(part.beginning.capacity() <= 2 * UploadedPart::kept_bytes);
  CHECK(part.text() == part.beginning);
}

TEST_CASE("upload: content that is text, and content that is not") {
  CHECK(part_of("").text() == "");
  CHECK(part_of("tab\t, lines\r\n, \xC3\xA4").text() == "tab\t, lines\r\n, \xC3\xA4");
  for (const std::string_view none : {std::string_view("\0", 1), std::string_view("a\x1B"), std::string_view("\x7F"),
                                      std::string_view("\xFF"), std::string_view("a\xC3"), std::string_view("\xED\xA0\x80")})
    CHECK_FALSE(part_of(none).text());
  CHECK(part_of(std::string(100, '\xFF')).hex().size() == 64);
}

TEST_CASE("upload: a code point that is cut off by the limit does not make it binary") {
  for (const std::string_view letter : {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x91\x8B"}) {
    for (std::size_t before = 1; before < letter.size(); ++before) {
      const std::string start(UploadedPart::kept_bytes - before, 'x');
      CHECK(part_of(start + std::string(letter) + "more").text() == start);
    }
  }
  CHECK_FALSE(part_of(std::string(UploadedPart::kept_bytes - 1, 'x') + "\xFF"
                                                                       "more")
                  .text());
}
