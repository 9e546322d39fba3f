#include "protocol/handles.h"

#include <map>
#include <mutex>
#include <utility>

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

std::uint32_t Handles::add(void* thing, void* state) {
  if (first_free_ == no_slot) {
    slots_.push_back({});
    first_free_ = static_cast<std::uint32_t>(slots_.size() - 1);
  }
  const std::uint32_t slot = first_free_;
  first_free_ = slots_[slot].next_free;
  slots_[slot].thing = thing;
  slots_[slot].state = state;
  return slot;
}

void Handles::remove(std::uint32_t slot) {
  slots_[slot].thing = slots_[slot].state = nullptr;
  ++slots_[slot].generation;
  slots_[slot].next_free = first_free_;
  first_free_ = slot;
}

bool Handles::post(wharf_handle handle, Task task) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().loops.find(handle.loop);
  if (found == registry().loops.end()) return false;
  Handles* handles = found->second;
  return handles->mailbox_.post([handles, handle, task = std::move(task)] { handles->run(handle, task); });
}

void Handles::run(wharf_handle handle, const Task& task) {
  const bool known = handle.slot < slots_.size() && slots_[handle.slot].generation == handle.generation;
  if (known) task(slots_[handle.slot].thing, slots_[handle.slot].state);
  else task(nullptr, nullptr);
}

}  // namespace wharf::session
