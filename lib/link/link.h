#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/flags.h"
#include "base/out_queue.h"
#include "base/peer_address.h"
#include "link/belonging.h"
#include "link/peer.h"
#include "link/session.h"
#include "wharf/limits.hpp"

namespace wharf::session {

/// How much output may wait for a peer, in bytes.
struct OutputLimits {
  std::size_t low_water = Limits{}.output_low_water;    ///< at or below it, room() is called
  std::size_t high_water = Limits{}.output_high_water;  ///< above it, a session holds its input
  std::size_t hard_cap = Limits{}.output_hard_cap;      ///< if more than that waits and still more has to be sent, the link is cut
};

/// How much one link may do in one turn of its loop before the others get theirs: bytes of input, bytes that come out of inflating,
/// and for each message, piece or request as many bytes as take about the same time. The last of these may exceed it.
inline constexpr std::int64_t work_per_turn = std::int64_t{512} * 1024;
/// The work of a message or a piece whose handling takes no longer than a call.
inline constexpr std::int64_t event_work = 128;

/// From this size on, bytes are worth write_through().
inline constexpr std::size_t write_through_from = std::size_t{16} * 1024;

/// The byte pipe below a session. A TCP connection, a TLS connection, one HTTP/2 stream and a test pipe are all Links: they differ
/// in the few virtual functions; this class decides, for all of them, which session gets which bytes, and when one ends.
///
/// Life: input and output; then finish() (what is queued still leaves) or abort(), either from the session or from the carrier;
/// then the session is told ended() and destroyed on a fresh stack, and the carrier closes.
class Link {
 public:
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  virtual ~Link() = default;

  // ---- What a session may call, at any time on the loop's thread. None of it calls the session back. ----

  /// The output. All that a turn of the loop puts here leaves in one write at its end. After adding, call touch().
  base::OutQueue& out() { return out_; }

  /// Makes sure that settle() comes for what was queued or asked for, before the loop blocks. Cheap within the session's own calls.
  void touch() {
    if (calls_ == 0) schedule();
  }

  /// Whether a call from the carrier is on the stack and the link goes on after it, so that what is queued leaves without a
  /// touch().
  [[nodiscard]] bool in_turn() const { return calls_ != 0 && !ending(); }

  /// Queues head and body, which are too large to be worth copying: what the carrier can take at once leaves at once, after
  /// everything that was queued.
  virtual void write_through(std::string_view head, std::string_view body);

  /// Writes what the carrier takes, now instead of at the end of the turn.
  virtual void flush() = 0;

  /// Sends what is queued and then at most `size` bytes of an open file from `offset` on, without copying them. Returns how many
  /// of the file left: 0 if the carrier takes none for now; room() comes after want_room() when it does. Nothing if this carrier
  /// cannot, or no longer can: then the file has to be read and queued. If the file is cut short meanwhile, that changes what is on
  /// its way.
  virtual std::optional<std::size_t> send_file(int /*file*/, std::uint64_t /*offset*/, std::size_t /*size*/) {
    return std::nullopt;
  }

  /// Between the two, what is queued stays queued, so that it leaves in as few writes as possible: up to the high-water mark, and
  /// up to the low-water mark if room is wanted. flush() and write_through() write all the same. A cork ends with its
  /// session.
  void cork();
  void uncork();

  /// The end of this side's output, after everything queued has left; input goes on. From here on nothing may be queued.
  void end_output();

  /// The next session; it takes over on a fresh stack, with every byte that this one has not used.
  void become(std::unique_ptr<Session> next);

  /// No input() until resume_input(). Bytes that have been read stay with the link; the peer's further bytes stay in its network
  /// buffers.
  void hold_input();
  void resume_input();

  /// Counts work of this turn. The link itself counts the bytes that input() uses.
  void spend(std::int64_t work) { work_left_ -= work; }
  [[nodiscard]] std::int64_t work_left() const { return work_left_; }
  /// False: input() must return what it has used so far, and is called with the rest in a later turn, when other links had theirs.
  [[nodiscard]] bool may_go_on() const { return work_left_ > 0; }
  /// The session has more to do with input that it has taken: input() comes again, as if bytes were left, perhaps without any.
  void ask_again() { marks_.add(Mark::more_input); }

  /// Within input(), by a session that must see more than it was given before it uses any of it: it then returns 0, and is called with
  /// all of these bytes and those behind them as soon as more have come. The link keeps them, so the session sets an end to that.
  void await_more() { marks_.add(Mark::awaits_more); }

  /// How many bytes the carrier should read at a time, at most: the link keeps no more than that for a session that leaves input
  /// behind.
  static constexpr std::size_t usual_read = std::size_t{128} * 1024;
  void read_at_most(std::size_t size) { most_read_ = size; }

  /// Between two exchanges, so that a carrier that needs room for another link may end this one; and busy again. Not within an
  /// exchange that has begun or may have begun: a session begins busy.
  virtual void now_idle() {}
  virtual void now_busy() {}

  /// Whether more than the high-water mark is queued, even after trying to write it. Then a session holds its input and wants room.
  [[nodiscard]] bool overfull() {
    if (out_.size() <= limits_->high_water) return false;
    flush();
    return out_.size() > limits_->high_water;
  }

  /// Whether more than the hard cap is queued, even after trying to write it. Ask before queueing something, which itself does not
  /// count, because the peer had no time to take it. If so, a session cuts the link.
  [[nodiscard]] bool beyond_cap() {
    if (out_.size() <= limits_->hard_cap) return false;
    flush();
    return out_.size() > limits_->hard_cap;
  }

  /// Whether the peer has neither ended nor sent anything that the session has not been given. This asks the carrier anew: bytes
  /// that came since it last looked count too, and will be delivered all the same.
  [[nodiscard]] bool quiet() { return input_end_ == InputEnd::awaited && !input_waits() && nothing_came(); }

  /// Copies the first of the bytes that have come to the carrier and were not read, without taking them; returns how many. 0: there
  /// are none, or the peer has ended as well, or something that was read waits.
  [[nodiscard]] std::size_t look_at_input(std::span<char> into) {
    return input_end_ == InputEnd::awaited && !input_waits() ? copy_unread(into) : 0;
  }

  /// room() is called once when at most the low-water mark is queued.
  void want_room() { marks_.add(Mark::room); }

  /// turn() is called once, on a fresh stack, before the loop blocks or in its next turn, however much is queued.
  void want_turn() {
    marks_.add(Mark::own_turn);
    touch();
  }

  /// deadline() is called at that moment; base::never: never. There is one deadline: a later call replaces the earlier.
  virtual void set_deadline(base::Time when) = 0;

  /// Ends the link after everything queued has left. Input is ignored from here on.
  void finish();
  /// Ends the link at once; queued output is lost.
  void abort();
  /// The same between two exchanges, when all was said: the peer is told so first, if the carrier has a word for it.
  void leave() {
    if (!ending()) say_goodbye();
    abort();
  }
  [[nodiscard]] bool ending() const { return stage_ != Stage::open; }

  [[nodiscard]] virtual base::Time now() const = 0;
  [[nodiscard]] const LinkPeer& peer() const { return peer_; }
  /// The same as text, for the log: 127.0.0.1:4711, [::1]:4711, unix:/path.
  [[nodiscard]] virtual std::string address() const { return peer_.address.text(); }
  /// From here on the link belongs to one client, which came through somebody else's connection.
  void set_peer(const base::PeerAddress& peer) { peer_.address = peer; }
  /// Keeps it until the carrier has gone, which is after the end of the last session.
  void attach(std::unique_ptr<Belonging> belonging) noexcept {
    belonging->next = std::move(belongings_);
    belongings_ = std::move(belonging);
  }
  /// What that one said of the link as it began.
  void set_proxied(server::Shared<ProxyFacts> facts) { peer_.proxied = std::move(facts); }
  [[nodiscard]] const OutputLimits& limits() const { return *limits_; }

 protected:
  /// `limits` outlives the link.
  Link(base::ChunkPool& pool, const OutputLimits& limits) : out_(pool), limits_(&limits) {}

  // ---- What a carrier calls, each on a fresh stack. Exceptions of a session, as for a lack of memory, end here: this link is cut,
  // and no other. ----

  /// The first session; nullptr: nobody wants the link any more, and it is cut.
  void begin(std::unique_ptr<Session> first) noexcept;
  /// Bytes arrived.
  void deliver(std::span<char> bytes) noexcept;
  void deliver_end_of_input() noexcept;
  void deliver_deadline() noexcept;
  void deliver_shut_down() noexcept;
  /// Also before begin(), for the first session.
  void deliver_drain() noexcept;
  /// Writes what is queued, gives the session room, hands over kept input, and ends the session if that is due. Call it after
  /// touch(), and when the carrier can take more output.
  void settle() noexcept;
  [[nodiscard]] std::size_t most_read() const { return most_read_; }

  [[nodiscard]] Session* session() const { return session_.get(); }
  [[nodiscard]] bool input_held() const { return holds_ == Holds::input || (input_waits() && !marks_.has(Mark::awaits_more)); }
  /// Something was read that the session has not taken yet.
  [[nodiscard]] bool input_waits() const { return kept_input_ != nullptr || marks_.has(Mark::more_input); }
  /// Its session was asked to drain, and waits for shut_down().
  [[nodiscard]] bool waits_to_be_told() const { return marks_.has(Mark::waits_to_be_told) && !ending(); }
  [[nodiscard]] bool finishing() const { return stage_ == Stage::finishing; }
  [[nodiscard]] bool aborted() const { return stage_ == Stage::aborted; }
  /// Whether it is corked, and so little is queued that it waits.
  [[nodiscard]] bool held_back() const {
    if (output_ != Output::corked || ending()) return false;
    return out_.size() <= (marks_.has(Mark::room) ? limits_->low_water : limits_->high_water);
  }

  // ---- What a carrier that is a session of another link asks of that one. ----

  [[nodiscard]] static std::uint32_t turn_number_of(const Link& below) { return below.turn_number(); }
  static void tell_lost_of(Link& below, const char* what) noexcept { below.tell_lost(what); }

  // ---- What a carrier provides. ----

  /// `facts` live as long as the link.
  void set_tls(const TlsFacts& facts) { peer_.tls = &facts; }

  /// Whether there is no room although the queue is empty: the carrier refused file bytes and waits until it takes some again, or
  /// takes nothing any more.
  [[nodiscard]] virtual bool blocked() const { return false; }
  /// Whether the carrier has nothing to deliver, neither bytes nor the peer's end.
  [[nodiscard]] virtual bool nothing_came() { return true; }
  /// As look_at_input().
  [[nodiscard]] virtual std::size_t copy_unread(std::span<char> /*into*/) { return 0; }
  /// Everything has left after end_output(): the peer is told. Called once.
  virtual void output_ended() = 0;
  /// As in leave(). What cannot leave at once is not said.
  virtual void say_goodbye() noexcept {}

  /// Counts the turns of the loop: in each, every socket gets looked at once.
  [[nodiscard]] virtual std::uint32_t turn_number() const = 0;
  /// Calls settle() on a fresh stack before the loop blocks, in this turn or, if that is at its end already, in the next.
  virtual void schedule() = 0;
  /// The link is cut because of an exception of its session, with its what(). If there is no memory, there may be none for a log
  /// line.
  virtual void tell_lost(const char* /*what*/) noexcept {}
  /// input_held() changed, or the link began to end.
  virtual void input_wanted_changed() = 0;
  /// The session is gone and ending() holds: the carrier flushes what is queued (not when aborted) and closes. Called once.
  virtual void wind_up() = 0;

 private:
  enum class Stage : std::uint8_t { open, finishing, aborted };
  enum class Output : std::uint8_t {
    flows,
    corked,
    ending,  // when all that is queued has left
    ended    // the carrier was told
  };
  enum class InputEnd : std::uint8_t {
    awaited,
    came,
    told  // the present session knows
  };
  enum class Holds : std::uint8_t { nothing, input };  // the session, until it resumes
  enum class Mark : std::uint8_t {
    more_input,   // the session has more to do with input that it has taken
    room,         // is wanted
    own_turn,     // the session wants a call before the loop blocks
    shut_down,    // the server stops, and every session from here on is told so
    wind_up,      // the carrier was asked for it: nothing else comes any more
    awaits_more,  // before the session uses what is kept
    drains,       // the server does, and every session from here on is asked to
    waits_to_be_told
  };
  template <class Call>
  void settle_after(Call&& call) noexcept;
  void lose() noexcept;
  struct KeptInput {
    std::string bytes;
    std::size_t used = 0;
  };

  [[nodiscard]] bool wants_kept_input() const {
    return holds_ == Holds::nothing && input_waits() && !marks_.has(Mark::awaits_more);
  }
  void begin_work();
  void take(std::span<char> bytes);
  std::span<char> feed(std::span<char> bytes);
  void feed_kept_input();
  void keep(std::unique_ptr<KeptInput> rest);
  void swap_session();
  void drain_session();
  void work();
  void give_room();
  void end_session() noexcept;

  base::OutQueue out_;
  const OutputLimits* limits_;
  LinkPeer peer_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Session> next_;
  std::unique_ptr<Belonging> belongings_;
  std::unique_ptr<KeptInput> kept_input_;  // read, but not used by any session yet
  std::int64_t work_left_ = work_per_turn;
  std::size_t most_read_ = usual_read;
  std::uint32_t work_turn_ = 0;  // the turn of that work
  std::uint8_t calls_ = 0;       // from the carrier, on the stack: each settles the link at its end
  Stage stage_ = Stage::open;
  Output output_ = Output::flows;
  InputEnd input_end_ = InputEnd::awaited;
  Holds holds_ = Holds::nothing;
  base::Flags<Mark> marks_;
};

}  // namespace wharf::session
