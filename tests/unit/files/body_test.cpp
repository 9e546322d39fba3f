#include "files/body.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "unit/files/www_folder.h"

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr std::size_t size = 100'000;

struct Site : WwwFolder {
  Site() { write("file", noise(size)); }
  [[nodiscard]] Shared<base::Descriptor> open() const {
    return Shared<base::Descriptor>(base::Descriptor(::open((www() / "file").c_str(), O_RDONLY | O_CLOEXEC)));
  }
};

struct Taken {
  std::string bytes;
  std::size_t sent = 0;  // of them, past the queue
};

/// Takes the body as a session does, `most` bytes at a time: from the file if it says so.
Taken take(session::BodySource& body, std::size_t most) {
  base::ChunkPool pool;
  base::OutQueue out(pool);
  Taken taken;
  while (taken.bytes.size() < body.size()) {
    std::uint64_t in_file = 0;
    if (const auto part = body.file_part(in_file)) {
      std::string room(std::min<std::size_t>(most, in_file), '\0');
      REQUIRE(in_file > 0);
      REQUIRE(::pread(part->file, room.data(), room.size(), static_cast<off_t>(part->offset)) == static_cast<ssize_t>(room.size()));
      body.skip(room.size());
      taken.bytes += room;
      taken.sent += room.size();
      continue;
    }
    const std::size_t got = body.read(out, most);
    if (got == 0) break;
    CHECK(got <= most);
    REQUIRE(out.size() == got);
    while (!out.empty()) {
      taken.bytes += out.front();
      out.consume(out.front().size());
    }
  }
  return taken;
}

}  // namespace

TEST_CASE("file body: a range, sent or read, in pieces of any size") {
  const Site site;
  const std::string all = noise(size);
  for (const std::size_t most : {std::size_t{999}, std::size_t{16 * 1024}, std::size_t{1 << 20}}) {
    FileRangeBody whole(site.open(), 0, size);
    CHECK(whole.size() == size);
    const Taken taken = take(whole, most);
    CHECK(taken.bytes == all);
    CHECK(taken.sent == size);
    FileRangeBody part(site.open(), 10, 16 * 1024 + 1);
    CHECK(take(part, most).bytes == all.substr(10, 16 * 1024 + 1));
  }
}

TEST_CASE("file body: a short range is read, so that it leaves together with its head") {
  const Site site;
  FileRangeBody body(site.open(), 5, 16 * 1024);
  const Taken taken = take(body, 1000);
  CHECK(taken.sent == 0);
  CHECK(taken.bytes == noise(size).substr(5, 16 * 1024));
}

TEST_CASE("file body: bytes that the file no longer has cannot be read") {
  const Site site;
  FileRangeBody body(site.open(), 0, 10'000);
  std::filesystem::resize_file(site.www() / "file", 4000);
  const Taken taken = take(body, 3000);
  CHECK(taken.bytes == noise(size).substr(0, 4000));
}

TEST_CASE("file body: several ranges with their heads, long ones sent and short ones read") {
  const Site site;
  const std::string all = noise(size);
  const std::vector<codec::ByteRange> ranges{{50'000, 99'999}, {0, 9}, {100, 30'099}, {40'000, 40'000}};
  const codec::MultipartRanges parts("boundary", "text/x", ranges, size);
  std::string wanted;
  for (std::size_t i = 0; i < ranges.size(); ++i)
    (wanted += parts.part_head(i)) +=
        all.substr(static_cast<std::size_t>(ranges[i].first), static_cast<std::size_t>(ranges[i].size()));
  wanted += parts.closing();
  for (const std::size_t most : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{1 << 20}}) {
    MultipartFileBody body(site.open(), parts);
    CHECK(body.size() == wanted.size());
    const Taken taken = take(body, most);
    CHECK(taken.bytes == wanted);
    CHECK(taken.sent == 80'000);
  }
}

TEST_CASE("file body: memory, in pieces") {
  const std::string text = noise(10'000);
  for (const std::size_t most : {std::size_t{1}, std::size_t{999}, std::size_t{20'000}}) {
    MemoryBody body{Shared<std::string>(text)};
    const Taken taken = take(body, most);
    CHECK(taken.bytes == text);
    CHECK(taken.sent == 0);
  }
}

TEST_CASE("shared: the last owner closes it") {
  const Site site;
  const auto is_open = [](int file) { return ::fcntl(file, F_GETFD) >= 0; };
  Shared<base::Descriptor> one = site.open();
  const int file = one->get();
  REQUIRE(is_open(file));
  {
    const Shared<base::Descriptor> two = one;
    const Shared<base::Descriptor> three = std::move(one);
    CHECK_FALSE(one);  // NOLINT(bugprone-use-after-move): it is said to be none
    CHECK(three);
    one = two;
    Shared<base::Descriptor>& same = one;
    one = same;
    CHECK(is_open(file));
  }
  CHECK(is_open(file));
  one = Shared<base::Descriptor>();
  CHECK_FALSE(is_open(file));
}
