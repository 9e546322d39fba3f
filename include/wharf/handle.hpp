#pragma once
/// What the handles of conversations, exchanges and pipes have in common: names that any thread may hold. protocol.hpp and http.hpp
/// include it.

#include <memory>
#include <type_traits>
#include <utility>

#include "wharf/abi.h"
#include "wharf/hidden.hpp"
#include "wharf/request.hpp"

namespace WHARF_HIDDEN wharf {  // NOLINT(modernize-concat-nested-namespaces): an attribute cannot stand on two
namespace detail {

/// A handle of one kind of thing. T is the author's class behind it, or void if tasks get a Kind::Value. Kind says how one posts to
/// such a thing, in whose scope it is, and what an exception of a task does to it.
template <class T, class Kind>
class HandleOf {
 public:
  HandleOf(wharf_handle handle, const wharf_services* services) : handle_(handle), services_(services) {}

  /// From any thread: runs `task(T&)`, or if T is void `task(Value)`, on the loop of what this names, unless that is over by then.
  /// False when the loop itself is gone: then the task is destroyed within this call.
  template <class Task>
  bool post(Task task) const {
    using Thing = typename Kind::Thing;
    auto boxed = std::make_unique<Task>(std::move(task));
    void (*const run)(Thing*, void*, void*) = [](Thing* thing, void* state, void* argument) {
      const std::unique_ptr<Task> owner(static_cast<Task*>(argument));
      if (thing == nullptr) return;
      try {
        if constexpr (std::is_void_v<T>) (*owner)(typename Kind::Value(thing));
        else (*owner)(*static_cast<T*>(state));
      } catch (...) {
        log_exception(Kind::scope(thing), "a posted task");
        Kind::fail(thing);
      }
    };
    if (Kind::post(*services_, handle_, run, boxed.get()) == 0) return false;
    static_cast<void>(boxed.release());
    return true;
  }

 private:
  wharf_handle handle_;
  const wharf_services* services_;
};

}  // namespace detail
}  // namespace wharf
