#pragma once
#include <uv.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/out_queue.h"
#include "base/result.h"
#include "base/timer_wheel.h"
#include "io/admission.h"
#include "io/drain.h"
#include "io/keep_alive.h"
#include "io/returns.h"
#include "link/link.h"
#include "wharf/limits.hpp"

namespace wharf::io {

class Connection;
class Listener;
class Loop;

/// What a loop allows its connections, in bytes and milliseconds.
struct LoopLimits {
  std::size_t receive_buffer = 256 * 1024;  ///< one per loop; the most that is read at a time, unless the session wants less
  std::size_t connections = 1024;           ///< accepted and open at once, if there is no `admission`
  Admission* admission = nullptr;           ///< of all loops together; beyond it nothing is accepted until a connection ends
  enum class Room : std::uint8_t { before_accepting, after_admitting };
  Room room = Room::before_accepting;  ///< when an idle connection ends for a new one; the other way if a session may be refused
  std::size_t accepts_per_turn = 64;
  base::Time write_stall =
      Limits{}.write_stall;  ///< after this time with output waiting, of which the peer has taken almost nothing, it is cut
  std::size_t write_progress =
      Limits{}.write_progress;      ///< what it must take within write_stall, unless it takes all that is queued
  base::Time closing_flush{5'000};  ///< for a finished link to send its last output
  base::Time linger{2'000};         ///< for the peer to close after we did, so that a reset cannot destroy what it was sent
  base::Time accept_pause{1'000};   ///< after the system ran out of descriptors, unless a connection ends before
  KeepAlive keep_alive;             ///< of connections of our own; those that are accepted have that of their listening socket
  session::OutputLimits output;
};

/// A timer on the loop's timing wheel that hears of its time. It may be destroyed within the call.
class Timed : public base::Timer {
 public:
  virtual void on_timer() = 0;

 protected:
  ~Timed() = default;
};

/// Something under way on a loop that is no connection, such as one that is being made. It belongs to the loop until
/// finished(), and has released its libuv handles by then.
class Pending {
 public:
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;

 protected:
  explicit Pending(Loop& loop);
  virtual ~Pending() = default;
  /// It is over; destroys this.
  void finished();

  Loop& loop_;

 private:
  friend class Loop;
  /// The loop ends: from here on nobody is called back, and finished() is called within this.
  virtual void cancel() = 0;

  Pending* previous_ = nullptr;
  Pending* next_ = nullptr;
};

/// One event loop and everything that belongs to it: a libuv loop of its own or a caller's, the timing wheel, the receive buffer,
/// the chunk pool, the mailbox, the connections. Everything except mailbox().post() and returns() belongs to the loop's thread.
class Loop final : private Admission::Member {
 public:
  /// `foreign` is the caller's loop, which the caller runs and which outlives this; nullptr: a loop of its own. The error is one
  /// line.
  static base::Result<std::unique_ptr<Loop>, std::string> create(uv_loop_t* foreign, const LoopLimits& limits, base::Log& log);
  /// As end(). On a caller's loop, only after stop() has called back.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Runs an own loop until it was stopped.
  void run();
  /// If it is an own loop that was not stopped, it is stopped without grace, and run for that. From here on now() stands still, and
  /// nothing calls back. For a caller's loop, which only the caller may run, nothing happens.
  void end();

  /// Stops accepting, tells every session to finish, cuts what is left after `grace`, and takes every handle out of the libuv
  /// loop. Requests of sessions go on until the last has ended; what is pending then is cancelled, and it does not wait for other
  /// threads. `stopped` is called last, once; the Loop may be destroyed from then on, even within the call.
  void stop(base::Time grace, std::function<void()> stopped);
  /// The same within `time`, so that neither clients nor other servers notice more than they must: who waits in the backlog is
  /// served first, sessions are asked to drain(), and those that do not end by themselves are told to stop one after the other,
  /// evenly over three quarters of that time. A later stop() ends it sooner, and its `stopped`, if there is one, is called instead.
  void drain(base::Time time, Backlog backlog, std::function<void()> stopped);
  /// Takes the rest of the grace from a loop that stops or drains.
  void cut();
  /// Has a loop that stops stay until release(), even without a connection, and heed signals meanwhile.
  void hold() { held_.store(true); }
  /// From any thread, while this exists.
  void release() noexcept;

  struct SignalCalls {
    std::function<void(int number)> terminated;  ///< for the first two of SIGINT and SIGTERM
    std::function<void()> hung_up;               ///< for each SIGHUP
    std::function<void()> replaced;              ///< for each SIGUSR2
  };
  /// Calls on the loop's thread until the loop has ended. Further signals have the effect that they had before.
  void on_signals(SignalCalls calls);

  [[nodiscard]] base::Time now() const { return base::Time{static_cast<base::Time::rep>(uv_now(uv_))}; }
  [[nodiscard]] base::Log& log() { return log_; }
  [[nodiscard]] base::Mailbox& mailbox() { return mailbox_; }
  [[nodiscard]] const LoopLimits& limits() const { return limits_; }
  [[nodiscard]] std::size_t connection_count() const { return connection_count_; }
  /// Those of connection_count() that were accepted.
  [[nodiscard]] std::size_t accepted_count() const { return clients_->load(std::memory_order_relaxed); }
  /// Counts them in `count`, which outlives this, for other threads to read. Call it before there is one.
  void count_clients_in(std::atomic<std::size_t>& count) { clients_ = &count; }
  [[nodiscard]] bool stopping() const { return stage_ >= Stage::stopping; }
  [[nodiscard]] bool draining() const { return stage_ == Stage::draining; }
  /// The last connection of a stopping loop is gone: nothing new begins.
  [[nodiscard]] bool ended() const { return stage_ == Stage::ended; }
  /// Whether it is a caller's loop that still has handles of this one in it.
  [[nodiscard]] bool in_use_by_caller() const { return uv_ != &own_ && open_handles_ != 0; }

  /// For something that begins now, or was heard now: earlier calls in this turn may have taken their time.
  void look_at_clock() { uv_update_time(uv_); }

  /// The number of this turn: a new one begins each time that the loop is about to look at its sockets.
  [[nodiscard]] std::uint64_t turn_number() const { return turn_; }

  /// Calls back once, in this turn of the loop, before it blocks. Output that the call queues leaves in the same turn.
  /// Dropped if the loop has ended.
  void at_turn_end(std::function<void()> call);

  // ---- For connections, listeners and what is pending. ----
  [[nodiscard]] uv_loop_t* uv() { return uv_; }
  [[nodiscard]] base::ChunkPool& pool() { return pool_; }
  [[nodiscard]] std::span<char> receive_buffer() { return {receive_buffer_.get(), limits_.receive_buffer}; }
  base::TimerWheel& wheel() { return wheel_; }
  /// For other threads to hand back what they have done; it may outlive the loop, and accepts nothing then.
  [[nodiscard]] const std::shared_ptr<Returns>& returns() const { return returns_; }
  void add(Connection& connection);
  /// Its descriptor is closed, or will be in this turn: there is room for another one.
  void closed(Connection& connection);
  void remove(Connection& connection);
  /// The connection is between two exchanges, or in one again.
  void add_idle(Connection& connection);
  void remove_idle(Connection& connection);
  [[nodiscard]] Admission& admission() { return *admission_; }
  /// Closes the connection that has been idle for longest, of those `among` that have been for longest. False: there is none.
  bool close_an_idle_one(std::size_t among = static_cast<std::size_t>(-1));
  [[nodiscard]] std::size_t idle_count() const { return idle.load(std::memory_order_relaxed); }
  /// Accepting waits for room, at most for accept_pause.
  void wait_for_room(Admission::Shortage shortage);
  void schedule(Connection& connection);
  void add(std::unique_ptr<Listener> listener);
  void add(Pending& pending);
  void remove(Pending& pending);
  /// Takes a handle out of the loop; stop() waits for it. From then on its descriptor may be closed or used for something else.
  void close_and_free(uv_poll_t* poll);

 private:
  struct SignalWatch;
  enum class Stage : std::uint8_t {
    running,
    draining,
    stopping,
    ended  // its handles are being closed, or gone
  };

  Loop(const LoopLimits& limits, base::Log& log);
  int open(uv_loop_t* foreign);
  void room_came() noexcept override;
  void room_wanted() noexcept override;
  void before_blocking();
  void after_polling();
  void run_mailbox() noexcept;
  void settle_scheduled();
  void call_at_turn_end();
  void expire(base::Timer& timer);
  void resume_listeners();
  void arm_timer();
  void signalled(int number);
  void drain_on();
  void drain_connections();
  bool tell_those_due();
  template <class Visit>
  bool walk(Visit&& visit);
  void end_where_done();
  void close_handles();
  void handle_closed();
  template <class Handle>
  void close_handle(Handle& handle);

  LoopLimits limits_;
  base::Log& log_;
  std::unique_ptr<Admission> own_admission_;
  Admission* admission_;
  std::unique_ptr<char[]> receive_buffer_;
  base::ChunkPool pool_;
  base::TimerWheel wheel_;
  base::Mailbox mailbox_;
  std::shared_ptr<Returns> returns_ = std::make_shared<Returns>();

  uv_loop_t own_{};
  uv_loop_t* uv_ = nullptr;
  uv_prepare_t prepare_{};
  uv_check_t check_{};
  uv_idle_t idle_{};
  uv_timer_t timer_{};
  uv_async_t async_{};
  std::unique_ptr<SignalWatch> signals_;
  int open_handles_ = 0;
  base::Time timer_due_ = base::never;
  std::uint64_t turn_ = 0;
  bool time_has_come_ = false;  // for the wheel, after the sockets were read
  base::Time come_{0};          // the time when it came

  Connection* connections_ = nullptr;
  std::size_t connection_count_ = 0;
  std::atomic<std::size_t> own_clients_{0};
  std::atomic<std::size_t>* clients_ = &own_clients_;
  Connection* longest_idle_ = nullptr;
  Connection* last_idle_ = nullptr;
  Connection* scheduled_ = nullptr;
  Pending* pending_ = nullptr;
  std::vector<std::function<void()>> turn_end_calls_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  base::Timer accept_retry_;
  base::Timer stop_grace_;
  base::Timer drain_turn_;
  std::unique_ptr<Drain> drain_;  // from drain() until everybody is told
  Stage stage_ = Stage::running;
  std::atomic<bool> held_{false};
  std::function<void()> stopped_;
};

}  // namespace wharf::io
