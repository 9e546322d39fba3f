#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/flags.h"
#include "base/out_queue.h"
#include "link/link.h"

namespace wharf::session {

/// A Link whose other end is the test: receive() for bytes in, take() for bytes out, and a clock that the test drives. Nothing
/// happens by itself; run() does what a turn of the loop would.
class MemoryLink final : public Link {
 public:
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
  static constexpr std::string_view first_address = "192.0.2.1:4711";

  /// `now` outlives the link, and so do pool and limits.
  MemoryLink(base::ChunkPool& pool, const OutputLimits& limits, const base::Time& now) : Link(pool, limits), now_(now) {
    set_address(first_address);
  }

  void open(std::unique_ptr<Session> first);
  /// The peer sends. The bytes are kept back while the session holds its input, as with a socket.
  void receive(std::string_view bytes);
  void receive_end();
  /// The same, but the session does not hear of it before the next turn.
  void arrive(std::string_view bytes) { waiting_ += bytes; }
  void arrive_end() { marks_.add(Mark::peer_ended); }
  void server_stops();
  void server_drains();
  using Link::waits_to_be_told;

  /// How much more the peer takes before it blocks; what the session writes beyond it stays in the queue.
  void set_window(std::size_t bytes) { window_ = bytes; }

  /// Handles bytes that have arrived, deadlines that have passed, scheduled work and output, in as many turns as it takes until
  /// nothing is left to do.
  void run();
  /// One of these turns, of a loop with other links: bytes that have arrived, then what was scheduled. True: there is more to do.
  bool run_one_turn();

  /// The output that the peer has not looked at yet.
  std::string take() { return std::exchange(written_, {}); }
  [[nodiscard]] bool closed() const { return marks_.has(Mark::closed); }  ///< by finish(), with all output delivered, or by abort()
  [[nodiscard]] bool output_is_over() const { return marks_.has(Mark::output_over); }  ///< end_output(), with all output delivered
  [[nodiscard]] bool was_aborted() const { return aborted(); }
  [[nodiscard]] bool reading() const { return !input_held() && !ending(); }
  [[nodiscard]] bool scheduled() const { return marks_.has(Mark::scheduled); }  ///< run() has something to do
  [[nodiscard]] base::Time due() const { return deadline_; }
  [[nodiscard]] std::size_t write_calls() const { return write_calls_; }
  [[nodiscard]] const std::string& lost() const { return lost_; }        ///< the text of the exception for which it was cut
  [[nodiscard]] bool is_idle() const { return marks_.has(Mark::idle); }  ///< as its session says
  [[nodiscard]] std::size_t unread() const { return waiting_.size(); }

  void now_idle() override { marks_.add(Mark::idle); }
  void now_busy() override { marks_.remove(Mark::idle); }
  void flush() override;
  void set_deadline(base::Time when) override { deadline_ = when; }
  [[nodiscard]] base::Time now() const override { return now_; }
  /// In the form of PeerAddress::parse(); otherwise the address is not known.
  using Link::set_tls;
  void set_address(std::string_view text) { set_peer(base::PeerAddress::parse(text).value_or(base::PeerAddress())); }

 private:
  enum class Mark : std::uint8_t { idle, scheduled, peer_ended, closed, output_over };

  [[nodiscard]] std::uint32_t turn_number() const override { return turn_; }
  void tell_lost(const char* what) noexcept override;
  void schedule() override { marks_.add(Mark::scheduled); }
  void input_wanted_changed() override {}
  void wind_up() override {}
  void output_ended() override { marks_.add(Mark::output_over); }
  [[nodiscard]] bool nothing_came() override { return waiting_.empty() && !marks_.has(Mark::peer_ended); }
  [[nodiscard]] std::size_t copy_unread(std::span<char> into) override;
  void after();

  const base::Time& now_;
  base::Time deadline_ = base::never;
  std::size_t window_ = unlimited;
  std::size_t write_calls_ = 0;
  std::uint32_t turn_ = 0;
  std::string written_;
  std::string lost_;
  std::string waiting_;  // sent by the peer, not read yet
  base::Flags<Mark> marks_;
};

}  // namespace wharf::session
