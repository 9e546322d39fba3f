#pragma once
#include <csignal>
#include <ctime>

namespace wharf::base {

/// For a call that has no MSG_NOSIGNAL: as long as this lives, writing to a pipe or socket without a reader is an error on this
/// thread and causes no signal. How the rest of the program treats SIGPIPE does not change.
class BrokenPipeIsAnError {
 public:
  BrokenPipeIsAnError() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~BrokenPipeIsAnError() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BrokenPipeIsAnError(const BrokenPipeIsAnError&) = delete;
  BrokenPipeIsAnError& operator=(const BrokenPipeIsAnError&) = delete;

  /// Call it after a call that may have caused the signal, before this is destroyed. Does not keep errno.
  void forget() {
    if (sigismember(&before_, SIGPIPE) != 0) return;  // then it may be somebody else's
    const timespec at_once{};
    sigtimedwait(&signal_, nullptr, &at_once);
  }

 private:
  sigset_t signal_{};
  sigset_t before_{};
};

}  // namespace wharf::base
