// The implementations of what the codec does most, so that tests and benchmarks can choose one. Utf8 and apply_mask() take the
// first that the machine can run.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace wharf::codec {

/// Shorter pieces of text are not worth a vector.
inline constexpr std::size_t long_text = 20;

struct Utf8Variant {
  std::string_view name;
  /// Utf8::feed() for a piece of at least `long_text` bytes. `state` is 0 at the beginning, and if the text so far is complete.
  bool (*feed)(std::uint8_t& state, std::string_view piece);
};

/// Those that this machine can run, the quickest first; every machine can run the last.
[[nodiscard]] std::span<const Utf8Variant> utf8_variants();

struct MaskVariant {
  std::string_view name;
  /// apply_mask() for a payload of any size; the first byte of `mask` in memory is for the first of the payload.
  void (*apply)(std::span<char> payload, std::uint32_t mask);
};

/// In the same order.
[[nodiscard]] std::span<const MaskVariant> mask_variants();

namespace detail {

/// Whether the bytes from `at` to `end`, at least 16, can follow the three before them in UTF-8; these are read too. An impossible
/// first byte is found at the byte after it, so not at the very end.
using Utf8Follows = bool(const char* at, const char* end);
Utf8Follows follows_ssse3;
Utf8Follows follows_avx2;
Utf8Follows follows_neon;

}  // namespace detail
}  // namespace wharf::codec
