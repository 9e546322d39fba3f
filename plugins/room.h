#pragma once
/// A room: everything said in it reaches every member, in the same order for all, on all loops of the process.
///
/// A room belongs to no thread. It has a seat for each member, where the messages for that member wait. The member is called on its
/// own loop to take them, and no other loop touches it.
///
/// While a member does not keep up, every speaker is paused until all keep up again. So what waits at a seat stays near
/// Room::pause_above, plus one message of each member. A member that takes nothing for Room::patience is cut. One that takes
/// something, but too slowly to catch up within Room::longest_wait, keeps nobody waiting any longer, and is cut when
/// Room::most_for_the_slow wait for it.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "wharf/protocol.hpp"

namespace plugins {

/// Safe from any thread.
class Room {
 public:
  using Text = std::shared_ptr<const std::string>;
  using Call = std::function<void()>;

  static constexpr std::size_t pause_above = 64 * 1024;              ///< bytes at a seat
  static constexpr std::size_t most_for_the_slow = 4 * 1024 * 1024;  ///< bytes at the seat of a member that keeps nobody waiting
  static constexpr std::chrono::seconds patience{3};
  static constexpr std::chrono::seconds longest_wait{10};

  class Seat {
   public:
    /// `call` has the member come soon, on its own loop.
    explicit Seat(Call call) : call_(std::move(call)) {}

   private:
    friend class Room;
    enum class Holder : std::uint8_t {
      takes,
      gave_up,  // will never take anything again
      overrun   // the same, as more came than a seat may hold
    };
    enum class Pace : std::uint8_t {
      keeps_up,
      behind,  // pauses the speakers
      slow     // was behind for too long, and has not caught up since
    };

    Call call_;
    std::deque<Text> waiting_;
    std::size_t bytes_ = 0;
    Holder holder_ = Holder::takes;
    Pace pace_ = Pace::keeps_up;
    bool called_ = false;  // called, and has not come yet
    bool stuck_ = false;   // the member takes nothing for now
    bool paused_ = false;  // waits until nobody is behind
  };
  using Place = std::list<Seat>::iterator;

  /// A member for whom more than `most_waiting` bytes wait has to be cut: some speakers cannot be paused.
  explicit Room(std::size_t most_waiting) : most_waiting_(most_waiting) {}

  Place enter(Call call) {
    const std::lock_guard lock(mutex_);
    return seats_.emplace(seats_.end(), std::move(call));
  }
  void leave(Place seat) {
    const std::lock_guard lock(mutex_);
    empty(*seat);
    seats_.erase(seat);
  }

  void say(const Text& text) {
    const std::lock_guard lock(mutex_);
    for (Seat& seat : seats_) put(seat, text);
  }
  void say_to(Place seat, const Text& text) {
    const std::lock_guard lock(mutex_);
    put(*seat, text);
  }

  /// Whether the member that said something must wait. If so, it is called when it should ask may_go_on().
  bool must_wait(Place seat) {
    const std::lock_guard lock(mutex_);
    return seat->paused_ = behind_ != 0;
  }
  /// True once for each must_wait().
  bool may_go_on(Place seat) {
    const std::lock_guard lock(mutex_);
    return behind_ == 0 && std::exchange(seat->paused_, false);
  }

  /// The member has come; the next message calls it again. False: more waits than a seat may hold.
  bool answer(Place seat) {
    const std::lock_guard lock(mutex_);
    seat->called_ = false;
    return seat->holder_ != Seat::Holder::overrun;
  }
  /// The oldest message, or nullptr.
  Text next(Place seat) {
    const std::lock_guard lock(mutex_);
    if (seat->waiting_.empty()) return nullptr;
    Text text = std::move(seat->waiting_.front());
    seat->waiting_.pop_front();
    seat->bytes_ -= weight(text);
    update(*seat);
    return text;
  }
  void stuck(Place seat) {
    const std::lock_guard lock(mutex_);
    seat->stuck_ = true;
    update(*seat);
  }
  void unstuck(Place seat) {
    const std::lock_guard lock(mutex_);
    seat->stuck_ = false;
    update(*seat);
  }
  /// The member has been stuck for the longest time that others have to wait.
  void slow(Place seat) {
    const std::lock_guard lock(mutex_);
    if (!has_all(*seat)) set_pace(*seat, Seat::Pace::slow);
  }
  /// The member's conversation is over although the member still exists: nothing is kept for it any more.
  void give_up(Place seat) {
    const std::lock_guard lock(mutex_);
    empty(*seat);
  }

 private:
  /// An empty message costs something too.
  static std::size_t weight(const Text& text) { return text->size() + 64; }

  void put(Seat& seat, const Text& text) {
    if (seat.holder_ != Seat::Holder::takes) return;
    seat.waiting_.push_back(text);
    seat.bytes_ += weight(text);
    if (seat.bytes_ > (seat.pace_ == Seat::Pace::slow ? std::min(most_for_the_slow, most_waiting_) : most_waiting_)) {
      empty(seat);
      seat.holder_ = Seat::Holder::overrun;
    }
    update(seat);
    call(seat);
  }
  void empty(Seat& seat) {
    seat.waiting_.clear();
    seat.bytes_ = 0;
    seat.stuck_ = false;
    if (seat.holder_ == Seat::Holder::takes) seat.holder_ = Seat::Holder::gave_up;
    update(seat);
  }
  static bool has_all(const Seat& seat) { return !seat.stuck_ && seat.bytes_ == 0; }
  void update(Seat& seat) {
    if (seat.pace_ == Seat::Pace::slow && !has_all(seat)) return;
    set_pace(seat, seat.stuck_ || seat.bytes_ > pause_above ? Seat::Pace::behind : Seat::Pace::keeps_up);
  }
  void set_pace(Seat& seat, Seat::Pace pace) {
    const bool was_behind = std::exchange(seat.pace_, pace) == Seat::Pace::behind;
    const bool is_behind = pace == Seat::Pace::behind;
    if (was_behind == is_behind) return;
    behind_ += is_behind ? 1 : -1;
    if (behind_ != 0) return;
    for (Seat& other : seats_)
      if (other.paused_) call(other);
  }
  static void call(Seat& seat) {
    if (seat.called_) return;
    seat.call_();
    seat.called_ = true;
  }

  std::mutex mutex_;
  std::list<Seat> seats_;
  int behind_ = 0;  // seats
  const std::size_t most_waiting_;
};

/// What a protocol's class inherits to be a member of one room at a time: struct Mirror : plugins::Member<Mirror> {...}
template <class Derived>
class Member {
 public:
  explicit Member(wharf::Peer its_peer) : peer(its_peer) {}
  ~Member() { leave(); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void drained() {
    if (!std::exchange(stuck_, false)) return;
    peer.every(std::chrono::milliseconds(0));
    if (room_ == nullptr) return;
    take_messages();
    if (stuck_) return;
    stuck_at_ = std::chrono::milliseconds::max();
    room_->unstuck(seat_);
  }

  /// Runs only while the peer takes no more: has it taken anything since? A socket counts as writable only if much of its buffer is
  /// free, but after each tick it is tried.
  void tick() {
    const std::size_t left = peer.buffered();
    const std::chrono::milliseconds now = peer.scope().now();
    if (left < left_) taken_at_ = now;
    else if (now - taken_at_ >= Room::patience) return cut("that took nothing for 3 s");
    left_ = left;
    if (room_ != nullptr && now - stuck_at_ >= Room::longest_wait) room_->slow(seat_);
  }

  wharf::Peer peer;

 protected:
  void enter(std::shared_ptr<Room> room) {
    room_ = std::move(room);
    seat_ = room_->enter([handle = peer.handle<Derived>()] { handle.post([](Derived& member) { member.Member::come(); }); });
  }
  void leave() {
    if (room_ == nullptr) return;
    room_->leave(seat_);
    room_ = nullptr;
  }
  /// After this member said something: pauses it if somebody does not keep up.
  void let_others_keep_up() {
    if (room_->must_wait(seat_)) peer.pause();
  }

  [[nodiscard]] bool is_in() const { return room_ != nullptr; }
  [[nodiscard]] Room& room() const { return *room_; }
  [[nodiscard]] Room::Place seat() const { return seat_; }

 private:
  void come() {
    if (room_ == nullptr) return;
    if (!room_->answer(seat_)) return cut("for whom too much waits");
    take_messages();
    if (room_->may_go_on(seat_)) peer.resume();
  }

  void take_messages() {
    while (!stuck_) {
      const Room::Text text = room_->next(seat_);
      if (text == nullptr) return;
      const wharf::Flow flow = peer.send_text(*text);
      if (flow == wharf::Flow::closed) return room_->give_up(seat_);
      if (flow == wharf::Flow::hold) wait_for_peer();
    }
  }

  void wait_for_peer() {
    stuck_ = true;
    room_->stuck(seat_);
    taken_at_ = peer.scope().now();
    stuck_at_ = std::min(stuck_at_, taken_at_);  // not everything was taken meanwhile: the others still wait
    left_ = peer.buffered();
    peer.every(std::chrono::milliseconds(250));
  }

  void cut(std::string_view why) {
    peer.log(wharf::Level::info,
             "cut, a member " + std::string(why) + ", " + std::to_string(peer.buffered()) + " bytes are queued");
    if (room_ != nullptr) room_->give_up(seat_);
    peer.abort();
  }

  std::shared_ptr<Room> room_;
  Room::Place seat_;
  bool stuck_ = false;                                                     // the peer takes no more for now
  std::chrono::milliseconds stuck_at_ = std::chrono::milliseconds::max();  // since when it has not caught up
  std::chrono::milliseconds taken_at_{};
  std::size_t left_ = 0;  // bytes that the peer had not taken at the last check
};

/// An object that all loops of the process share: one T for each value of the option `group`, and without that option one for each
/// name of a virtual host.
template <class T>
std::shared_ptr<T> in_group_of(const wharf::Scope& scope) {
  static std::mutex mutex;
  static auto& groups = *new std::map<std::string, std::weak_ptr<T>>;
  const std::lock_guard lock(mutex);
  std::erase_if(groups, [](const auto& each) { return each.second.expired(); });  // hosts come and go
  const auto group = scope.option("group");
  std::weak_ptr<T>& known = groups[group ? "group " + std::string(*group) : "host " + std::string(scope.host())];
  std::shared_ptr<T> shared = known.lock();
  if (shared == nullptr) known = shared = std::make_shared<T>();
  return shared;
}

}  // namespace plugins
