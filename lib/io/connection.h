#pragma once
#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/flags.h"
#include "io/admission.h"
#include "io/loop.h"
#include "link/link.h"

namespace wharf::io {

/// A Link over a stream socket. Owns itself: created by adopt(), it is destroyed when the socket has been closed.
class Connection final : public session::Link, private Timed {
 public:
  enum class Origin : std::uint8_t { accepted, outgoing };

  /// Takes over a connected, non-blocking socket, and its place among the accepted connections. Returns false, with the socket
  /// closed, if the system refuses to watch it or there is no memory. A link made while the loop stops is told so after its start.
  /// `peer` is the other end, as accept() or connect() had it: after a reset the system no longer knows it.
  static bool adopt(Loop& loop, int socket, const session::SessionMaker& make_session, Origin origin = Origin::accepted,
                    const base::PeerAddress& peer = {}, Admission::Place place = {}) noexcept;

  void now_idle() override { loop_.add_idle(*this); }
  void now_busy() override { loop_.remove_idle(*this); }
  void flush() override;
  void write_through(std::string_view head, std::string_view body) override;
  std::optional<std::size_t> send_file(int file, std::uint64_t offset, std::size_t size) override;
  void set_deadline(base::Time when) override;
  [[nodiscard]] base::Time now() const override { return loop_.now(); }
  [[nodiscard]] std::string address() const override;

 private:
  friend class Loop;  // walks the lists of connections, which are threaded through them
  enum class Stage : std::uint8_t {
    open,
    winding_up,  // queued output still leaves
    shut,        // that has left, and the peer was told that no more comes: the link waits for its end
    closed,
    gone  // libuv has let go of the socket
  };
  enum class Peer : std::uint8_t {
    takes,   // output
    broken,  // takes nothing any more; what it sent before is still read
    reset    // the same, and a write said so; reading does not say it again, but shows an end that the peer never sent
  };
  enum class Mark : std::uint8_t {
    idle,
    gives_way,  // to another connection: it does not wait for the peer
    unread,     // something has come that must not be read now
    scheduled,
    peer_ended,
    output_over,  // the peer was told, and may go on
    file_waits    // for the socket to take more of a file
  };
  class Turn;
  void tell_lost(const char* what) noexcept override;

  Connection(Loop& loop, int socket, Origin origin);
  ~Connection() override = default;

  [[nodiscard]] std::uint32_t turn_number() const override { return static_cast<std::uint32_t>(loop_.turn_number()); }
  void schedule() override { loop_.schedule(*this); }
  void input_wanted_changed() override;
  void wind_up() override;
  [[nodiscard]] bool blocked() const override { return marks_.has(Mark::file_waits) || (broken() && origin_ == Origin::accepted); }
  [[nodiscard]] bool nothing_came() override;
  [[nodiscard]] std::size_t copy_unread(std::span<char> into) override;
  void output_ended() override;

  void on_ready(int status, int events);
  void on_news();
  void on_reset();
  void read_to_the_end();
  bool read();
  void resume_output();
  ssize_t send_front(const base::OutQueue& queue, std::size_t& offered) const;
  void write_failed(ssize_t error);
  void break_off();
  void await_socket();
  void progress(std::size_t sent, std::size_t left);
  [[nodiscard]] bool broken() const { return peer_state_ != Peer::takes; }
  [[nodiscard]] bool winding_up() const { return stage_ >= Stage::winding_up; }
  [[nodiscard]] bool closed() const { return stage_ >= Stage::closed; }
  [[nodiscard]] bool wants_input() const;
  void update_interest();
  void decide_interest();
  void arm_timer();
  void on_timer() override;
  void on_settle();
  void on_shut_down();
  void on_drain();
  bool give_way();
  void proceed_winding_up();
  void close();

  Loop& loop_;
  uv_poll_t poll_{};
  Connection* previous_ = nullptr;
  Connection* next_ = nullptr;
  Connection* next_scheduled_ = nullptr;
  Connection* previous_idle_ = nullptr;
  Connection* next_idle_ = nullptr;
  Admission::Place place_;
  base::Time session_deadline_ = base::never;
  base::Time own_deadline_ = base::never;  // write stall; after wind_up(): flush or linger
  std::size_t taken_ = 0;                  // bytes that the peer took since own_deadline_ was set
  int socket_;
  Origin origin_;
  std::uint8_t interest_ = 0;
  Stage stage_ = Stage::open;
  Peer peer_state_ = Peer::takes;
  bool in_turn_ = false;
  bool interest_changed_ = false;  // what the socket is watched for is decided at the end of the turn
  base::Flags<Mark> marks_;
  std::uint8_t news_ = UV_DISCONNECT;  // what the socket is watched for if nothing is read or written; see update_interest()
};

}  // namespace wharf::io
