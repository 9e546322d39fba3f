#pragma once
#include <uv.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "io/address.h"
#include "io/connection.h"
#include "io/loop.h"

namespace wharf::io {

/// Where a connection of our own goes: a TCP host and port, or a unix socket.
struct Target {
  std::string host;  ///< a name or an address, without brackets
  std::string port;  ///< a number or the name of a service
  std::string path;  ///< of a unix socket, or '@' and an abstract name; where it is not empty the other two do not count
};

/// Makes one connection: looks up the name on another thread, tries the addresses in the order of the system, each for its
/// share of the time that is left, and hands the socket to a Connection. Such connections do not count for the loop's limit of
/// accepted ones, or clients could fill it that wait for them: whoever connects bounds how many there are.
class Connector final : public Pending, private Timed {
 public:
  using Failed = std::function<void(std::string_view)>;

  /// Exactly one of the two is called, once, later, on a fresh stack; neither when the loop ends before. `connected` makes the
  /// session of the new link; nullptr cuts it. `failed` gets the reason in a few words: "connection refused", "no such host",
  /// "timed out"... A name that is still being looked up when the time is up keeps only a thread of the pool.
  static void start(Loop& loop, const Target& target, base::Time limit, SessionMaker connected, Failed failed);
  /// The same with addresses that are known.
  static void start(Loop& loop, std::vector<Address> addresses, base::Time limit, SessionMaker connected, Failed failed);

 private:
  Connector(Loop& loop, base::Time limit, SessionMaker connected, Failed failed);
  ~Connector() override = default;

  void find_addresses(const Target& target);
  bool take_literal(const Target& target);
  int look_up(const Target& target);
  void looked_up(int status, const addrinfo* found);
  void take(const addrinfo* found);

  void attempt();
  int begin_attempt(const Address& address);
  void on_ready();
  void drop_attempt();
  [[nodiscard]] base::Time end_of_attempt() const;

  void on_timer() override;
  void cancel() override;
  void fail_soon(std::string reason);
  void report_failure();

  SessionMaker connected_;
  Failed failed_;  // empty once one of the two was called, or neither will be
  base::Time deadline_;
  std::string failure_;  // what there is to report
  std::string last_reason_;
  std::vector<Address> addresses_;
  std::size_t next_ = 0;  // of the addresses: the one being tried, or to be tried
  uv_getaddrinfo_t lookup_{};
  uv_poll_t* poll_ = nullptr;
  int socket_ = -1;
  bool looking_up_ = false;
};

}  // namespace wharf::io
