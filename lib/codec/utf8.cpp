#include "codec/utf8.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "codec/variants.h"

namespace wharf::codec {
namespace {

// What the next byte may be. The ranges of a second byte that are narrower than 80-BF are those of RFC 3629 section 4.
enum State : std::uint8_t {
  boundary,    // any first byte
  one_left,    // 80-BF
  two_left,    // 80-BF, then one_left
  three_left,  // 80-BF, then two_left
  after_e0,    // A0-BF, then one_left: less would be overlong
  after_ed,    // 80-9F, then one_left: more would be a surrogate
  after_f0,    // 90-BF, then two_left: less would be overlong
  after_f4,    // 80-8F, then two_left: more would lie above U+10FFFF
  impossible,  // stays
  anywhere,    // in a text whose beginning was not seen: a first byte, or any number of 80-BF before one
  state_count
};

constexpr State first_byte(unsigned byte) {
  if (byte < 0x80) return boundary;
  if (byte < 0xC2) return impossible;
  if (byte < 0xE0) return one_left;
  if (byte < 0xF0) return byte == 0xE0 ? after_e0 : byte == 0xED ? after_ed : two_left;
  if (byte < 0xF5) return byte == 0xF0 ? after_f0 : byte == 0xF4 ? after_f4 : three_left;
  return impossible;
}

constexpr State later_byte(unsigned byte, unsigned least, unsigned most, State then) {
  return byte >= least && byte <= most ? then : impossible;
}

constexpr State follow(State state, unsigned byte) {
  switch (state) {
    case boundary: return first_byte(byte);
    case one_left: return later_byte(byte, 0x80, 0xBF, boundary);
    case two_left: return later_byte(byte, 0x80, 0xBF, one_left);
    case three_left: return later_byte(byte, 0x80, 0xBF, two_left);
    case after_e0: return later_byte(byte, 0xA0, 0xBF, one_left);
    case after_ed: return later_byte(byte, 0x80, 0x9F, one_left);
    case after_f0: return later_byte(byte, 0x90, 0xBF, two_left);
    case after_f4: return later_byte(byte, 0x80, 0x8F, two_left);
    case anywhere: return byte >= 0x80 && byte <= 0xBF ? anywhere : first_byte(byte);
    default: return impossible;
  }
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
      rows[byte] |= std::uint64_t{follow(static_cast<State>(state), byte) * field_bits} << (state * field_bits);
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

// The vectors check each byte together with the three before it. So the table checks the first three, because the bytes before them are
// not in the piece, and the last three, because the bytes after them are not. In between nothing needs the state.
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

bool is_utf8_of_any_kind(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* const at = skip_ascii(text.data(), end);
  return at == end || is_utf8_from(text, at);
}

}  // namespace wharf::codec
