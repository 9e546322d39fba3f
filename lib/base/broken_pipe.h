#pragma once
#include <csignal>
#include <ctime>

namespace wharf::base {

/// For a call that has no MSG_NOSIGNAL: as long as this lives, a pipe or socket without a reader is an error for this thread and
/// no signal. What the rest of the program does about SIGPIPE stays as it is.
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

  /// To be called after a call that may have brought the signal, before this goes. Does not keep errno.
  void forget() {
    if (sigismember(&before_, SIGPIPE) != 0) return;  // then it is somebody else's as much as ours
    const timespec at_once{};
    sigtimedwait(&signal_, nullptr, &at_once);
  }

 private:
  sigset_t signal_{};
  sigset_t before_{};
};

}  // namespace wharf::base
