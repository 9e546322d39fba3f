#include "io/loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/descriptor.h"
#include "base/sheltered.h"
#include "io/connection.h"
#include "io/listener.h"

namespace wharf::io {

namespace {

/// If libuv finds too few descriptors for the pipes of a loop and of its signals, it ends the process. Returns 0, or errno.
int missing_descriptors() {
  std::array<base::Descriptor, 10> probes;
  for (base::Descriptor& probe : probes) {
    probe = base::Descriptor(::eventfd(0, EFD_CLOEXEC));
    if (!probe) return errno;
  }
  return 0;
}

}  // namespace

struct Loop::SignalWatch {
  SignalCalls calls;
  std::array<uv_signal_t, 4> handles{};
  int terminations = 0;
};

base::Result<std::unique_ptr<Loop>, std::string> Loop::create(uv_loop_t* foreign, const LoopLimits& limits, base::Log& log) {
  std::unique_ptr<Loop> loop(new Loop(limits, log));
  if (const int status = loop->open(foreign); status != 0)
    return base::Failure{base::concat("cannot create an event loop: ", uv_strerror(status))};
  return loop;
}

Loop::Loop(const LoopLimits& limits, base::Log& log)
    : limits_(limits),
      log_(log),
      own_admission_(limits.admission == nullptr ? std::make_unique<Admission>(limits.connections) : nullptr),
      admission_(limits.admission != nullptr ? limits.admission : own_admission_.get()),
      receive_buffer_(new char[limits.receive_buffer]) {
  admission_->join(*this);
}

int Loop::open(uv_loop_t* foreign) {
  if (foreign == nullptr) {
    if (const int error = missing_descriptors(); error != 0) return -error;
    if (const int status = uv_loop_init(&own_); status != 0) return status;
  }
  uv_ = foreign != nullptr ? foreign : &own_;
  const auto woken = [](uv_async_t* async) {
    auto* loop = static_cast<Loop*>(async->data);
    loop->run_mailbox();
    loop->end_where_done();
  };
  if (const int status = uv_async_init(uv_, &async_, woken); status != 0) {
    if (foreign == nullptr) uv_loop_close(&own_);
    uv_ = nullptr;
    return status;
  }
  uv_prepare_init(uv_, &prepare_);
  uv_check_init(uv_, &check_);
  uv_idle_init(uv_, &idle_);
  uv_timer_init(uv_, &timer_);
  open_handles_ = 5;
  prepare_.data = check_.data = idle_.data = timer_.data = async_.data = this;
  uv_unref(reinterpret_cast<uv_handle_t*>(&prepare_));
  uv_prepare_start(&prepare_, [](uv_prepare_t* prepare) { static_cast<Loop*>(prepare->data)->before_blocking(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(&check_));
  uv_check_start(&check_, [](uv_check_t* check) { static_cast<Loop*>(check->data)->after_polling(); });
  wheel_.advance(now(), [](base::Timer&) {});
  mailbox_.open([this] { uv_async_send(&async_); });
  returns_->open([this] { uv_async_send(&async_); });
  return 0;
}

Loop::~Loop() {
  end();
  if (admission_ != nullptr) admission_->leave(*this);
  if (uv_ == &own_) uv_loop_close(&own_);
}

void Loop::end() {
  if (uv_ != &own_) return;
  held_.store(false);
  stop(base::Time{0}, nullptr);
  run();
}

void Loop::run() { uv_run(uv_, UV_RUN_DEFAULT); }

// ---- What happens once a turn ----

void Loop::before_blocking() {
  settle_scheduled();
  if (!turn_end_calls_.empty()) call_at_turn_end();
  ++turn_;
  if (ended()) return;
  arm_timer();
  // Work that arose meanwhile must not wait for the next event, and a deadline must wait only for what is there already.
  if (scheduled_ != nullptr || !turn_end_calls_.empty() || time_has_come_) uv_idle_start(&idle_, [](uv_idle_t*) {});
  else uv_idle_stop(&idle_);
}

void Loop::schedule(Connection& connection) {
  if (connection.marks_.has(Connection::Mark::scheduled)) return;
  connection.marks_.add(Connection::Mark::scheduled);
  connection.next_scheduled_ = scheduled_;
  scheduled_ = &connection;
}

/// Only those that were scheduled before this call, so that connections that keep scheduling each other cannot hold up the loop.
void Loop::settle_scheduled() {
  for (Connection* next = std::exchange(scheduled_, nullptr); next != nullptr;) {
    Connection& connection = *std::exchange(next, next->next_scheduled_);
    connection.marks_.remove(Connection::Mark::scheduled);
    if (connection.stage_ == Connection::Stage::gone) delete &connection;
    else connection.on_settle();
  }
}

void Loop::at_turn_end(std::function<void()> call) {
  if (!ended()) turn_end_calls_.push_back(std::move(call));
}

/// Only those that were asked for before this call, for the same reason.
void Loop::call_at_turn_end() {
  std::vector<std::function<void()>> calls;
  calls.swap(turn_end_calls_);
  for (const std::function<void()>& call : calls)
    if (!ended()) base::sheltered(log_, "a call at the end of a turn", call);
  settle_scheduled();
}

void Loop::run_mailbox() noexcept {
  look_at_clock();
  std::size_t failed = mailbox_.run();
  failed += returns_->run();
  if (failed != 0)
    base::sheltered(log_, "a line of the log", [&] { log_.error("posted tasks that failed with an exception: ", failed); });
}

void Loop::arm_timer() {
  const base::Time due = ended() ? base::never : wheel_.next();
  if (due >= timer_due_) return;  // at worst it fires early, and is armed again then
  timer_due_ = due;
  const base::Time wait = due > now() ? due - now() : base::Time{0};
  uv_timer_start(
      &timer_,
      [](uv_timer_t* timer) {
        auto* loop = static_cast<Loop*>(timer->data);
        loop->timer_due_ = base::never;
        loop->time_has_come_ = true;
        loop->come_ = loop->now();
      },
      static_cast<std::uint64_t>(wait.count()), 0);
}

/// Deadlines are judged here, after everything that had come by then was read: if the loop was late, because the process was
/// stopped or a callback took its time, no peer is blamed. libuv itself checks its timers first. Time that was spent while reading
/// counts only at the next check.
void Loop::after_polling() {
  if (std::exchange(time_has_come_, false))
    wheel_.advance(come_, [this](base::Timer& expired) { base::sheltered(log_, "what was due", [&] { expire(expired); }); });
}

void Loop::expire(base::Timer& timer) {
  if (&timer == &accept_retry_) return resume_listeners();
  if (&timer == &drain_turn_) return drain_on();
  if (&timer != &stop_grace_) return static_cast<Timed&>(timer).on_timer();
  cut();
}

void Loop::cut() {
  if (stage_ == Stage::running) return;
  if (draining()) stop(base::Time{0}, nullptr);
  for (Connection* connection = connections_; connection != nullptr;) {
    Connection& late = *std::exchange(connection, connection->next_);
    late.abort();
    late.on_settle();
  }
}

// ---- Connections and listeners ----

void Loop::add(Connection& connection) {
  connection.next_ = connections_;
  if (connections_ != nullptr) connections_->previous_ = &connection;
  connections_ = &connection;
  ++connection_count_;
  if (connection.origin_ != Connection::Origin::outgoing) clients_->fetch_add(1, std::memory_order_relaxed);
}

void Loop::closed(Connection& connection) {
  remove_idle(connection);
  connection.place_.give_back();
  if (connection.origin_ != Connection::Origin::outgoing) clients_->fetch_sub(1, std::memory_order_relaxed);
}

void Loop::remove(Connection& connection) {
  if (connection.previous_ != nullptr) connection.previous_->next_ = connection.next_;
  else connections_ = connection.next_;
  if (connection.next_ != nullptr) connection.next_->previous_ = connection.previous_;
  if (drain_ && drain_->next == &connection) drain_->next = connection.next_;
  --connection_count_;
  if (!stopping()) resume_listeners();
  end_where_done();
}

void Loop::add(std::unique_ptr<Listener> listener) { listeners_.push_back(std::move(listener)); }

// ---- Room for connections ----

void Loop::add_idle(Connection& connection) {
  if (connection.marks_.has(Connection::Mark::idle)) return;
  connection.marks_.add(Connection::Mark::idle);
  connection.next_idle_ = nullptr;
  connection.previous_idle_ = last_idle_;
  (last_idle_ != nullptr ? last_idle_->next_idle_ : longest_idle_) = &connection;
  last_idle_ = &connection;
  idle.store(idle.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Loop::remove_idle(Connection& connection) {
  if (!connection.marks_.take(Connection::Mark::idle)) return;
  (connection.previous_idle_ != nullptr ? connection.previous_idle_->next_idle_ : longest_idle_) = connection.next_idle_;
  (connection.next_idle_ != nullptr ? connection.next_idle_->previous_idle_ : last_idle_) = connection.previous_idle_;
  idle.store(idle.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

/// A connection that cannot be closed now has sent something, or has not taken the end of its response. It moves to the end of the
/// list, so that it does not hide others that can be closed.
bool Loop::close_an_idle_one(std::size_t among) {
  constexpr std::size_t most_looked_at = 256;
  const std::size_t looks = std::min({idle_count(), among, most_looked_at});
  for (std::size_t looked_at = 0; longest_idle_ != nullptr && looked_at < looks; ++looked_at) {
    Connection& idlest = *longest_idle_;
    if (idlest.give_way()) return true;
    remove_idle(idlest);
    add_idle(idlest);
  }
  return false;
}

void Loop::wait_for_room(Admission::Shortage shortage) {
  wheel_.set(accept_retry_, now() + limits_.accept_pause);
  admission_->wait_for_room(*this, shortage);
}

/// If there is no memory to post this, accepting is tried again after accept_pause.
void Loop::room_came() noexcept {
  try {
    mailbox_.post([this] { resume_listeners(); });
  } catch (...) {
  }
}

void Loop::room_wanted() noexcept {
  try {
    mailbox_.post([this] { close_an_idle_one(); });
  } catch (...) {
  }
}

void Loop::resume_listeners() {
  for (const auto& listener : listeners_) listener->resume();
}

// ---- What is pending ----

Pending::Pending(Loop& loop) : loop_(loop) { loop_.add(*this); }

void Pending::finished() { loop_.remove(*this); }

void Loop::add(Pending& pending) {
  pending.next_ = pending_;
  if (pending_ != nullptr) pending_->previous_ = &pending;
  pending_ = &pending;
}

void Loop::remove(Pending& pending) {
  if (pending.previous_ != nullptr) pending.previous_->next_ = pending.next_;
  else pending_ = pending.next_;
  if (pending.next_ != nullptr) pending.next_->previous_ = pending.previous_;
  delete &pending;
}

// ---- The end ----

void Loop::on_signals(SignalCalls calls) {
  static constexpr std::array<int, 4> numbers = {SIGINT, SIGTERM, SIGHUP, SIGUSR2};
  signals_ = std::make_unique<SignalWatch>();
  signals_->calls = std::move(calls);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    uv_signal_t* const handle = &signals_->handles.at(i);
    if (const int status = uv_signal_init(uv_, handle); status != 0) {
      log_.error("signals are not heeded: ", uv_strerror(status));
      continue;
    }
    ++open_handles_;
    handle->data = this;
    uv_unref(reinterpret_cast<uv_handle_t*>(handle));
    uv_signal_start(
        handle, [](uv_signal_t* signal, int which) { static_cast<Loop*>(signal->data)->signalled(which); }, numbers.at(i));
  }
}

void Loop::signalled(int number) {
  SignalWatch& watch = *signals_;
  if (number == SIGINT || number == SIGTERM) {
    if (++watch.terminations == 2)
      for (uv_signal_t& each : watch.handles)
        if (each.data != nullptr && (each.signum == SIGINT || each.signum == SIGTERM)) uv_signal_stop(&each);
    return base::sheltered(log_, "what a signal asks for", [&] { watch.calls.terminated(number); });
  }
  base::sheltered(log_, "what a signal asks for", number == SIGHUP ? watch.calls.hung_up : watch.calls.replaced);
}

void Loop::stop(base::Time grace, std::function<void()> stopped) {
  if (stopping() && !drain_) return;
  const base::Time cut_at = std::min(now() + grace, drain_ ? drain_->cut_at : base::never);
  drain_.reset();
  wheel_.cancel(drain_turn_);
  stage_ = Stage::stopping;
  if (stopped) stopped_ = std::move(stopped);
  wheel_.cancel(accept_retry_);
  listeners_.clear();
  if (connection_count_ == 0) return end_where_done();
  wheel_.set(stop_grace_, cut_at);
  for (Connection* connection = connections_; connection != nullptr; connection = connection->next_) connection->on_shut_down();
}

template <class Handle>
void Loop::close_handle(Handle& handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle), [](uv_handle_t* closed) { static_cast<Loop*>(closed->data)->handle_closed(); });
}

void Loop::release() noexcept {
  held_.store(false);
  uv_async_send(&async_);
}

void Loop::end_where_done() {
  const bool accepts = stage_ == Stage::running || !listeners_.empty();
  if (!accepts && connection_count_ == 0 && !held_.load()) close_handles();
}

void Loop::close_handles() {
  if (ended()) return;
  stage_ = Stage::ended;
  mailbox_.close();
  returns_->close();
  std::exchange(admission_, nullptr)->leave(*this);  // it need not outlive the admission
  wheel_.cancel(stop_grace_);
  wheel_.cancel(drain_turn_);
  drain_.reset();
  turn_end_calls_.clear();
  for (Pending* next = pending_; next != nullptr;) std::exchange(next, next->next_)->cancel();
  if (signals_)
    for (uv_signal_t& handle : signals_->handles)
      if (handle.data != nullptr) close_handle(handle);
  close_handle(prepare_);
  close_handle(check_);
  close_handle(idle_);
  close_handle(timer_);
  close_handle(async_);
}

void Loop::close_and_free(uv_poll_t* poll) {
  ++open_handles_;
  poll->data = this;
  uv_poll_stop(poll);
  uv_close(reinterpret_cast<uv_handle_t*>(poll), [](uv_handle_t* closed) {
    auto* loop = static_cast<Loop*>(closed->data);
    delete reinterpret_cast<uv_poll_t*>(closed);
    loop->handle_closed();
  });
}

void Loop::handle_closed() {
  if (--open_handles_ != 0) return;
  settle_scheduled();
  run_mailbox();
  if (const std::function<void()> stopped = std::exchange(stopped_, nullptr)) stopped();
}

}  // namespace wharf::io
