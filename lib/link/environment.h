#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/peer_address.h"
#include "base/result.h"
#include "link/link.h"
#include "link/session.h"

namespace wharf::server {

/// Threads for what would hold up a loop: each kind has its own, so that one does not wait for the other. Names are looked up by
/// threads of their own, within connect().
enum class Executor : std::uint8_t {
  passwords,  ///< slow hashes
  files,      ///< reading, compressing and listing
  signing     ///< TLS handshakes with large keys
};

/// A connection that is being made. Its destruction gives it up: then neither of the two calls of Dialer::connect() comes.
class Attempt {
 public:
  Attempt() = default;
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  virtual ~Attempt() = default;
};

/// Makes connections to other servers. On the loop's thread.
class Dialer {
 public:
  Dialer() = default;
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  virtual ~Dialer() = default;

  /// Connects within `limit`. Exactly one of the two is called, later: never within this call. The link owns itself, and calls the
  /// session that `connected` makes; `failed` gets the reason in a few words. Neither is called if the loop stops before, or if the
  /// attempt is given up, which it may be within the two calls as well. nullptr: the loop has stopped.
  [[nodiscard]] virtual std::unique_ptr<Attempt> connect(const base::Endpoint& to, base::Time limit,
                                                         session::SessionMaker connected,
                                                         std::function<void(std::string_view)> failed) = 0;
};

/// How our own connections over TLS trust a server, and what they show to it. Files are PEM.
struct TlsClient {
  enum class Verification : std::uint8_t { off, on };

  std::string server_name;    ///< asked for (RFC 6066 section 3), and named by the certificate; or an address
  std::string authorities{};  ///< a file: who may have signed the server's certificate; empty: those of the system
  std::string certificate{};  ///< a file, for servers that ask for one, with those between it and a root; empty: none
  std::string key{};          ///< a file; empty: the key is in the file of the certificate
  std::string passphrase{};   ///< a file whose first line opens an encrypted key; empty: it is not encrypted
  Verification verification = Verification::on;

  friend bool operator==(const TlsClient&, const TlsClient&) = default;
};

/// What mounts need of the world besides the connections of their clients. One per loop; everything on the loop's thread, except
/// the tasks.
class Outside : public Dialer {
 public:
  /// What connects over TLS. It lives no longer than this. The error is one line.
  [[nodiscard]] virtual base::Result<std::unique_ptr<Dialer>, std::string> over_tls(const TlsClient& settings) = 0;

  /// Runs `task` on a thread of that executor, then `done` on the loop's: later, never within this call. False: too many
  /// wait there, or the loop has ended; neither is called. If the loop stops before the end, `done` is not called, and a task that
  /// has begun goes on alone, perhaps long after the server has gone: it must own all that it touches. An exception of the task is
  /// dropped, and `done` is called all the same. `about` names what it may hang on: a part of the threads is left to others.
  [[nodiscard]] virtual bool work(Executor on, std::string_view about, std::function<void()> task, std::function<void()> done) = 0;

  /// How many threads that executor may have, for all loops together.
  [[nodiscard]] virtual std::size_t threads(Executor of) const = 0;

  /// Calls back once, later in this turn of the loop, before it blocks.
  virtual void at_turn_end(std::function<void()> call) = 0;

  /// Counts the turns of the loop, from 1.
  [[nodiscard]] virtual std::uint64_t turn() const = 0;

  [[nodiscard]] virtual base::Time now() const = 0;
};

}  // namespace wharf::server
