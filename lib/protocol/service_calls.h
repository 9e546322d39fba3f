#pragma once
#include <cstddef>
#include <string_view>

#include "protocol/handles.h"
#include "protocol/protocol.h"
#include "protocol/request_view.h"
#include "wharf/abi.h"

// Common parts of the functions of both service tables. Their callers are C: no exception may pass, and any text may be a null
// pointer.
namespace wharf::session {

/// `otherwise` if there is no memory.
template <class Result, class Call>
Result guarded(Result otherwise, Call&& call) noexcept {
  try {
    return call();
  } catch (...) {
    return otherwise;
  }
}

/// The same for calls that change something: if there is no memory, `thing` loses its connection.
template <class Thing, class Result, class Call>
Result sheltered(Thing& thing, Result lost, Call&& call) {
  try {
    return call(thing);
  } catch (...) {
    thing.abort();
    return lost;
  }
}

/// Without memory the handle of nobody, to which nothing can be posted.
template <class Thing>
wharf_handle handle_of(Thing& thing) noexcept {
  return guarded(wharf_handle{}, [&thing] { return thing.handle(); });
}

/// 1 if the task will be run, 0 if not; see wharf_services::post. Thing is the owner of the handle as the author knows it.
template <class Thing>
int post_to(wharf_handle handle, void (*task)(Thing*, void*, void*), void* argument) noexcept {
  const auto run = [task, argument](void* thing, void* state) { task(static_cast<Thing*>(thing), state, argument); };
  return guarded(0, [&] { return Handles::post(handle, run) ? 1 : 0; });
}

inline std::string_view view(const char* data, std::size_t size) {
  return data != nullptr ? std::string_view(data, size) : std::string_view();
}
inline wharf_text text(std::string_view view) { return {view.data(), view.size()}; }

inline const Protocol& protocol(const wharf_scope* scope) { return *static_cast<const Protocol*>(scope); }
inline const RequestView& view(const wharf_request* request) { return *static_cast<const RequestView*>(request); }

}  // namespace wharf::session
