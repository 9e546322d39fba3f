#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace wharf::io {

/// How many accepted connections the loops of a server may have together. One budget for all of them, so that none is full while
/// another has room. Outlives the loops. take() and the end of a Place come from any thread, as often as connections come and end.
class Admission {
 public:
  /// A loop. Both are called from any thread, with the admission's lock held, and only have the loop act on its own thread soon.
  class Member {
   public:
    virtual void room_came() noexcept = 0;    ///< there may be a place
    virtual void room_wanted() noexcept = 0;  ///< another loop has none: an idle connection of this one should end
    std::atomic<std::size_t> idle{0};         ///< how many idle connections it has
    bool waits = false;                       ///< used by the admission

   protected:
    ~Member() = default;
  };

  /// One connection's place; empty if there was none.
  class Place {
   public:
    Place() = default;
    explicit Place(Admission* admission) : admission_(admission) {}
    Place(Place&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(admission_, other.admission_);
      return *this;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { give_back(); }

    explicit operator bool() const { return admission_ != nullptr; }
    void give_back() noexcept {
      if (Admission* const admission = std::exchange(admission_, nullptr)) admission->leave_place();
    }
    /// The same if it was of no use because something else was missing: others would find the same, so nobody is told.
    void give_back_silently() noexcept {
      if (Admission* const admission = std::exchange(admission_, nullptr)) admission->taken_.fetch_sub(1);
    }

   private:
    Admission* admission_ = nullptr;
  };

  explicit Admission(std::size_t most) : most_(most) {}
  ~Admission() = default;
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  [[nodiscard]] Place take() { return take_of(most_); }
  /// As take(), and if all are taken, one more, as long as nobody has that: for a client that may be refused, or for which another
  /// connection has to end.
  [[nodiscard]] Place take_beyond() { return take_of(most_ + 1); }
  [[nodiscard]] bool is_exceeded() const { return taken_.load() > most_; }
  [[nodiscard]] std::size_t most() const { return most_; }
  /// Whether a member has an idle connection.
  [[nodiscard]] bool has_idle();

  void join(Member& member);
  void leave(Member& member);
  enum class Shortage : std::uint8_t { places, descriptors };
  /// The member can accept nothing, and has no idle connection to close: the loop that has the most is asked to close one, and the
  /// member is told when there may be room.
  void wait_for_room(Member& member, Shortage shortage);

 private:
  [[nodiscard]] Place take_of(std::size_t most);
  void leave_place() noexcept;

  const std::size_t most_;
  std::atomic<std::size_t> taken_{0};
  std::atomic<std::size_t> waiting_{0};
  std::mutex mutex_;
  std::vector<Member*> members_;
};

}  // namespace wharf::io
