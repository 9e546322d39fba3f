#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wharf::codec {

/// Most payloads are short. Shorter ones than this pass decoder and sender without a call and without a loop.
inline constexpr std::size_t short_payload = 32;

namespace detail {

using Pair = std::uint64_t __attribute__((vector_size(16)));  // a vector register if the machine has one

/// Calls `each` with the words that a short payload is made of, largest first, each at its offset. Returns whether no word that it
/// returned has a byte above 7F.
template <class Each>
inline bool short_words(std::size_t size, Each&& each) {
  std::uint64_t any = 0;
  if ((size & 16) != 0) {
    const Pair pair = each(std::size_t{0}, Pair{});
    any = pair[0] | pair[1];
  }
  if ((size & 8) != 0) any |= each(size & 16, std::uint64_t{});
  if ((size & 4) != 0) any |= each(size & 24, std::uint32_t{});
  if ((size & 2) != 0) any |= each(size & 28, std::uint16_t{});
  if ((size & 1) != 0) any |= each(size & 30, std::uint8_t{});
  return (any & 0x8080808080808080) == 0;
}

}  // namespace detail

/// Copies a short payload. True if it is ASCII.
inline bool copy_short(char* to, const char* from, std::size_t size) {
  return detail::short_words(size, [to, from](std::size_t at, auto word) {
    std::memcpy(&word, from + at, sizeof word);
    std::memcpy(to + at, &word, sizeof word);
    return word;
  });
}

/// apply_mask() for a short payload as a whole; `key` points to four bytes. True if the result is ASCII.
inline bool unmask_short(char* payload, const char* key, std::size_t size) {
  std::uint32_t half = 0;
  std::memcpy(&half, key, sizeof half);
  const std::uint64_t twice = half * std::uint64_t{0x100000001};
  return detail::short_words(size, [=](std::size_t at, auto word) {
    auto mask = word;
    if constexpr (sizeof word == sizeof(detail::Pair)) mask = detail::Pair{twice, twice};
    else if constexpr (sizeof word == sizeof twice) mask = twice;
    else std::memcpy(&mask, key + at % sizeof half, sizeof mask);
    std::memcpy(&word, payload + at, sizeof word);
    word = static_cast<decltype(word)>(word ^ mask);
    std::memcpy(payload + at, &word, sizeof word);
    return word;
  });
}

}  // namespace wharf::codec
