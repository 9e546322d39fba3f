#include "codec/ws/frame.h"

#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#include "codec/variants.h"

namespace wharf::codec {
namespace {

constexpr unsigned char final_bit = 0x80;
constexpr unsigned char mask_bit = 0x80;
constexpr unsigned char length_16_bits = 126;
constexpr unsigned char length_64_bits = 127;

std::size_t write_header(char* out, Opcode opcode, unsigned first_bits, unsigned second_bits, std::uint64_t payload_size) {
  out[0] = static_cast<char>(first_bits | static_cast<unsigned>(opcode));
  if (payload_size < length_16_bits) {
    out[1] = static_cast<char>(second_bits | static_cast<unsigned>(payload_size));
    return 2;
  }
  const bool is_short = payload_size <= 0xFFFF;
  const std::size_t width = is_short ? 2 : 8;
  out[1] = static_cast<char>(second_bits | (is_short ? length_16_bits : length_64_bits));
  for (std::size_t i = 0; i < width; ++i) out[2 + i] = static_cast<char>(payload_size >> (8 * (width - 1 - i)));
  return 2 + width;
}

using Wide = std::uint64_t __attribute__((vector_size(16)));  // a vector register if the machine has one

template <class Word>
void mask_word(char* at, Word mask) {
  Word payload;
  std::memcpy(&payload, at, sizeof(Word));
  payload ^= mask;
  std::memcpy(at, &payload, sizeof(Word));
}

// The key as one word, whose first byte in memory is that for `offset`.
std::uint32_t turned(MaskKey key, std::uint64_t offset) {
  const int bits = static_cast<int>(offset % key.size()) * 8;
  const auto word = std::bit_cast<std::uint32_t>(key);
  return std::endian::native == std::endian::little ? std::rotr(word, bits) : std::rotl(word, bits);
}

void apply_by_words(std::span<char> payload, std::uint32_t mask) {
  const std::uint64_t twice = mask * std::uint64_t{0x100000001};
  const Wide wide{twice, twice};
  char* at = payload.data();
  std::size_t left = payload.size();
  for (; left >= 64; left -= 64, at += 64) {
    mask_word(at, wide);
    mask_word(at + 16, wide);
    mask_word(at + 32, wide);
    mask_word(at + 48, wide);
  }
  for (; left >= 16; left -= 16, at += 16) mask_word(at, wide);
  if ((left & 8) != 0) {
    mask_word(at, twice);
    at += 8;
  }
  if ((left & 4) != 0) {
    mask_word(at, mask);
    at += 4;
  }
  const auto bytes = std::bit_cast<std::array<char, sizeof mask>>(mask);
  for (std::size_t i = 0; i < left % 4; ++i) at[i] = static_cast<char>(at[i] ^ bytes[i]);
}

#if defined(__x86_64__) || defined(__i386__)
[[gnu::target("avx2")]] void apply_by_avx2(std::span<char> payload, std::uint32_t mask) {
  using Wider = std::uint64_t __attribute__((vector_size(32)));
  const std::uint64_t twice = mask * std::uint64_t{0x100000001};
  const Wider wider{twice, twice, twice, twice};
  char* at = payload.data();
  std::size_t left = payload.size();
  for (; left >= sizeof wider; left -= sizeof wider, at += sizeof wider) {
    Wider part;
    std::memcpy(&part, at, sizeof part);
    part ^= wider;
    std::memcpy(at, &part, sizeof part);
  }
  __builtin_ia32_vzeroupper();  // GCC 12 leaves it out here, and without it some machines run the code that follows slowly
  apply_by_words({at, left}, mask);
}
#endif

// Shorter payloads are masked before a variant is chosen.
constexpr std::size_t long_payload = 128;

void apply_first_time(std::span<char> payload, std::uint32_t mask);

// The first call, which may be before main(), chooses the function that is called from then on.
constinit std::atomic<void (*)(std::span<char>, std::uint32_t)> apply_long = apply_first_time;

void apply_first_time(std::span<char> payload, std::uint32_t mask) {
  const MaskVariant& quickest = mask_variants().front();
  apply_long.store(quickest.apply, std::memory_order_relaxed);
  quickest.apply(payload, mask);
}

}  // namespace

std::size_t write_frame_header(char* out, Opcode opcode, bool final_fragment, std::uint64_t payload_size) {
  return write_header(out, opcode, final_fragment ? final_bit : 0, 0, payload_size);
}

std::size_t write_masked_frame_header(char* out, Opcode opcode, bool final_fragment, std::uint64_t payload_size, MaskKey key) {
  const std::size_t size = write_header(out, opcode, final_fragment ? final_bit : 0, mask_bit, payload_size);
  std::memcpy(out + size, key.data(), key.size());
  return size + key.size();
}

std::span<const MaskVariant> mask_variants() {
  static constexpr std::array known = {
#if defined(__x86_64__) || defined(__i386__)
    MaskVariant{"AVX2", apply_by_avx2},
#endif
    MaskVariant{"words", apply_by_words},
  };
  std::size_t first = 0;
#if defined(__x86_64__) || defined(__i386__)
  if (!__builtin_cpu_supports("avx2")) first = 1;
#endif
  return std::span(known).subspan(first);
}

void apply_mask(std::span<char> payload, MaskKey key, std::uint64_t offset) {
  const std::uint32_t mask = turned(key, offset);
  if (payload.size() < long_payload) return apply_by_words(payload, mask);
  apply_long.load(std::memory_order_relaxed)(payload, mask);
}

}  // namespace wharf::codec
