#include "codec/deflate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace wharf::codec;
using namespace std::string_literals;
using Piece = Deflater::Piece;
using Status = Inflater::Status;

constexpr DeflateTuning zlib_defaults{.level = 6, .memory_level = 8};
constexpr std::size_t plenty = std::size_t{16} * 1024 * 1024;

std::string compressed(Deflater& deflater, std::string_view message) {
  std::string out;
  deflater.compress(message, Piece::last, out);
  return out;
}

struct Inflated {
  Status status;
  std::string text;

  friend bool operator==(const Inflated&, const Inflated&) = default;
};

/// All output of the bytes, with a certain room at a time and at most `limit` in all.
Inflated inflated(Inflater& inflater, std::string_view bytes, std::size_t room_size = 4096, std::size_t limit = plenty) {
  Inflated all{Status::full, {}};
  std::string room(room_size, '\0');
  while (all.status == Status::full && all.text.size() < limit) {
    std::size_t written = 0;
    all.status = inflater.inflate(bytes, room.data(), std::min(room_size, limit - all.text.size()), written);
    all.text.append(room, 0, written);
    REQUIRE((all.status != Status::more || bytes.empty()));
  }
  return all;
}

/// A whole message from the payload of a frame, or "invalid" or "broken off".
std::string message(Inflater& inflater, std::string_view payload, std::size_t room_size = 4096) {
  const Inflated all = inflated(inflater, std::string(payload) + std::string(Inflater::tail), room_size);
  if (all.status == Status::invalid) return "invalid";
  return inflater.at_boundary() ? all.text : "broken off";
}

std::string once(std::string_view payload) {
  Inflater inflater(15);
  return message(inflater, payload);
}

std::string noise(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// Text that repeats itself from near and from far.
std::string prose(std::size_t size, unsigned seed = 1) {
  static const std::vector<std::string> words = {"harbour ", "wharf ", "crane ", "tide ", "rope ", "lantern ", "{\"id\": ", "\n"};
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    text += words[random() % words.size()];
    if (random() % 8 == 0) text += std::to_string(random());
    if (random() % 16 == 0 && !text.empty()) text += text.substr(random() % text.size(), 40);
  }
  text.resize(size);
  return text;
}

/// Messages of every kind that matters: empty, short, long, and some that do not get smaller.
std::vector<std::string> messages() {
  return {
      "Hello",    "",  prose(300), noise(1000),         "",       "Hello", prose(70'000), std::string(100'000, 'a'), noise(20'000),
      prose(300), "x", prose(900), noise(8'192 * 3, 7), prose(33)};
}

}  // namespace

// ---- the examples of RFC 7692 section 7.2.3 ----

TEST_CASE("deflate: one compressed block (7.2.3.1)") {
  Deflater deflater(15, zlib_defaults);
  const std::string hello = compressed(deflater, "Hello");
  CHECK(hello == "\xF2\x48\xCD\xC9\xC9\x07\x00"s);
  CHECK(once(hello) == "Hello");

  Inflater inflater(15);  // and in two frames
  CHECK(inflated(inflater, "\xF2\x48\xCD"s).status == Status::more);
  CHECK_FALSE(inflater.at_boundary());
  CHECK(message(inflater, "\xC9\xC9\x07\x00"s).ends_with("lo"));
}

TEST_CASE("deflate: the window is shared from message to message (7.2.3.2)") {
  Deflater deflater(15, zlib_defaults);
  Inflater inflater(15);
  const std::string first = compressed(deflater, "Hello");
  CHECK(message(inflater, first) == "Hello");
  const std::string second = compressed(deflater, "Hello");
  CHECK(second == "\xF2\x00\x11\x00\x00"s);
  CHECK(message(inflater, second) == "Hello");

  deflater.reset();
  CHECK(compressed(deflater, "Hello") == first);
  inflater.reset();
  CHECK(message(inflater, first) == "Hello");
  CHECK(once(second) == "invalid");  // which reaches back to what nobody said
}

TEST_CASE("deflate: a block without compression (7.2.3.3)") {
  CHECK(once("\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00"s) == "Hello");
}

TEST_CASE("deflate: a block that says it is the last (7.2.3.4)") {
  Inflater inflater(15);
  const std::string final_hello = "\xF3\x48\xCD\xC9\xC9\x07\x00\x00"s;
  CHECK(message(inflater, final_hello) == "Hello");
  CHECK(message(inflater, "\xF2\x00\x11\x00\x00"s) == "Hello");  // the context outlives the final block
  CHECK(message(inflater, final_hello) == "Hello");
  CHECK(message(inflater, final_hello, 1) == "Hello");
}

TEST_CASE("deflate: two blocks in one message (7.2.3.5)") {
  CHECK(once("\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00"s) == "Hello");
  Deflater deflater(15, zlib_defaults);
  std::string out;
  deflater.compress("He", Piece::more_follows, out);
  CHECK(out == "\xF2\x48\x05\x00\x00\x00\xFF\xFF"s);
  deflater.compress("llo", Piece::last, out);
  CHECK(out == "\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00"s);
}

TEST_CASE("deflate: an empty message, and an empty last piece (7.2.3.6)") {
  Deflater deflater(15, zlib_defaults);
  Inflater inflater(15);
  for (int i = 0; i < 3; ++i) {
    CHECK(compressed(deflater, "") == "\0"s);
    CHECK(message(inflater, "\0"s).empty());
  }
  std::string out;
  deflater.compress("Hello", Piece::more_follows, out);
  deflater.compress("", Piece::more_follows, out);
  CHECK(out == "\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF"s);
  deflater.compress("", Piece::last, out);
  CHECK(out == "\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF\x00"s);
  CHECK(message(inflater, out) == "Hello");
  CHECK(message(inflater, compressed(deflater, "Hello")) == "Hello");
}

// ---- round trips ----

TEST_CASE("deflate: every window is read by itself and by every larger one") {
  for (int sent = 8; sent <= 15; ++sent) {
    for (int read = sent; read <= 15; ++read) {
      CAPTURE(sent);
      CAPTURE(read);
      Deflater deflater(sent, {});
      Inflater inflater(read);
      for (const std::string& text : messages()) CHECK((message(inflater, compressed(deflater, text)) == text));
    }
  }
}

TEST_CASE("deflate: every level and memory level") {
  for (int level = 1; level <= 9; ++level) {
    for (int memory_level = 1; memory_level <= 9; ++memory_level) {
      Deflater deflater(12, {.level = level, .memory_level = memory_level});
      Inflater inflater(12);
      for (const std::string& text : messages()) CHECK((message(inflater, compressed(deflater, text)) == text));
    }
  }
}

TEST_CASE("deflate: no window is reached beyond, not even one of 256 bytes") {
  const std::vector<std::string> near_and_far = {prose(40'000), prose(300) + noise(200) + prose(300), prose(3'000, 2),
                                                 prose(40'000)};
  for (int bits = 8; bits <= 15; ++bits) {
    for (const int level : {1, 3, 6, 9}) {
      Deflater deflater(bits, {.level = level, .memory_level = 8});
      Inflater strict(bits);  // byte by byte nothing is there but the window
      for (const std::string& text : near_and_far) CHECK((message(strict, compressed(deflater, text), 1) == text));
    }
  }
}

TEST_CASE("deflate: a stream that reaches beyond the window is invalid") {
  Deflater deflater(15, {});
  const std::string text = noise(2'000) + noise(2'000);
  Inflater narrow(8);
  const std::string payload = compressed(deflater, text);
  REQUIRE(payload.size() < 2'500);
  CHECK(message(narrow, payload, 1) == "invalid");
}

TEST_CASE("deflate: context is kept until it is forgotten") {
  Deflater keeping(12, {});
  Deflater forgetting(12, {});
  Inflater inflater(12);
  const std::string text = prose(1'000);
  const std::size_t first = compressed(keeping, text).size();
  CHECK(compressed(keeping, text).size() < first / 4);
  const std::string alone = compressed(forgetting, text);
  for (int i = 0; i < 3; ++i) {
    forgetting.reset();
    CHECK((compressed(forgetting, text) == alone));
    CHECK((message(inflater, alone) == text));
    inflater.reset();
  }
}

TEST_CASE("deflate: a message in two pieces, at every cut") {
  const std::string text = prose(400) + noise(40) + prose(100);
  Deflater deflater(12, {});
  Inflater inflater(12);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    std::string first;
    std::string second;
    deflater.compress(std::string_view(text).substr(0, cut), Piece::more_follows, first);
    deflater.compress(std::string_view(text).substr(cut), Piece::last, second);
    CHECK((inflated(inflater, first).text == text.substr(0, cut)));  // every frame can be read when it is there
    CHECK((message(inflater, second) == text.substr(cut)));
  }
}

TEST_CASE("deflate: a message in many pieces, some of them empty") {
  std::mt19937 random(3);
  Deflater deflater(10, {});
  Inflater inflater(10);
  for (const std::string& text : messages()) {
    std::string out;
    for (std::size_t at = 0, size = 0; at < text.size(); at += size) {
      size = random() % 3 == 0 ? 0 : random() % 5'000;
      deflater.compress(std::string_view(text).substr(at, size), Piece::more_follows, out);
    }
    deflater.compress("", Piece::last, out);
    CHECK((message(inflater, out) == text));
  }
}

TEST_CASE("deflate: compressed bytes and room in every cut") {
  const std::string text = prose(500);
  Deflater deflater(9, {});
  const std::string payload = compressed(deflater, text) + std::string(Inflater::tail);
  for (std::size_t cut = 0; cut <= payload.size(); ++cut) {
    Inflater inflater(9);
    std::string out = inflated(inflater, std::string_view(payload).substr(0, cut), 7).text;
    out += inflated(inflater, std::string_view(payload).substr(cut), 7).text;
    CHECK((out == text));
    CHECK(inflater.at_boundary());
  }
}

// ---- size of what comes out ----

TEST_CASE("deflate: data that does not get smaller grows by little") {
  for (const std::size_t size : {0U, 1U, 5U, 64U, 1'000U, 8'191U, 8'192U, 65'536U, 1'000'000U}) {
    for (const DeflateTuning tuning : {DeflateTuning{}, DeflateTuning{.level = 1, .memory_level = 1}, zlib_defaults}) {
      Deflater deflater(12, tuning);
      CHECK(compressed(deflater, noise(size)).size() <= size + size / (tuning.memory_level == 1 ? 20 : 300) + 16);
    }
  }
}

TEST_CASE("deflate: `out` keeps its content, and is not grown ahead of the output") {
  Deflater deflater(15, zlib_defaults);
  std::string out = "before";
  deflater.compress(std::string(10'000'000, 'a'), Piece::last, out);
  CHECK(out.starts_with("before\xEC"));
  CHECK(out.size() < 20'000);
  CHECK(out.capacity() < 64 * 1024);
}

TEST_CASE("deflate: one flush marker each, whatever the size of the output before") {
  // As many sizes of output as it takes to end anywhere in the memory that zlib writes to.
  const std::string_view marker("\0\0\xFF\xFF\0\0\0\xFF\xFF", 9);
  const std::string text = noise(20'000);
  for (std::size_t size = 7'700; size < 8'300; ++size) {
    Deflater deflater(9, {.level = 1, .memory_level = 1});
    std::string out;
    deflater.compress(std::string_view(text).substr(0, size), Piece::more_follows, out);
    REQUIRE(out.ends_with(Inflater::tail));
    CHECK_FALSE(out.ends_with(marker));
  }
}

// ---- the limit ----

TEST_CASE("inflate: a bomb costs no more than its limit") {
  Deflater deflater(15, zlib_defaults);
  const std::string zeros(1'000'000, '\0');
  std::string bomb;
  for (int i = 0; i < 64; ++i) deflater.compress(zeros, i == 63 ? Piece::last : Piece::more_follows, bomb);
  REQUIRE(bomb.size() < 100'000);
  for (const std::size_t limit : {std::size_t{1}, std::size_t{1'000}, std::size_t{65'536}, std::size_t{5'000'000}}) {
    Inflater inflater(15);
    const Inflated all = inflated(inflater, bomb, 16'384, limit);
    CHECK(all.status == Status::full);
    CHECK(all.text.size() == limit);
  }
}

TEST_CASE("inflate: room that is just enough is full, and a byte more shows that it was enough") {
  const std::string payload = "\xF2\x48\xCD\xC9\xC9\x07\x00\x00\x00\xFF\xFF"s;
  std::array<char, 6> room{};
  std::size_t written = 0;
  Inflater exact(15);
  std::string_view input = payload;
  CHECK(exact.inflate(input, room.data(), 5, written) == Status::full);
  CHECK(written == 5);
  CHECK(exact.inflate(input, room.data(), 1, written) == Status::more);
  CHECK(written == 0);
  CHECK(input.empty());
  CHECK(exact.at_boundary());
}

TEST_CASE("inflate: no room and no input do no harm") {
  Inflater inflater(15);
  std::array<char, 16> room{};
  std::size_t written = 99;
  std::string_view nothing;
  CHECK(inflater.inflate(nothing, room.data(), room.size(), written) == Status::more);
  CHECK(written == 0);
  CHECK(inflater.inflate(nothing, nullptr, 0, written) == Status::full);
  const std::string payload = "\xF2\x48\xCD\xC9\xC9\x07\x00"s;
  std::string_view input = payload;
  CHECK(inflater.inflate(input, nullptr, 0, written) == Status::full);
  CHECK(written == 0);
  CHECK(inflater.inflate(input, room.data(), room.size(), written) == Status::more);
  CHECK(std::string_view(room.data(), written) == "Hello");
}

// ---- streams that end, break off or are none ----

TEST_CASE("inflate: a final block right at the tail") {
  Inflater inflater(15);
  for (int i = 0; i < 3; ++i) {
    CHECK(message(inflater, "\x01"s).empty());
    CHECK(message(inflater, i == 0 ? "\xF2\x48\xCD\xC9\xC9\x07\x00"s : "\xF2\x00\x11\x00\x00"s) == "Hello");
  }
}

TEST_CASE("inflate: thousands of final blocks in a message keep the context and take no time") {
  Inflater inflater(15);
  const std::string text = prose(20'000);
  Deflater deflater(15, zlib_defaults);
  CHECK((message(inflater, compressed(deflater, text)) == text));
  std::string finals;
  for (int i = 0; i < 500'000; ++i) finals += "\x03\x00"s;
  CHECK(message(inflater, finals + "\0"s).empty());
  const std::string again = compressed(deflater, text);
  REQUIRE(again.size() < 4'000);
  CHECK((message(inflater, again) == text));
}

TEST_CASE("inflate: after a final block comes a stream like any other") {
  CHECK(once("\xF3\x48\xCD\xC9\xC9\x07\x00\xF2\x48\xCD\xC9\xC9\x07\x00"s) == "HelloHello");
  CHECK(once("\xF3\x48\xCD\xC9\xC9\x07\x00\xFF\xFF"s) == "invalid");
  CHECK(once("\xF3\x48\xCD\xC9\xC9\x07\x00"s) == "broken off");  // the 00 of the empty block is not there
}

TEST_CASE("inflate: a message that breaks off is found out") {
  CHECK(once("") == "broken off");
  const std::string text = prose(200);
  Deflater deflater(15, zlib_defaults);
  const std::string payload = compressed(deflater, text);
  for (std::size_t size = 0; size < payload.size(); ++size) CHECK((once(payload.substr(0, size)) != text));
  CHECK((once(payload) == text));
}

TEST_CASE("inflate: bytes that are no stream stay invalid until reset()") {
  const std::string hello = "\xF2\x48\xCD\xC9\xC9\x07\x00"s;
  // A block type that does not exist, lengths that contradict each other, a distance into nothing.
  for (const std::string& bad : {"\x06"s, "\x00\x05\x00\x05\x00"s, "\xF2\x00\x11\x00\x00"s}) {
    Inflater inflater(15);
    CHECK(message(inflater, bad) == "invalid");
    CHECK(message(inflater, hello) == "invalid");
    CHECK_FALSE(inflater.at_boundary());
    inflater.reset();
    CHECK(inflater.at_boundary());
    CHECK(message(inflater, hello) == "Hello");
  }
}

TEST_CASE("inflate: garbage ends, and is the same in every cut") {
  for (unsigned seed = 0; seed < 2'000; ++seed) {
    const std::string bytes = noise(seed % 200, seed);
    Inflater whole(15);
    Inflater cut(15);
    const Inflated expected = inflated(whole, bytes, 4096, 100'000);
    Inflated found{Status::more, {}};
    for (std::size_t at = 0; at < bytes.size() && found.status != Status::invalid; ++at) {
      Inflated part = inflated(cut, std::string_view(bytes).substr(at, 1), 3, 100'000);
      found = {part.status, found.text + part.text};
    }
    REQUIRE((found == expected));
  }
}

TEST_CASE("inflate: a flipped bit never crashes") {
  Deflater deflater(12, {});
  const std::string payload = compressed(deflater, prose(300));
  for (std::size_t bit = 0; bit < payload.size() * 8; ++bit) {
    std::string flipped = payload;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Inflater inflater(12);
    inflated(inflater, flipped, 100, 100'000);
  }
}

// ---- construction ----

TEST_CASE("deflate: values out of range are refused") {
  for (const int bits : {-15, 0, 7, 16, 31, 47}) {
    CHECK_THROWS_AS(Deflater(bits, {}), std::invalid_argument);
    CHECK_THROWS_AS(Inflater{bits}, std::invalid_argument);
  }
  CHECK_THROWS_AS(Deflater(12, {.level = 10, .memory_level = 5}), std::invalid_argument);
  CHECK_THROWS_AS(Deflater(12, {.level = 6, .memory_level = 0}), std::invalid_argument);
}

TEST_CASE("deflate: both halves can be moved in the middle of a message") {
  const std::string text = prose(500);
  Deflater deflater(12, {});
  std::string out;
  deflater.compress(std::string_view(text).substr(0, 100), Piece::more_follows, out);
  Deflater moved = std::move(deflater);
  moved.compress(std::string_view(text).substr(100), Piece::last, out);
  Inflater inflater(12);
  const std::string first = inflated(inflater, std::string_view(out).substr(0, 50)).text;
  Inflater other = std::move(inflater);
  CHECK((first + message(other, std::string_view(out).substr(50)) == text));
}
