#include "codec/deflate.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>

namespace {

using namespace wharf::codec;

voidpf count_and_allocate(voidpf sum, uInt items, uInt size) {
  *static_cast<std::size_t*>(sum) += std::size_t{items} * size;
  return std::calloc(items, size);
}
void release(voidpf, voidpf memory) { std::free(memory); }

z_stream counting(std::size_t& sum) {
  z_stream stream{};
  stream.zalloc = count_and_allocate;
  stream.zfree = release;
  stream.opaque = &sum;
  return stream;
}

std::size_t memory_of_zlib_deflating(int window_bits, int memory_level) {
  std::size_t sum = sizeof(z_stream);
  z_stream stream = counting(sum);
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, -window_bits, memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
  deflateEnd(&stream);
  return sum;
}

std::size_t memory_of_zlib_inflating(int window_bits) {
  std::size_t sum = sizeof(z_stream);
  z_stream stream = counting(sum);
  REQUIRE(inflateInit2(&stream, -window_bits) == Z_OK);
  std::string hello = "\xF2\x48\xCD\xC9\xC9\x07";
  std::array<Bytef, 16> room{};
  stream.next_in = reinterpret_cast<Bytef*>(hello.data());
  stream.avail_in = static_cast<uInt>(hello.size());
  stream.next_out = room.data();
  stream.avail_out = room.size();
  REQUIRE(inflate(&stream, Z_SYNC_FLUSH) == Z_OK);
  inflateEnd(&stream);
  return sum;
}

}  // namespace

TEST_CASE("deflate: memory() is what zlib allocates, or a little more") {
  for (int bits = 8; bits <= 15; ++bits) {
    for (int memory_level = 1; memory_level <= 9; ++memory_level) {
      const std::size_t taken = memory_of_zlib_deflating(std::max(bits, 9), memory_level);
      CHECK(taken <= Deflater::memory(bits, memory_level));
      CHECK(Deflater::memory(bits, memory_level) <= taken + 512);
    }
    const std::size_t taken = memory_of_zlib_inflating(bits);
    CHECK(taken <= Inflater::memory(bits));
    CHECK(Inflater::memory(bits) <= taken + 512);
  }
}
