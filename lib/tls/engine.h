#pragma once
#include <openssl/bio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/out_queue.h"
#include "link/peer.h"
#include "tls/context.h"

namespace wharf::tls {

/// The most plain bytes in one record (RFC 8446 section 5.1).
inline constexpr std::size_t largest_record = std::size_t{16} * 1024;

/// One end of a TLS connection, without a socket: it is given the bytes that came, and puts those that are to leave into a queue. An
/// error stays.
class Engine {
 public:
  enum class State : std::uint8_t {
    handshaking,
    open,
    peer_ended,  // its close_notify came (RFC 8446 section 6.1); this side may still send
    failed       // error() says why; an alert for the peer is in the queue, if there is one
  };

  /// The context and `sealed`, which gets what is to leave, outlive this. `server_name` is for a client: what it asks for, and what the
  /// certificate must name; without one a client that verifies fails. Throws std::bad_alloc.
  Engine(const Context& context, base::OutQueue& sealed, const std::string& server_name = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Bytes that came, which shake_hands() and read() use from the front on; until take_back(), which returns those that are left.
  void give(std::span<const char> bytes) { came_ = bytes; }
  std::size_t take_back();

  /// Goes on with the handshake as far as the bytes suffice. Throws std::bad_alloc, as the two below.
  State shake_hands();
  /// Fills `room` with plain bytes, out of as many records as there are; returns how many. 0: no whole record has come, or state()
  /// has changed.
  std::size_t read(std::span<char> room);
  /// Seals these bytes, at most largest_record, into the queue; returns how many. 0: state() has changed, or half of a message of the
  /// handshake has come (RFC 8446 section 4.6), and nothing is sealed before read() has had the rest. Only if open or peer_ended.
  [[nodiscard]] std::size_t seal(std::string_view plain);
  /// Tells the peer that no more comes.
  void close_notify();

  [[nodiscard]] State state() const { return state_; }
  /// Whether read() may have something without further bytes.
  [[nodiscard]] bool has_more() const;
  /// Whether a part of a record has come.
  [[nodiscard]] bool has_part() const;
  /// In one line, for the log.
  [[nodiscard]] const std::string& error() const { return error_; }
  /// After the handshake.
  [[nodiscard]] session::TlsFacts facts() const;

 private:
  static int read_records(BIO* bio, char* into, int size);
  static int write_records(BIO* bio, const char* bytes, int size);
  static const BIO_METHOD* transport();
  void fail(int result);

  SSL* ssl_;
  base::OutQueue& sealed_;
  std::span<const char> came_;
  State state_ = State::handshaking;
  bool no_memory_ = false;  // for the queue; found out within OpenSSL, through which nothing may be thrown
  std::string error_;
};

}  // namespace wharf::tls
