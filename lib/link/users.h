#pragma once
#include <cstddef>
#include <utility>

namespace wharf::session {

/// Counts those who use something that may be taken out of service meanwhile; its owner destroys it when nobody does. For one
/// thread.
class Users {
 public:
  /// Hears that there are none any more. It is called from anywhere, so it destroys what they used later.
  class Owner {
   public:
    virtual void unused() noexcept = 0;

   protected:
    ~Owner() = default;
  };

  Users() = default;
  ~Users() = default;
  Users(const Users&) = delete;
  Users& operator=(const Users&) = delete;

  /// It is out of service: the owner is told when the last has gone.
  void tell(Owner& owner) { owner_ = &owner; }
  [[nodiscard]] bool none() const { return count_ == 0; }

  void come() { ++count_; }
  void go() noexcept {
    if (--count_ == 0 && owner_ != nullptr) owner_->unused();
  }
  class Use;

 private:
  std::size_t count_ = 0;
  Owner* owner_ = nullptr;
};

/// One of them, as long as it lives.
class Users::Use {
 public:
  Use() = default;
  explicit Use(Users& users) : users_(&users) { users.come(); }
  /// Of these instead.
  void take(Users& users) {
    ++users.count_;
    if (Users* const before = std::exchange(users_, &users)) before->go();
  }
  Use(Use&& other) noexcept : users_(std::exchange(other.users_, nullptr)) {}
  Use& operator=(Use&& other) noexcept {
    std::swap(users_, other.users_);
    return *this;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    if (users_ != nullptr && --users_->count_ == 0 && users_->owner_ != nullptr) users_->owner_->unused();
  }

 private:
  Users* users_ = nullptr;
};

using Use = Users::Use;

}  // namespace wharf::session
