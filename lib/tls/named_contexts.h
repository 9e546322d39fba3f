#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "codec/host_pattern.h"
#include "tls/context.h"

namespace wharf::tls {

/// What becomes of a client that asks for a name that no virtual host has.
enum class UnknownNames : std::uint8_t { served, refused };

/// The contexts of a door: its own, and those of virtual hosts, by the names that clients ask for (RFC 6066 section 3). Once shared,
/// it does not change.
class NamedContexts {
 public:
  explicit NamedContexts(std::shared_ptr<const Context> own, UnknownNames unknown = UnknownNames::served)
      : own_(std::move(own)), unknown_(unknown) {}

  /// nullptr: the door's own. False, and nothing is added, if the pattern is there already.
  bool add(const codec::HostPattern& pattern, std::shared_ptr<const Context> context) {
    return hosts_.add(pattern, context != nullptr ? std::move(context) : own_);
  }

  [[nodiscard]] const Context& own() const { return *own_; }
  [[nodiscard]] const std::shared_ptr<const Context>& shared() const { return own_; }
  /// `name` comes from a peer; empty: it asks for none. nullptr: it is to be refused.
  [[nodiscard]] const Context* find(std::string_view name) const {
    if (name.empty()) return own_.get();
    if (const auto* const found = hosts_.find(name)) return found->get();
    return unknown_ == UnknownNames::served ? own_.get() : nullptr;
  }

 private:
  std::shared_ptr<const Context> own_;
  UnknownNames unknown_;
  codec::HostTable<std::shared_ptr<const Context>> hosts_;
};

/// The contexts that new connections of a door get; or those that our own to a server get, which is one alone. Any thread may ask for
/// them, and replace them: a handshake that has begun ends with those that it began with.
class CurrentContexts {
 public:
  explicit CurrentContexts(std::shared_ptr<const NamedContexts> contexts) : contexts_(std::move(contexts)) {}

  [[nodiscard]] std::shared_ptr<const NamedContexts> get() const {
    const std::lock_guard lock(mutex_);
    return contexts_;
  }
  void replace(std::shared_ptr<const NamedContexts> contexts) {
    const std::lock_guard lock(mutex_);
    contexts_.swap(contexts);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const NamedContexts> contexts_;
};

}  // namespace wharf::tls
