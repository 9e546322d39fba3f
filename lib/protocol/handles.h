#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "base/mailbox.h"
#include "wharf/abi.h"

namespace wharf::session {

/// Names for the conversations and exchanges of one loop that stay valid after these have gone: a slot and the generation of its
/// user. post() finds the loop by a number in a registry of the process, so that a handle may outlive even the server.
class Handles {
 public:
  static constexpr std::uint32_t no_slot = 0xFFFF'FFFF;

  /// Called with the arguments of add(), or with nullptr twice if the thing is gone.
  using Task = std::function<void(void* thing, void* state)>;

  /// `mailbox` is that of the loop, and outlives this.
  explicit Handles(base::Mailbox& mailbox);
  ~Handles();
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  /// From here on nothing is posted to this loop.
  void retire();

  /// A slot for a thing; the caller of post() must know its kind.
  std::uint32_t add(void* thing, void* state);
  void remove(std::uint32_t slot);
  [[nodiscard]] wharf_handle handle(std::uint32_t slot) const { return {loop_, slot, slots_[slot].generation}; }

  /// From any thread; see wharf_services::post.
  static bool post(wharf_handle handle, Task task);

 private:
  struct Slot {
    void* thing = nullptr;
    void* state = nullptr;
    std::uint32_t generation = 1;
    std::uint32_t next_free = no_slot;
  };

  void run(wharf_handle handle, const Task& task);

  base::Mailbox& mailbox_;
  std::uint64_t loop_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = no_slot;
};

/// One thing's place in a loop's Handles, taken when it is first needed.
class HandleSlot {
 public:
  wharf_handle take(Handles& handles, void* thing, void* state) {
    if (slot_ == Handles::no_slot) slot_ = handles.add(thing, state);
    return handles.handle(slot_);
  }
  void give_up(Handles& handles) {
    if (slot_ == Handles::no_slot) return;
    handles.remove(slot_);
    slot_ = Handles::no_slot;
  }

 private:
  std::uint32_t slot_ = Handles::no_slot;
};

}  // namespace wharf::session
