#include "session/handles.h"

#include <map>
#include <mutex>

#include "session/ws.h"

namespace wharf::session {
namespace {

struct Registry {
  std::mutex mutex;
  std::uint64_t last = 0;
  std::map<std::uint64_t, Handles*> loops;
};

Registry& registry() {
  static auto* const the = new Registry;  // never destroyed: threads may post until the process ends
  return *the;
}

}  // namespace

Handles::Handles(base::Mailbox& mailbox) : mailbox_(mailbox) {
  const std::lock_guard lock(registry().mutex);
  loop_ = ++registry().last;
  registry().loops.emplace(loop_, this);
}

Handles::~Handles() { retire(); }

void Handles::retire() {
  const std::lock_guard lock(registry().mutex);
  registry().loops.erase(loop_);
}

std::uint32_t Handles::add(Ws& session) {
  if (first_free_ == no_slot) {
    slots_.push_back({});
    first_free_ = static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const std::uint32_t slot = first_free_;
  first_free_ = slots_[slot].next_free;
  slots_[slot].session = &session;
  return slot;
}

void Handles::remove(std::uint32_t slot) {
  slots_[slot].session = nullptr;
  ++slots_[slot].generation;
  slots_[slot].next_free = first_free_;
  first_free_ = slot;
}

bool Handles::post(wharf_handle handle, wharf_task task, void* argument) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().loops.find(handle.loop);
  if (found == registry().loops.end()) return false;
  Handles* handles = found->second;
  return handles->mailbox_.post([handles, handle, task, argument] { handles->run(handle, task, argument); });
}

void Handles::run(wharf_handle handle, wharf_task task, void* argument) {
  const bool known = handle.slot < slots_.size() && slots_[handle.slot].generation == handle.generation;
  if (Ws* session = known ? slots_[handle.slot].session : nullptr) task(session, session->state(), argument);
  else task(nullptr, nullptr, argument);
}

}  // namespace wharf::session
