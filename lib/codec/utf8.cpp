#include "codec/utf8.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "codec/variants.h"
#include "wharf/utf8.hpp"

namespace wharf::codec {
namespace {

constexpr auto boundary = static_cast<unsigned>(Utf8State::boundary);
constexpr auto impossible = static_cast<unsigned>(Utf8State::impossible);
// In a text whose beginning was not seen: a first byte, or any number of 80-BF before one.
constexpr unsigned anywhere = impossible + 1;
constexpr unsigned state_count = anywhere + 1;

constexpr unsigned follow(unsigned state, char byte) {
  if (state == anywhere && utf8_continues(byte)) return anywhere;
  return static_cast<unsigned>(utf8_step(state == anywhere ? Utf8State::boundary : static_cast<Utf8State>(state), byte));
}

// A state is the place of its field in a row, so that a step is one shift: the row of the next byte, shifted by the state, has the
// next state in its lowest bits. A shift of a 64-bit word uses only six bits of its count, so the other fields do no harm.
constexpr unsigned field_bits = 6;
constexpr std::uint64_t field_mask = 63;
static_assert(state_count * field_bits <= 64 && boundary == 0);

constexpr std::array<std::uint64_t, 256> make_rows() {
  std::array<std::uint64_t, 256> rows{};
  for (unsigned byte = 0; byte < 256; ++byte)
    for (unsigned state = 0; state < state_count; ++state)
      rows[byte] |= std::uint64_t{follow(state, static_cast<char>(byte)) * field_bits} << (state * field_bits);
  return rows;
}
constexpr std::array<std::uint64_t, 256> rows = make_rows();

constexpr std::uint64_t high_bits = 0x8080808080808080;

using Wide = std::uint64_t __attribute__((vector_size(16)));  // a vector register if the machine has one

template <class Word = std::uint64_t>
Word load(const char* at) {
  Word value;
  std::memcpy(&value, at, sizeof(Word));
  return value;
}

// The place of the first byte that is not ASCII, or a little before; the end if there is none.
inline const char* skip_ascii(const char* at, const char* end) {
  const std::ptrdiff_t size = end - at;
  for (; end - at >= 64; at += 64) {
    const Wide any = (load<Wide>(at) | load<Wide>(at + 16)) | (load<Wide>(at + 32) | load<Wide>(at + 48));
    if (((any[0] | any[1]) & high_bits) != 0) break;
  }
  for (; end - at >= 8; at += 8)
    if ((load(at) & high_bits) != 0) return at;
  if (size >= 8) return (load(end - 8) & high_bits) == 0 ? end : at;
  while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
  return at;
}

std::uint64_t step(std::uint64_t state, char byte) { return rows[static_cast<unsigned char>(byte)] >> (state & field_mask); }

// Long enough that text without ASCII does not pay for the search, short enough that ASCII is soon noticed again.
constexpr std::ptrdiff_t stretch = 64;

bool feed_by_table(std::uint8_t& kept_state, std::string_view piece) {
  const char* at = piece.data();
  const char* const end = at + piece.size();
  std::uint64_t state = kept_state;
  while (at != end) {
    if (state == boundary && (at = skip_ascii(at, end)) == end) break;
    const char* const stop = at + std::min(stretch, end - at);
    for (; stop - at >= 4; at += 4) state = step(step(step(step(state, at[0]), at[1]), at[2]), at[3]);
    for (; at != stop; ++at) state = step(state, *at);
    state &= field_mask;
    if (state == impossible * field_bits) break;
  }
  kept_state = static_cast<std::uint8_t>(state);
  return state != impossible * field_bits;
}

// The vectors check each byte together with the three before it. So the table checks the first three, because the bytes before them
// are not in the piece, and the last three, because the bytes after them are not. In between nothing needs the state.
template <detail::Utf8Follows follows>
bool feed_by_vectors(std::uint8_t& kept_state, std::string_view piece) {
  constexpr std::size_t edge = 3;
  const char* const end = piece.data() + piece.size();
  std::uint64_t first = kept_state;
  for (std::size_t i = 0; i < edge; ++i) first = step(first, piece[i]);
  std::uint64_t last = anywhere * field_bits;
  for (std::size_t i = edge; i > 0; --i) last = step(last, piece[piece.size() - i]);
  const bool is_possible = (first & field_mask) != impossible * field_bits && (last & field_mask) != impossible * field_bits &&
                           follows(piece.data() + edge, end);
  if (!is_possible) last = impossible * field_bits;
  else if ((last & field_mask) == anywhere * field_bits) last = boundary;
  kept_state = static_cast<std::uint8_t>(last & field_mask);
  return is_possible;
}

}  // namespace

std::span<const Utf8Variant> utf8_variants() {
  static constexpr std::array known = {
#if defined(__x86_64__) || defined(__i386__)
    Utf8Variant{"AVX2", feed_by_vectors<detail::follows_avx2>},
    Utf8Variant{"SSSE3", feed_by_vectors<detail::follows_ssse3>},
#elif defined(__aarch64__) && defined(__ARM_NEON)
    Utf8Variant{"NEON", feed_by_vectors<detail::follows_neon>},
#endif
    Utf8Variant{"table", feed_by_table},
  };
  std::size_t first = 0;
#if defined(__x86_64__) || defined(__i386__)
  if (!__builtin_cpu_supports("avx2")) first = __builtin_cpu_supports("ssse3") ? 1 : 2;
#endif
  return std::span(known).subspan(first);
}

namespace {

bool feed_first_time(std::uint8_t& state, std::string_view piece);

// The first call, which may be before main(), chooses the function that is called from then on.
constinit std::atomic<bool (*)(std::uint8_t&, std::string_view)> feed_long = feed_first_time;

bool feed_first_time(std::uint8_t& state, std::string_view piece) {
  feed_long.store(utf8_variants().front().feed, std::memory_order_relaxed);
  return utf8_variants().front().feed(state, piece);
}

// Goes on at `at`, before which there is only ASCII. The vectors may check some of that again, to have enough bytes.
bool feed_from(std::uint8_t& state, std::string_view piece, const char* at) {
  const auto passed = static_cast<std::size_t>(at - piece.data());
  if (piece.size() < long_text) return feed_by_table(state, piece.substr(passed));
  return feed_long.load(std::memory_order_relaxed)(state, piece.substr(std::min(passed, piece.size() - long_text)));
}

// Separate from its caller, so that ASCII needs no stack frame.
[[gnu::noinline]] bool is_utf8_from(std::string_view text, const char* at) {
  std::uint8_t state = boundary;
  return feed_from(state, text, at) && state == boundary;
}

}  // namespace

bool Utf8::feed(std::string_view piece) {
  const char* const end = piece.data() + piece.size();
  const char* const at = state_ == boundary ? skip_ascii(piece.data(), end) : piece.data();
  return at == end ? state_ != impossible * field_bits : feed_from(state_, piece, at);
}

std::string_view utf8_prefix(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && most - end < 3 && utf8_continues(text[end])) --end;
  return text.substr(0, end);
}

bool is_utf8_of_any_kind(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* const at = skip_ascii(text.data(), end);
  return at == end || is_utf8_from(text, at);
}

}  // namespace wharf::codec
