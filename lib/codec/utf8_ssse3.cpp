#include "codec/variants.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>

#define WHARF_VECTOR_CODE [[gnu::target("ssse3")]]

namespace wharf::codec::detail {
namespace {

struct Vector {
  using Bytes = __m128i;
  static constexpr std::ptrdiff_t size = sizeof(Bytes);

  WHARF_VECTOR_CODE static Bytes load(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(at)); }
  WHARF_VECTOR_CODE static Bytes all(unsigned byte) { return _mm_set1_epi8(static_cast<char>(byte)); }
  template <class Table>
  WHARF_VECTOR_CODE static Bytes table(const Table& entries) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(entries.data()));
  }
  WHARF_VECTOR_CODE static Bytes look_up(Bytes table, Bytes nibbles) { return _mm_shuffle_epi8(table, nibbles); }
  WHARF_VECTOR_CODE static Bytes high_nibbles(Bytes bytes) { return low_nibbles(_mm_srli_epi16(bytes, 4)); }
  WHARF_VECTOR_CODE static Bytes low_nibbles(Bytes bytes) { return bytes & all(0x0F); }
  WHARF_VECTOR_CODE static Bytes less(Bytes bytes, unsigned by) { return _mm_subs_epu8(bytes, all(by)); }
  WHARF_VECTOR_CODE static bool has_high_bit(Bytes bytes) { return _mm_movemask_epi8(bytes) != 0; }
  WHARF_VECTOR_CODE static bool has_bit(Bytes bytes) { return _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, all(0))) != 0xFFFF; }
};

}  // namespace
}  // namespace wharf::codec::detail

#include "codec/utf8_vectors.h"

namespace wharf::codec::detail {

WHARF_VECTOR_CODE bool follows_ssse3(const char* at, const char* end) { return follows(at, end); }

}  // namespace wharf::codec::detail
#endif
