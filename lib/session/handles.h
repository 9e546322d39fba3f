#pragma once
#include <cstdint>
#include <vector>

#include "base/mailbox.h"
#include "wharf/abi.h"

namespace wharf::session {

class Ws;

/// Names for the peers of one loop that stay valid when the peer does not: a slot and the generation of its present user. post() finds
/// the loop by a number in a registry of the process, so that a handle may outlive even the server.
class Handles {
 public:
  static constexpr std::uint32_t no_slot = 0xFFFF'FFFF;

  /// `mailbox` is that of the loop, and outlives this.
  explicit Handles(base::Mailbox& mailbox);
  ~Handles();
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  /// From here on nothing is posted to this loop.
  void retire();

  std::uint32_t add(Ws& session);
  void remove(std::uint32_t slot);
  [[nodiscard]] wharf_handle handle(std::uint32_t slot) const { return {loop_, slot, slots_[slot].generation}; }

  /// From any thread; see wharf_services::post.
  static bool post(wharf_handle handle, wharf_task task, void* argument);

 private:
  struct Slot {
    Ws* session = nullptr;
    std::uint32_t generation = 1;
    std::uint32_t next_free = no_slot;
  };

  void run(wharf_handle handle, wharf_task task, void* argument);

  base::Mailbox& mailbox_;
  std::uint64_t loop_;
  std::vector<Slot> slots_;
  std::uint32_t first_free_ = no_slot;
};

}  // namespace wharf::session
