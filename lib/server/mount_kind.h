#pragma once
#include <memory>
#include <utility>
#include <variant>

#include "server/mount_kinds.h"

// For the file of a kind of mounts alone. It says what the kind is, and ends with `template const MountKind& kind_of<Kind>();`.

namespace wharf::server {

/// Each kind derives its own from MountKind.
template <class Kind>
class KindOf;

template <class Kind>
const MountKind& kind_of() {
  static const KindOf<Kind> kind{};
  return kind;
}

template <class Service, class... Arguments>
OpenedService opened(Arguments&&... arguments) {
  return std::unique_ptr<MountService>(std::make_unique<Service>(std::forward<Arguments>(arguments)...));
}

}  // namespace wharf::server
