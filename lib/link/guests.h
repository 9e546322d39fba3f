#pragma once
#include "base/log.h"
#include "base/sheltered.h"
#include "link/session.h"
#include "link/users.h"

namespace wharf::session {

class Guests;

/// A conversation or a pipe: the session of a link, and one of those that a virtual host has on a loop.
class Guest : public Session {
 public:
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() override = default;

  /// The host is removed: finish what was begun.
  virtual void leave() = 0;

 protected:
  Guest() = default;
  /// At the end of the constructor.
  void arrive(Guests& guests);
  /// In the destructor.
  void depart(Guests& guests) noexcept;

 private:
  friend class Guests;

  Guest* previous_ = nullptr;
  Guest* next_ = nullptr;
};

/// All of them, and how many use the host in whatever way.
class Guests {
 public:
  /// Asks each to leave. None of them goes within the call.
  void send_away(base::Log& log) {
    for (Guest* guest = first_; guest != nullptr; guest = guest->next_)
      base::sheltered(log, "a goodbye", [guest] { guest->leave(); });
  }

  Users users;

 private:
  friend class Guest;

  Guest* first_ = nullptr;
};

inline void Guest::arrive(Guests& guests) {
  next_ = guests.first_;
  if (next_ != nullptr) next_->previous_ = this;
  guests.first_ = this;
  guests.users.come();
}

inline void Guest::depart(Guests& guests) noexcept {
  (previous_ != nullptr ? previous_->next_ : guests.first_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  guests.users.go();
}

}  // namespace wharf::session
