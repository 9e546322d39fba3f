#pragma once
#include <uv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/result.h"
#include "io/address.h"
#include "io/connection.h"
#include "io/loop.h"
#include "io/socket_file.h"

namespace wharf::io {

/// What a listening socket has besides its address.
struct SocketSettings {
  KeepAlive keep_alive{};
  int fast_open = 0;          ///< connections that bring bytes along before they are complete (RFC 7413); 0: off
  SocketFileAccess access{};  ///< of a unix socket with a path
};

/// A bound, listening, non-blocking socket from which nobody accepts yet.
class ListeningSocket {
 public:
  /// `Shared` lets several loops listen on the same port (SO_REUSEPORT); the first of them finds out whether another program has
  /// it.
  enum class Sharing : std::uint8_t { alone, shared };

  /// Port 0 picks a free one. An IPv6 socket takes IPv6 alone, so the same port of IPv4 is free for another. The file of a unix
  /// socket is removed with the last of the sockets that share it. The error is one line that names the address and what to do.
  static base::Result<ListeningSocket, std::string> open(const Address& address, int backlog, Sharing sharing,
                                                         const SocketSettings& settings = {});

  /// Who else has the socket, and goes on with it when this process has closed it.
  enum class Holder : std::uint8_t {
    server,          ///< nobody, or a successor of this server
    service_manager  ///< the one that started this process; the file of a unix socket is not removed here
  };

  /// A stream socket that listens already, as another process began it; of a unix socket, the file is not removed before
  /// claim_file(). `name` is what it is called there.
  static ListeningSocket adopt(base::Descriptor socket, const Address& address, Holder holder, std::string name);

  /// Gives a socket that was adopted what open() would have given it, as far as it is this server's: of a service manager's socket a
  /// backlog of 0 and a fast_open of 0 stay as they are, and so does the file. The error is one line as that of open(); empty: done.
  [[nodiscard]] std::string adapt(int backlog, const SocketSettings& settings) const;

  /// The same socket for another loop, if its kind cannot be opened twice. The two share the backlog.
  [[nodiscard]] base::Result<ListeningSocket, std::string> duplicate() const;

  ListeningSocket(ListeningSocket&& other) noexcept = default;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket() = default;
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;

  /// Nobody new comes in, but those in the backlog can be accepted: a unix socket refuses, and on TCP new requests for a connection
  /// are dropped, for those whose handshake is under way are accepted as well. A client that was dropped asks again a second later.
  void close_entrance() const;

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] Holder holder() const { return holder_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// Whether the file of a unix socket is removed with the last of the sockets that share it, or another process sees to that. From
  /// any thread.
  void claim_file() const;
  void leave_file() const;
  /// It is a unix socket with a file of its own, and that is no longer there: another has replaced or removed it.
  [[nodiscard]] bool has_lost_file() const { return file_ != nullptr && !file_->is_there(); }

  /// It still belongs to this object; -1 if another took it over.
  [[nodiscard]] int descriptor() const { return socket_.get(); }

 private:
  ListeningSocket(base::Descriptor socket, const Address& address) : address_(address), socket_(std::move(socket)) {}

  Address address_;
  Holder holder_ = Holder::server;
  std::string name_;
  std::shared_ptr<const SocketFile> file_;
  base::Descriptor socket_;  // closed before its file is removed
};

/// Accepts from one socket on one loop: a bounded number each turn. If the server has all the connections that it may have, or
/// the system is out of descriptors, the connection that has been idle for longest makes room for a client that waits; if none is
/// idle, nothing is accepted, and clients wait in the backlog until a connection ends.
class Listener final {
 public:
  /// Owned by the loop. nullptr if the system refuses to watch the socket.
  static std::unique_ptr<Listener> create(Loop& loop, ListeningSocket socket, session::SessionMaker make_session);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// There may be room again.
  void resume();

  /// From here on, as far as the system can, nobody new is let into the backlog; those who are there are still accepted.
  void close_entrance();
  /// After close_entrance(): nobody is left to be accepted.
  [[nodiscard]] bool is_emptied() const { return emptied_ || !somebody_waits(); }
  [[nodiscard]] const ListeningSocket& socket() const { return socket_; }

 private:
  Listener(Loop& loop, ListeningSocket socket, session::SessionMaker make_session);
  void accept();
  bool accept_one(Admission::Place place);
  bool out_of_resources(int error);
  [[nodiscard]] bool somebody_waits() const;
  void pause_at_limit();
  void pause(Admission::Shortage shortage, std::string_view reason, int error);

  Loop& loop_;
  uv_poll_t* poll_;  // freed when libuv has released it, which is after this object
  ListeningSocket socket_;
  session::SessionMaker make_session_;
  bool paused_ = false;
  bool emptied_ = false;  // the entrance is closed, and the system says that nobody comes any more
  bool told_ = false;     // a log line said that accepting was paused, since it last succeeded
};

}  // namespace wharf::io
