#include "codec/variants.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>

#define WHARF_VECTOR_CODE [[gnu::target("avx2")]]

namespace wharf::codec::detail {
namespace {

struct Vector {
  using Bytes = __m256i;
  static constexpr std::ptrdiff_t size = sizeof(Bytes);

  WHARF_VECTOR_CODE static Bytes load(const char* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(at)); }
  WHARF_VECTOR_CODE static Bytes all(unsigned byte) { return _mm256_set1_epi8(static_cast<char>(byte)); }
  template <class Table>
  WHARF_VECTOR_CODE static Bytes table(const Table& entries) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i_u*>(entries.data())));
  }
  WHARF_VECTOR_CODE static Bytes look_up(Bytes table, Bytes nibbles) { return _mm256_shuffle_epi8(table, nibbles); }
  WHARF_VECTOR_CODE static Bytes high_nibbles(Bytes bytes) { return low_nibbles(_mm256_srli_epi16(bytes, 4)); }
  WHARF_VECTOR_CODE static Bytes low_nibbles(Bytes bytes) { return bytes & all(0x0F); }
  WHARF_VECTOR_CODE static Bytes less(Bytes bytes, unsigned by) { return _mm256_subs_epu8(bytes, all(by)); }
  WHARF_VECTOR_CODE static bool has_high_bit(Bytes bytes) { return _mm256_movemask_epi8(bytes) != 0; }
  WHARF_VECTOR_CODE static bool has_bit(Bytes bytes) { return _mm256_testz_si256(bytes, bytes) == 0; }
};

}  // namespace
}  // namespace wharf::codec::detail

#include "codec/utf8_vectors.h"

namespace wharf::codec::detail {

WHARF_VECTOR_CODE bool follows_avx2(const char* at, const char* end) {
  return end - at < Vector::size ? follows_ssse3(at, end) : follows(at, end);
}

}  // namespace wharf::codec::detail
#endif
