#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "link/link.h"

namespace wharf::tls {

class WaitingLine;

/// The place of one link in a line. It leaves the line with its destruction.
class Waiting {
 public:
  /// When its time has come, the link below gets want_turn().
  explicit Waiting(session::Link& below) : below_(below) {}
  ~Waiting() { leave(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  void join(WaitingLine& line);
  void leave();
  [[nodiscard]] bool waits() const { return line_ != nullptr; }
  [[nodiscard]] bool waits_in(const WaitingLine& line) const { return line_ == &line; }

 private:
  friend class WaitingLine;
  enum class State : std::uint8_t { asleep, called };

  session::Link& below_;
  WaitingLine* line_ = nullptr;
  Waiting* previous_ = nullptr;
  Waiting* next_ = nullptr;
  State state_ = State::asleep;
};

/// Links that wait for something of their loop, in the order in which they came. Only so many at the front are called as can have it,
/// so that a long line costs nothing in a turn. Those who are called leave it, or stay and ask for another turn themselves.
class WaitingLine {
 public:
  explicit WaitingLine(std::size_t most_called) : most_called_(most_called) {}
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  /// How many at the front may be called from now on.
  void call_at_most(std::size_t most);

 private:
  friend class Waiting;
  void call();

  std::size_t most_called_;
  std::size_t called_ = 0;
  Waiting* first_ = nullptr;
  Waiting* last_ = nullptr;
  Waiting* first_asleep_ = nullptr;
};

/// What threads are doing for one loop, with what that loop's owner lends to them.
class Lent {
 public:
  /// From any thread: does it, unless it is too late.
  template <class Deed>
  void use(Deed&& deed) {
    if (!begin()) return;
    deed();
    end();
  }
  /// Waits for those who are at it; from now on it is too late.
  void take_back();

 private:
  bool begin();
  void end();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t users_ = 0;
  bool over_ = false;
};

/// How much of the handshakes of one loop is done in a turn, and on other threads at once.
class Handshakes {
 public:
  Handshakes() = default;
  /// Waits for the signatures that threads have begun, a few milliseconds: they use the context.
  ~Handshakes() { lent_->take_back(); }
  Handshakes(const Handshakes&) = delete;
  Handshakes& operator=(const Handshakes&) = delete;

  /// In steps that sign with a key of P-256, each of which takes about 0.2 ms, or with nothing, as when a session is resumed. A step
  /// that costs more is the last one of its turn.
  static constexpr unsigned per_turn = 2;
  /// Steps on other threads.
  static constexpr std::size_t most_away = 32;

  /// Whether somebody who is not in line may do a step in that turn.
  [[nodiscard]] bool may_begin(std::uint32_t turn) { return turns.empty() && has_room(turn); }
  [[nodiscard]] bool has_room(std::uint32_t turn);
  /// After a step, which has its costs in every case.
  void spend(unsigned steps) { spent_ += steps; }

  /// For the threads, which may outlive this.
  [[nodiscard]] const std::shared_ptr<Lent>& lent() const { return lent_; }
  [[nodiscard]] bool may_go_away() const { return away_ < most_away; }
  void goes_away() { threads.call_at_most(most_away - ++away_); }
  void comes_back() { threads.call_at_most(most_away - --away_); }

  WaitingLine turns{per_turn};     ///< for a later turn
  WaitingLine threads{most_away};  ///< for another thread

 private:
  std::uint32_t turn_ = 0;
  unsigned spent_ = 0;
  std::size_t away_ = 0;
  std::shared_ptr<Lent> lent_ = std::make_shared<Lent>();
};

}  // namespace wharf::tls
