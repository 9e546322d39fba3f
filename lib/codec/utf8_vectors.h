// UTF-8 by vectors, for utf8_avx2.cpp and the like. Each includes it after it has defined the vector of its machine (Vector, in an
// unnamed namespace) and the mark of functions that may use it (WHARF_VECTOR_CODE).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace wharf::codec::detail {

using Nibbles = unsigned;  // a set of them: bit n stands for n

constexpr Nibbles from_to(unsigned first, unsigned last) { return (2U << last) - (1U << first); }
constexpr Nibbles only(unsigned nibble) { return from_to(nibble, nibble); }
inline constexpr Nibbles any_nibble = from_to(0x0, 0xF);
inline constexpr Nibbles ascii = from_to(0x0, 0x7);         // high nibbles of what a byte can be
inline constexpr Nibbles continuation = from_to(0x8, 0xB);  //
inline constexpr Nibbles first_of_more = from_to(0xC, 0xF);

// The faults of two bytes that follow each other. Three nibbles show them: both of the first byte, and the high one of the second.
// Fault n is bit n in the entries of three tables, one for each nibble; two bytes have the fault if all three entries have the bit.
struct Fault {
  Nibbles first_high;
  Nibbles first_low;
  Nibbles second_high;
};
inline constexpr std::array<Fault, 8> known_faults = {{
    {first_of_more, any_nibble, ascii | first_of_more},     // a code point breaks off
    {ascii, any_nibble, continuation},                      // nothing to continue
    {only(0xC), from_to(0x0, 0x1), continuation},           // C0, C1: overlong
    {only(0xE), only(0x0), from_to(0x8, 0x9)},              // E0 80 to E0 9F: overlong
    {only(0xE), only(0xD), from_to(0xA, 0xB)},              // ED A0 to ED BF: surrogates
    {only(0xF), only(0x0) | from_to(0x5, 0xF), only(0x8)},  // F0 80 to F0 8F: overlong; F5 to FF: above U+10FFFF
    {only(0xF), from_to(0x4, 0xF), from_to(0x9, 0xB)},      // F4 90 and more: above U+10FFFF
    {continuation, any_nibble, continuation},               // no fault in a third or fourth byte, which must have it
}};
inline constexpr std::uint8_t two_continuations = 0x80;  // the bit of the last fault

using Table = std::array<std::uint8_t, 16>;

constexpr Table make_table(Nibbles Fault::*part) {
  Table table{};
  for (unsigned nibble = 0; nibble < table.size(); ++nibble)
    for (unsigned fault = 0; fault < known_faults.size(); ++fault)
      table[nibble] = static_cast<std::uint8_t>(table[nibble] | ((known_faults[fault].*part >> nibble & 1U) << fault));
  return table;
}
inline constexpr Table first_high = make_table(&Fault::first_high);
inline constexpr Table first_low = make_table(&Fault::first_low);
inline constexpr Table second_high = make_table(&Fault::second_high);

inline constexpr std::ptrdiff_t block = 64;

namespace {

struct Tables {
  Vector::Bytes first_high;
  Vector::Bytes first_low;
  Vector::Bytes second_high;
};

// Not zero if a byte is wrong, given the three before it.
WHARF_VECTOR_CODE inline Vector::Bytes faults(const Tables& tables, const char* at) {
  const Vector::Bytes first = Vector::load(at - 1);
  const Vector::Bytes second = Vector::load(at);
  const Vector::Bytes pair = Vector::look_up(tables.first_high, Vector::high_nibbles(first)) &
                             Vector::look_up(tables.first_low, Vector::low_nibbles(first)) &
                             Vector::look_up(tables.second_high, Vector::high_nibbles(second));
  // The highest bit stays if the byte two before is E0 or more, or the byte three before is F0 or more.
  const Vector::Bytes is_third = Vector::less(Vector::load(at - 2), 0xE0 - 0x80);
  const Vector::Bytes is_fourth = Vector::less(Vector::load(at - 3), 0xF0 - 0x80);
  return pair ^ ((is_third | is_fourth) & Vector::all(two_continuations));
}

// Whether a block is ASCII, and the three bytes before it are.
WHARF_VECTOR_CODE inline bool is_ascii(const char* at) {
  Vector::Bytes bytes = Vector::load(at + block - Vector::size);
  for (std::ptrdiff_t i = 0; i < block; i += Vector::size) bytes = bytes | Vector::load(at + i - 3);
  return !Vector::has_high_bit(bytes);
}

WHARF_VECTOR_CODE inline bool follows(const char* at, const char* end) {
  const Tables tables{Vector::table(first_high), Vector::table(first_low), Vector::table(second_high)};
  Vector::Bytes found = Vector::all(0);
  for (; end - at >= block; at += block)
    if (!is_ascii(at))
      for (std::ptrdiff_t i = 0; i < block; i += Vector::size) found = found | faults(tables, at + i);
  for (; end - at >= Vector::size; at += Vector::size) found = found | faults(tables, at);
  if (at != end) found = found | faults(tables, end - Vector::size);
  return !Vector::has_bit(found);
}

}  // namespace
}  // namespace wharf::codec::detail
