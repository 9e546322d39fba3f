#include "base/line_writer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <initializer_list>
#include <new>
#include <utility>

#include "base/stay_loaded.h"

namespace wharf::base {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int look_around = 1'000;  // milliseconds to wait for a file at a time
constexpr std::size_t one_write = 64 * 1024;
constexpr std::size_t kept_buffer = 64 * 1024;

/// As many whole lines as fit into `most`, or the beginning of a line that is longer.
std::string_view first_piece(std::string_view rest, std::size_t most) {
  if (rest.size() <= most) return rest;
  const std::size_t end = rest.substr(0, most).rfind('\n');
  return rest.substr(0, end == std::string_view::npos ? most : end + 1);
}

/// Bytes that were written, or -errno; 0 if the file took nothing for a while. A pipe takes up to PIPE_BUF bytes undivided.
ssize_t write_some(int file, std::string_view rest, const std::atomic<bool>& abandoned) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return -errno;
  ssize_t sent = 0;
  if (S_ISREG(status.st_mode)) {
    const std::string_view piece = first_piece(rest, one_write);
    sent = ::write(file, piece.data(), piece.size());
  } else {
    pollfd writable{file, POLLOUT, 0};
    const int ready = ::poll(&writable, 1, look_around);
    if (ready <= 0) return ready == 0 || errno == EINTR ? 0 : -errno;
    if (abandoned) return 0;  // its owner may have closed the descriptor, and the number may be another's
    const std::string_view piece = first_piece(rest, PIPE_BUF);
    sent = S_ISSOCK(status.st_mode) ? ::send(file, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                    : ::write(file, piece.data(), piece.size());
  }
  if (sent < 0 && errno == EINTR) return 0;
  return sent < 0 ? -errno : sent;
}

bool is_regular(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

/// All signals that can be sent to a thread, except those that mean a fault of its own.
sigset_t signals_of_writing() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int own_fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) sigdelset(&signals, own_fault);
  return signals;
}

std::uint64_t count_lines(std::string_view text) { return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

/// What the writer and its thread share; destroyed with the last of them.
struct LineWriter::State {
  enum class Activity : std::uint8_t {
    working,
    asleep,
    done  // the thread has nothing to do any more
  };
  enum class End : std::uint8_t {
    not_asked,
    asked,      // what waits is still to be written
    tried_last  // the same, and what failed was tried once more
  };

  State(int number, Ownership kind, Settings given)
      : settings(std::move(given)), regular(is_regular(number)), file(number), ownership(kind) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (ownership == Ownership::own) ::close(file);
  }

  // ---- For the writer, with the lock ----
  bool take(std::string_view line) noexcept;
  void note_loss() noexcept;
  void lose_line();
  [[nodiscard]] bool losing() const { return lost != 0; }
  [[nodiscard]] int last_fault() const { return fault != EAGAIN ? fault : 0; }
  [[nodiscard]] std::size_t held() const { return waiting.size() + in_hand; }

  // ---- For the thread ----
  void run();
  bool await_work(std::unique_lock<std::mutex>& lock);
  void take_in_hand() noexcept;
  void write_once(std::unique_lock<std::mutex>& lock);
  void took(ssize_t result);
  void open_anew(std::unique_lock<std::mutex>& lock);
  void close_own(std::unique_lock<std::mutex>& lock);

  const Settings settings;
  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable progress;  // the thread has done something

  std::string waiting;                   // whole lines
  std::optional<std::size_t> reopen_at;  // in `waiting`, or right at its end
  std::size_t in_hand = 0;               // bytes that the thread has taken and not yet written
  std::uint64_t lost = 0;                // since the file last took a line behind a gap; until then more are lost
  News news;
  bool regular;               // the file is on a disk; asking again could block
  int fault = 0;              // of the last write; EAGAIN: nothing was taken for a while
  Clock::time_point since{};  // when the file last took something, or was first asked to
  Clock::time_point retry{};
  Time retry_after = first_retry;
  Activity activity = Activity::working;
  End ending = End::not_asked;
  std::atomic<bool> abandoned{false};  // nothing is to be written any more

  // The thread's own, except before it begins and after it ends.
  int file;
  Ownership ownership;
  std::string hand;    // what it writes,
  std::size_t at = 0;  // from here on
  bool torn = false;   // the beginning of that line is in the file already
};

// ---- The writer's side ----

LineWriter::LineWriter(int file, Ownership ownership, Settings settings)
    : state_(std::make_shared<State>(file, ownership, std::move(settings))), process_(::getpid()) {}

LineWriter::~LineWriter() { end(); }

/// Whether there is room for the line, or the lines.
bool LineWriter::State::take(std::string_view line) noexcept {
  const std::size_t room = losing() ? settings.capacity / 2 : settings.capacity;
  if (held() != 0 && held() + line.size() > room) return false;
  if (losing()) note_loss();
  if (held() == 0) since = Clock::now();
  try {
    waiting += line;
  } catch (...) {  // there is no memory
    return false;
  }
  return true;
}

/// The gap is over: lines that wait from here on come behind it.
void LineWriter::State::note_loss() noexcept {
  if (settings.lost_line != nullptr) try {
      (waiting += settings.lost_line(lost)) += '\n';
    } catch (...) {  // there is no memory to say so: later
      return;
    }
  news.recovered += std::exchange(lost, 0);
}

void LineWriter::State::lose_line() {
  if (lost++ != 0) return;
  news.losing = true;
  news.fault = last_fault();
}

std::size_t LineWriter::write(std::string_view lines) {
  const std::lock_guard callers(mutex_);
  renew_after_fork();
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  std::size_t lost = 0;
  std::string_view rest = state.take(lines) ? std::string_view() : lines;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1);
    rest.remove_prefix(line.size());
    if (state.take(line)) continue;
    state.lose_line();
    ++lost;
  }
  start_thread();
  if (state.activity == State::Activity::asleep) state.work.notify_one();
  return lost;
}

void LineWriter::reopen() {
  const std::lock_guard callers(mutex_);
  renew_after_fork();
  const std::lock_guard lock(state_->mutex);
  if (!state_->settings.open) return;
  if (!state_->reopen_at) state_->reopen_at = state_->waiting.size();
  start_thread();
  state_->work.notify_one();
}

bool LineWriter::settle(Time most) {
  const auto until = Clock::now() + most;
  std::unique_lock lock(state_->mutex);
  State& state = *state_;
  state.retry = {};
  state.work.notify_one();
  return state.progress.wait_until(lock, until, [&state] { return state.held() == 0 && !state.losing() && !state.reopen_at; });
}

LineWriter::News LineWriter::news() {
  const std::lock_guard lock(state_->mutex);
  News news = std::exchange(state_->news, {});
  if (!news.losing) news.fault = state_->last_fault();
  else news.is_regular = state_->regular;
  return news;
}

/// The child of a fork does not have the thread: it gets one of its own, and the parent writes what waited.
void LineWriter::renew_after_fork() {
  if (const pid_t process = ::getpid(); std::exchange(process_, process) == process || !thread_) return;
  thread_.reset();
  const std::shared_ptr<State> old =
      std::exchange(state_, std::make_shared<State>(state_->file, state_->ownership, state_->settings));
  old->ownership = Ownership::lent;
}

/// If no thread can be made, the next line tries again.
void LineWriter::start_thread() {
  if (thread_) return;
  std::unique_ptr<std::shared_ptr<State>> shared(new (std::nothrow) std::shared_ptr<State>(state_));
  if (!shared) return;
  const sigset_t blocked = signals_of_writing();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  pthread_t made{};
  const auto run = [](void* argument) -> void* {
    const std::unique_ptr<std::shared_ptr<State>> own(static_cast<std::shared_ptr<State>*>(argument));
    (*own)->run();
    return nullptr;
  };
  if (pthread_create(&made, nullptr, run, shared.get()) == 0) {
    static_cast<void>(shared.release());
    thread_ = made;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::uint64_t LineWriter::end() {
  const std::lock_guard callers(mutex_);
  renew_after_fork();
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  if (state.ending == State::End::not_asked) state.ending = State::End::asked;
  state.work.notify_one();
  const auto began = Clock::now();
  if (state.held() == 0) state.since = began;
  while (thread_ && state.activity != State::Activity::done) {
    const auto until = std::clamp(state.since + patience, began + shortest_end, began + longest_end);
    if (Clock::now() >= until) break;
    state.progress.wait_until(lock, until);
  }
  state.abandoned = true;
  const std::uint64_t lost = state.lost + count_lines(state.waiting) +
                             (state.in_hand != 0 ? count_lines(std::string_view(state.hand).substr(state.at)) : 0);
  const bool ended = state.activity == State::Activity::done;
  lock.unlock();
  if (!thread_) return lost;
  if (ended) {
    pthread_join(*thread_, nullptr);
  } else {
    stay_loaded();
    pthread_detach(*thread_);
  }
  thread_.reset();
  return lost;
}

// ---- The thread ----

void LineWriter::State::run() {
  pthread_setname_np(pthread_self(), "wharf-lines");
  std::unique_lock lock(mutex);
  while (await_work(lock)) {
    if (in_hand == 0) take_in_hand();
    if (in_hand != 0) write_once(lock);
    if (reopen_at && (fault != 0 || (in_hand == 0 && *reopen_at == 0))) open_anew(lock);
    if (held() == 0 && losing()) note_loss();
    progress.notify_all();
  }
  close_own(lock);
  activity = Activity::done;
  progress.notify_all();
}

/// On this thread, because closing a file on a disk that does not answer may block.
void LineWriter::State::close_own(std::unique_lock<std::mutex>& lock) {
  if (std::exchange(ownership, Ownership::lent) != Ownership::own) return;
  lock.unlock();
  ::close(file);
  lock.lock();
}

/// Whether there is something to do. If the end was asked for, a write that failed is tried once more.
bool LineWriter::State::await_work(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (abandoned) return false;
    const bool idle = held() == 0 && !reopen_at;
    if (idle && ending != End::not_asked) return false;
    const bool late = fault != 0 && fault != EAGAIN && !reopen_at && Clock::now() < retry;
    if (!idle && !late) return true;
    if (ending != End::not_asked) return std::exchange(ending, End::tried_last) != End::tried_last;
    if (idle) activity = Activity::asleep;
    if (idle) work.wait(lock);
    else work.wait_until(lock, retry);
    activity = Activity::working;
  }
}

/// Takes the lines that go to the file that is open.
void LineWriter::State::take_in_hand() noexcept {
  at = 0;
  const std::size_t size = reopen_at.value_or(waiting.size());
  if (size == waiting.size()) {
    hand.swap(waiting);
    waiting.clear();
  } else {
    try {
      hand.assign(waiting, 0, size);
    } catch (...) {  // there is no memory: the new file gets all of it
      hand.clear();
      reopen_at = 0;
      return;
    }
    waiting.erase(0, size);
  }
  in_hand = size;
  if (reopen_at) reopen_at = 0;
}

void LineWriter::State::write_once(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  const ssize_t result = write_some(file, std::string_view(hand).substr(at), abandoned);
  lock.lock();
  took(result);
}

void LineWriter::State::took(ssize_t result) {
  if (result == 0) fault = EAGAIN;
  if (result < 0) {
    fault = static_cast<int>(-result);
    retry = Clock::now() + retry_after;
    retry_after = std::min(retry_after * 2, last_retry);
  }
  if (result <= 0) return;
  const auto size = static_cast<std::size_t>(result);
  fault = 0;
  retry_after = first_retry;
  since = Clock::now();
  torn = hand[at + size - 1] != '\n';
  at += size;
  in_hand -= size;
  if (in_hand == 0 && hand.capacity() > kept_buffer) hand = std::string();
}

/// If the old file has the beginning of a line, that line is lost; whole lines that it did not take go to the new file.
void LineWriter::State::open_anew(std::unique_lock<std::mutex>& lock) {
  reopen_at.reset();
  lock.unlock();
  const int opened = settings.open();
  const bool opened_regular = opened >= 0 && is_regular(opened);
  lock.lock();
  if (opened < 0) {
    news.not_reopened = -opened;
    return;
  }
  if (std::exchange(torn, false) && in_hand != 0) {
    const std::size_t end = hand.find('\n', at) + 1;
    in_hand -= end - at;
    at = end;
    lose_line();
  }
  const int old = std::exchange(file, opened);
  regular = opened_regular;
  fault = 0;
  retry = {};
  lock.unlock();
  ::close(old);
  lock.lock();
}

}  // namespace wharf::base
