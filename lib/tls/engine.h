#pragma once
#include <openssl/bio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/out_queue.h"
#include "link/link.h"
#include "link/peer.h"
#include "tls/context.h"
#include "tls/named_contexts.h"

namespace wharf::tls {

/// The most plain bytes in one record (RFC 8446 section 5.1).
inline constexpr std::size_t largest_record = std::size_t{16} * 1024;

/// RSA keys of more bits take a millisecond and more to sign with; a loop has others to serve meanwhile.
inline constexpr int largest_key_of_a_loop = 2'048;

/// The messages of TLS itself, such as KeyUpdate (RFC 8446 section 4.6.3), that a peer may send with no data between them. An honest one
/// needs a few at the beginning, and then one after some gigabytes.
inline constexpr unsigned most_messages_without_data = 32;

/// The work of a record, besides its bytes, and of a KeyUpdate: so many are all the work of a turn.
inline constexpr std::int64_t record_work = session::work_per_turn / 1'024;
inline constexpr std::int64_t key_update_work = session::work_per_turn / 32;

/// One end of a TLS connection, without a socket: it is given the bytes that came, and puts those that are to leave into a queue. An
/// error stays.
class Engine {
 public:
  enum class State : std::uint8_t {
    handshaking,
    must_sign,  // with a large key: go_aside(), or sign_here() and then shake_hands()
    open,
    peer_ended,  // its close_notify came (RFC 8446 section 6.1); this side may still send
    failed       // error() says why; an alert for the peer is in the queue, if there is one
  };

  /// The step of a handshake in which a large key signs. It owns all that it needs.
  class Aside;

  /// `sealed`, which gets what is to leave, outlives this, and the context its handshake. `server_name` is for a client: what it asks for, and what the
  /// certificate must name; without one a client that verifies fails. Throws std::bad_alloc.
  Engine(const Context& context, base::OutQueue& sealed, const std::string& server_name = {});
  /// A server that has a context for each name. They outlive the handshake.
  Engine(const NamedContexts& contexts, base::OutQueue& sealed);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Bytes that came, which shake_hands(), read() and look() use from the front on; until take_back(), which returns those that are left.
  /// When reading them has cost `work`, nothing more is used: the last record may exceed it.
  void give(std::span<const char> bytes, std::int64_t work);
  std::size_t take_back();
  /// What is left of that work.
  [[nodiscard]] std::int64_t work_left() const { return wire_.work_left; }

  /// Goes on with the handshake as far as the bytes suffice. Throws std::bad_alloc, as the two below.
  State shake_hands();
  /// From here on, must_sign is a state. Otherwise large keys sign in shake_hands() like all others.
  void put_large_keys_aside() { wire_.keys = Keys::small; }
  void sign_here() { wire_.keys = Keys::all; }
  /// In must_sign: the next step, for one call of run() on any thread. Until come_back() nothing but state() and the destructor may be
  /// called here. Throws std::bad_alloc.
  [[nodiscard]] std::shared_ptr<Aside> go_aside();
  /// After run(). Throws std::bad_alloc.
  State come_back(Aside& step);
  /// What the last step has cost, if it has put something into the queue: in signatures with P-256.
  [[nodiscard]] unsigned cost() const { return wire_.cost; }
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
  /// Whether there are plain bytes, or an end, in what was given; what is for OpenSSL alone, such as a ticket, or a part of a record, is
  /// used up.
  [[nodiscard]] bool look();
  /// Whether a part of a record has come.
  [[nodiscard]] bool has_part() const;
  /// In one line, for the log.
  [[nodiscard]] const std::string& error() const { return error_; }
  /// After the handshake.
  [[nodiscard]] session::TlsFacts facts() const;

  /// For SSL_CTX_set_client_hello_cb(): has the handshake go on with the context for the name that the client asks for, before OpenSSL
  /// looks whether a session may be resumed.
  static int choose_context(SSL* ssl, int* alert, void* own);

 private:
  enum class Keys : std::uint8_t { all, small };

  /// What OpenSSL reads from and writes to.
  struct Wire {
    std::span<const char> came;
    base::OutQueue* sealed = nullptr;  ///< nullptr: `aside`
    std::string aside;
    std::int64_t work_left = 0;
    unsigned messages_without_data = 0;
    bool no_memory = false;     ///< found out within OpenSSL, through which nothing may be thrown
    bool unknown_name = false;  ///< the client asked for it
    Keys keys = Keys::all;      ///< those that sign
    unsigned cost = 1;
    const Context* context = nullptr;      ///< only in a handshake
    const NamedContexts* names = nullptr;  ///< likewise; nullptr: there is only the context
  };
  /// The end of a call of OpenSSL that did not succeed. The thread's errors are forgotten.
  struct Outcome {
    State state;
    std::string error;
  };

  static int read_records(BIO* bio, char* into, int size);
  static int write_records(BIO* bio, const char* bytes, int size);
  static void count_message(int is_sent, int version, int type, const void* bytes, std::size_t size, SSL* ssl, void* own);
  static int before_signing(SSL* ssl, void* own);
  static const BIO_METHOD* transport();
  static Outcome shake(SSL* ssl);
  static Outcome outcome(SSL* ssl, int result, State state);
  void settle(Outcome&& outcome);
  [[nodiscard]] bool floods() const { return wire_.messages_without_data > most_messages_without_data; }
  void fail(int result) { settle(outcome(ssl_, result, state_)); }

  SSL* ssl_;
  Wire wire_;
  State state_ = State::handshaking;
  std::string error_;
};

class Engine::Aside {
 public:
  /// Takes a reference.
  explicit Aside(SSL* ssl);
  ~Aside();
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

  void run() noexcept;

 private:
  friend class Engine;

  SSL* ssl_;
  Wire wire_;
  Outcome outcome_{State::failed, {}};
};

}  // namespace wharf::tls
