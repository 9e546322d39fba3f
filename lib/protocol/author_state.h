#pragma once
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "protocol/handles.h"

namespace wharf::session {

/// The number of bytes that an author wants for the state of one conversation, exchange or pipe.
struct StateSize {
  std::size_t bytes;
};

/// The base of a Thing that has its author's state right behind it, in the same allocation: zeros, aligned for every standard type.
/// `new (StateSize{...}) Thing(...)` makes it, and frees everything if the constructor throws; a plain delete ends it. The handle
/// of the thing is here too, because it must not find a state that was never made, or is gone.
template <class Thing>
class AuthorState {
 public:
  AuthorState(const AuthorState&) = delete;
  AuthorState& operator=(const AuthorState&) = delete;

  static void* operator new(std::size_t /*size*/, StateSize state) {
    void* const memory = ::operator new(offset() + state.bytes);
    std::memset(static_cast<char*>(memory) + offset(), 0, state.bytes);
    return memory;
  }
  static void operator delete(void* memory) { ::operator delete(memory); }  // NOLINT(misc-new-delete-overloads): of what that made
  static void operator delete(void* memory, StateSize /*state*/) { ::operator delete(memory); }

  [[nodiscard]] void* state() { return reinterpret_cast<char*>(static_cast<Thing*>(this)) + offset(); }

 protected:
  AuthorState() = default;
  ~AuthorState() = default;

  /// The author's constructor has succeeded, and the destructor has not run.
  [[nodiscard]] bool has_state() const { return has_state_; }

  /// Calls `construct(state)`, which says whether it succeeded. If it did not, tasks that were posted meanwhile find nothing.
  template <class Construct>
  bool make_state(Handles& handles, Construct&& construct) {
    has_state_ = construct(state());
    if (!has_state_) handle_.give_up(handles);
    return has_state_;
  }

  /// Calls `destroy(state)` once, for a state that was made. Tasks that are posted from here on find nothing.
  template <class Destroy>
  void end_state(Handles& handles, Destroy&& destroy) {
    if (std::exchange(has_state_, false)) destroy(state());
    handle_.give_up(handles);
  }

  /// `self`: the thing as its author knows it.
  wharf_handle take_handle(Handles& handles, void* self) { return handle_.take(handles, self, state()); }

 private:
  static constexpr std::size_t offset() {
    constexpr std::size_t alignment = alignof(std::max_align_t);
    return (sizeof(Thing) + alignment - 1) / alignment * alignment;
  }

  HandleSlot handle_;
  bool has_state_ = false;
};

}  // namespace wharf::session
