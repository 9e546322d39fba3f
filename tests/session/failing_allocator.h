#pragma once
#include <cstddef>
#include <utility>

// For an executable of its own: it replaces the system's allocator.

namespace wharf::test {

/// Counts down to the allocation of this thread that fails; 0: none does.
extern thread_local std::size_t until_failure;

/// Has one of the allocations within its calls fail. 0: none.
class Shortage {
 public:
  explicit Shortage(std::size_t nth) : left_(nth), is_due_(nth != 0) {}
  template <class Call>
  void operator()(Call&& call) {
    until_failure = std::exchange(left_, 0);
    call();  // what it throws is of that one
    left_ = std::exchange(until_failure, 0);
  }
  [[nodiscard]] bool came() const { return is_due_ && left_ == 0; }

 private:
  std::size_t left_;
  bool is_due_;
};

/// Bytes that are allocated and not freed; 0 if that is not known.
std::size_t live_bytes();

}  // namespace wharf::test
