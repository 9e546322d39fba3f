#include "codec/variants.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>

#define WHARF_VECTOR_CODE

namespace wharf::codec::detail {
namespace {

struct Vector {
  using Bytes = uint8x16_t;
  static constexpr std::ptrdiff_t size = sizeof(Bytes);

  static Bytes load(const char* at) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(at)); }
  static Bytes all(unsigned byte) { return vdupq_n_u8(static_cast<std::uint8_t>(byte)); }
  template <class Table>
  static Bytes table(const Table& entries) {
    return vld1q_u8(entries.data());
  }
  static Bytes look_up(Bytes table, Bytes nibbles) { return vqtbl1q_u8(table, nibbles); }
  static Bytes high_nibbles(Bytes bytes) { return vshrq_n_u8(bytes, 4); }
  static Bytes low_nibbles(Bytes bytes) { return vandq_u8(bytes, all(0x0F)); }
  static Bytes less(Bytes bytes, unsigned by) { return vqsubq_u8(bytes, all(by)); }
  static bool has_high_bit(Bytes bytes) { return vmaxvq_u8(bytes) >= 0x80; }
  static bool has_bit(Bytes bytes) { return vmaxvq_u8(bytes) != 0; }
};

}  // namespace
}  // namespace wharf::codec::detail

#include "codec/utf8_vectors.h"

namespace wharf::codec::detail {

bool follows_neon(const char* at, const char* end) { return follows(at, end); }

}  // namespace wharf::codec::detail
#endif
