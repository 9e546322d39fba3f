#pragma once
#include <cstdint>

namespace wharf::base {

/// A set of values of an enum class, which are numbered from 0, at most 8: what is pending beside a named state.
template <class Flag>
class Flags {
 public:
  [[nodiscard]] bool has(Flag flag) const { return (bits_ >> static_cast<unsigned>(flag) & 1U) != 0; }
  /// Whether at least one of them is there.
  template <class... Others>
  [[nodiscard]] bool has_any(Flag first, Others... others) const {
    return (bits_ & ((1U << static_cast<unsigned>(first)) | ... | (1U << static_cast<unsigned>(others)))) != 0;
  }
  void add(Flag flag) { bits_ = static_cast<std::uint8_t>(bits_ | 1U << static_cast<unsigned>(flag)); }
  template <class... Others>
  void remove(Flag first, Others... others) {
    bits_ =
        static_cast<std::uint8_t>(bits_ & ~((1U << static_cast<unsigned>(first)) | ... | (1U << static_cast<unsigned>(others))));
  }
  /// Whether it was there; it is removed.
  bool take(Flag flag) {
    const unsigned bit = 1U << static_cast<unsigned>(flag);
    const bool had = (bits_ & bit) != 0;
    bits_ = static_cast<std::uint8_t>(bits_ & ~bit);
    return had;
  }
  void clear() { bits_ = 0; }

 private:
  std::uint8_t bits_ = 0;
};

}  // namespace wharf::base
