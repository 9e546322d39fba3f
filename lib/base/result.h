#pragma once
#include <utility>
#include <variant>

namespace wharf::base {

/// A failure of type E, so that a Result<T, E> can be made from it even if T and E convert to each other.
template <class E>
struct Failure {
  E value;
};
template <class E>
Failure(E) -> Failure<E>;

/// Either a value or the reason why there is none. Errors travel as values: nothing below the author's edge throws on purpose.
template <class T, class E>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  template <class F>
  Result(Failure<F> failure) : held_(std::in_place_index<1>, std::move(failure.value)) {}

  explicit operator bool() const { return held_.index() == 0; }

  /// Only if the result converts to true.
  T& operator*() { return *std::get_if<0>(&held_); }
  const T& operator*() const { return *std::get_if<0>(&held_); }
  T* operator->() { return std::get_if<0>(&held_); }
  const T* operator->() const { return std::get_if<0>(&held_); }

  /// Only if the result converts to false.
  const E& error() const { return *std::get_if<1>(&held_); }

 private:
  std::variant<T, E> held_;
};

}  // namespace wharf::base
