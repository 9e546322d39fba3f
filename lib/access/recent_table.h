#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace wharf::server {

/// A table of fixed size with the values of the keys that were written last. A key shares eight places with others, among which the
/// one that was written longest ago makes room. Keys are digests, so that nobody can choose who shares a place.
template <class Value>
class RecentTable {
 public:
  /// nullptr: not known, or not any more.
  [[nodiscard]] const Value* find(std::uint64_t key) const {
    for (const Slot& slot : (*sets_)[key % sets])
      if (slot.written != 0 && slot.key == key) return &slot.value;
    return nullptr;
  }
  void write(std::uint64_t key, const Value& value) {
    std::array<Slot, ways>& set = (*sets_)[key % sets];
    Slot* place = &set.front();
    for (Slot& slot : set) {
      if (slot.written != 0 && slot.key == key) {
        place = &slot;
        break;
      }
      if (slot.written < place->written) place = &slot;
    }
    *place = {key, ++writes_, value};
  }

  static constexpr std::size_t ways = 8;
  static constexpr std::size_t sets = 128;
  static constexpr std::size_t most = ways * sets;

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint64_t written = 0;  // 0: never
    Value value{};
  };
  using Sets = std::array<std::array<Slot, ways>, sets>;

  std::unique_ptr<Sets> sets_ = std::make_unique<Sets>();
  std::uint64_t writes_ = 0;
};

}  // namespace wharf::server
