#pragma once
#include <cstdint>
#include <string>

/// A code point as UTF-8 has it; a surrogate as it would have it.
inline std::string encoded(std::uint32_t code_point) {
  const auto later = [](std::uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0 | code_point >> 6), later(code_point)};
  if (code_point < 0x10000) return {static_cast<char>(0xE0 | code_point >> 12), later(code_point >> 6), later(code_point)};
  return {static_cast<char>(0xF0 | code_point >> 18), later(code_point >> 12), later(code_point >> 6), later(code_point)};
}
