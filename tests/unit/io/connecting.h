#pragma once
#include <dirent.h>
#include <doctest/doctest.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/log.h"
#include "io/address.h"
#include "io/connector.h"
#include "io/listener.h"
#include "unit/io/named_turns.h"
#include "unit/link/scripted.h"

// For tests of connections that are made.

namespace wharf::test {

inline constexpr base::Time long_enough{20'000};

inline io::ListeningSocket listen_on(const io::Address& address, int backlog = 16) {
  auto socket = io::ListeningSocket::open(address, backlog, io::ListeningSocket::Sharing::alone);
  REQUIRE(socket);
  return std::move(*socket);
}
inline io::ListeningSocket listen_on(const char* host = "127.0.0.1", int backlog = 16) {
  return listen_on(*io::resolve_interface(host, 0), backlog);
}

/// An abstract unix socket that no other run of the test uses.
inline std::string abstract_name(std::string_view of) { return base::concat("@wharf-test-", of, "-", getpid()); }

inline std::string port_of(const io::ListeningSocket& socket) { return std::to_string(socket.address().port()); }

/// A port on which nobody listens.
inline std::string free_port() { return port_of(listen_on()); }

inline int open_and_close_a_loop() {
  uv_loop_t loop;
  return uv_loop_init(&loop) == 0 ? uv_loop_close(&loop) : -1;
}

/// The descriptors that are open now.
inline std::vector<int> descriptors() {
  static const int all_loops_have_what_they_share = open_and_close_a_loop();
  REQUIRE(all_loops_have_what_they_share == 0);
  std::vector<int> open;
  DIR* folder = opendir("/proc/self/fd");
  REQUIRE(folder != nullptr);
  while (const dirent* entry = readdir(folder))
    if (const int number = std::atoi(entry->d_name); entry->d_name[0] != '.' && number != dirfd(folder)) open.push_back(number);
  closedir(folder);
  std::sort(open.begin(), open.end());
  return open;
}

/// Connections that wait to be accepted, as many as the backlog holds.
class FullBacklog {
 public:
  explicit FullBacklog(const io::ListeningSocket& listening) : listening_(listening.descriptor()) {
    const io::Address& address = listening.address();
    for (bool full = false; !full;) {
      REQUIRE(waiting_.size() < 1'000);
      const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
      waiting_.push_back(socket);
      const bool at_once = ::connect(socket, address.get(), address.size) == 0;
      full = !at_once && (errno == EAGAIN || !connects(socket));
    }
  }
  ~FullBacklog() {
    for (const int socket : waiting_) close(socket);
  }
  FullBacklog(const FullBacklog&) = delete;
  FullBacklog& operator=(const FullBacklog&) = delete;

  /// Makes room for one.
  void accept_one() const { close(::accept(listening_, nullptr, nullptr)); }

 private:
  static bool connects(int socket) {
    fd_set sockets;
    FD_ZERO(&sockets);
    FD_SET(socket, &sockets);
    timeval some_time{0, 50'000};
    return ::select(socket + 1, nullptr, &sockets, nullptr, &some_time) == 1;
  }

  int listening_;
  std::vector<int> waiting_;
};

/// The outcome of one attempt to connect.
struct Attempt {
  template <class To>
  void start(NamedTurns& turns, const To& to, base::Time limit = long_enough) {
    within_ = true;
    const auto made = [&](session::Link& ours) {
      CHECK_FALSE(within_);
      ++connected;
      link = &ours;
      return std::make_unique<Scripted>(ours, story, "ours");
    };
    const auto failed = [&](std::string_view reason) {
      CHECK_FALSE(within_);
      failures.emplace_back(reason);
    };
    if constexpr (std::is_same_v<To, base::Endpoint>)
      handle = io::Connector::start(turns.loop(), turns.resolver, to, limit, made, failed);
    else handle = io::Connector::start(turns.loop(), to, limit, made, failed);
    within_ = false;
    turns_ = &turns;
    CHECK_FALSE(over());
  }
  [[nodiscard]] bool over() const { return connected != 0 || !failures.empty(); }
  /// Waits for the end, and a while more.
  [[nodiscard]] bool wait() {
    const bool ended = turns_->until([this] { return over(); });
    turns_->for_a_while(std::chrono::milliseconds(5));
    return ended;
  }
  /// The reason for which the attempt failed; nothing else may have happened.
  template <class Where>
  std::string failure(NamedTurns& turns, const Where& where, base::Time limit = long_enough) {
    start(turns, where, limit);
    REQUIRE(wait());
    CHECK(connected == 0);
    CHECK(failures.size() == 1);
    CHECK(turns.loop().connection_count() == 0);
    return failures.front();
  }

  Story story;  // before the loop, which ends the sessions
  int connected = 0;
  session::Link* link = nullptr;
  std::vector<std::string> failures;
  std::unique_ptr<server::Attempt> handle;

 private:
  NamedTurns* turns_ = nullptr;
  bool within_ = false;  // start()
};

template <class Where>
std::string failure_of(const Where& where, base::Time limit = long_enough) {
  const std::vector<int> before = descriptors();
  std::string reason;
  {
    Attempt attempt;
    NamedTurns turns;
    reason = attempt.failure(turns, where, limit);
  }
  CHECK(descriptors() == before);
  return reason;
}

}  // namespace wharf::test
