#pragma once
#include <cstddef>
#include <utility>

namespace wharf::server {

/// One thing with several owners on one thread, such as an open file that several responses read from: the last owner destroys it.
template <class T>
class Shared {
 public:
  Shared() = default;  ///< none
  explicit Shared(T value) : held_(new Held{std::move(value), 1}) {}
  Shared(const Shared& other) : held_(other.held_) {
    if (held_ != nullptr) ++held_->owners;
  }
  Shared(Shared&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  Shared& operator=(const Shared& other) {
    if (this != &other) *this = Shared(other);
    return *this;
  }
  Shared& operator=(Shared&& other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~Shared() {
    if (held_ != nullptr && --held_->owners == 0) delete held_;
  }

  explicit operator bool() const { return held_ != nullptr; }
  /// Only if there is one.
  const T& operator*() const { return held_->value; }
  const T* operator->() const { return &held_->value; }

 private:
  struct Held {
    T value;
    std::size_t owners;
  };
  Held* held_ = nullptr;
};

}  // namespace wharf::server
