#include "io/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/sheltered.h"

namespace wharf::io {
namespace {

constexpr mode_t socket_file_mode = 0660;

void set_option(int socket, int level, int option, int value) { setsockopt(socket, level, option, &value, sizeof value); }

/// Whether a socket's file was left behind: nobody accepts there.
bool is_stale(const Address& address, const std::string& path) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const base::Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return probe && connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

bool bind_unix(int socket, const Address& address) {
  const std::string path = address.path();
  fchmod(socket, socket_file_mode);  // until chmod() undoes the umask, it is never open to more than these
  int status = bind(socket, address.get(), address.size);
  if (status != 0 && errno == EADDRINUSE && !path.empty()) {
    if (is_stale(address, path) && unlink(path.c_str()) == 0) status = bind(socket, address.get(), address.size);
    else errno = EADDRINUSE;
  }
  return status == 0 && (path.empty() || chmod(path.c_str(), socket_file_mode) == 0);
}

bool bind_tcp(int socket, const Address& address, ListeningSocket::Sharing sharing) {
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (sharing == ListeningSocket::Sharing::shared) set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.storage.ss_family == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  return bind(socket, address.get(), address.size) == 0;
}

/// Whether it is; if not, errno says why.
bool bind_socket(const base::Descriptor& socket, const Address& address, ListeningSocket::Sharing sharing) {
  if (!socket) return false;
  return address.storage.ss_family == AF_UNIX ? bind_unix(socket.get(), address) : bind_tcp(socket.get(), address, sharing);
}

std::string_view advice(const Address& address, int error) {
  const bool is_unix = address.storage.ss_family == AF_UNIX;
  switch (error) {
    case EADDRINUSE:
      return is_unix ? "; another program listens there, or a file is in the way: stop it, remove it or choose another path"
                     : "; stop the other program or choose another port";
    case EACCES:
      return is_unix ? "; the folder must be one that can be written to"
                     : "; ports below 1024 need privileges, choose a higher one";
    case EADDRNOTAVAIL: return "; this machine does not have that address";
    case ENOENT: return "; the folder must exist";
    default: return {};
  }
}

std::string cannot_listen(const Address& address, int error) {
  return base::concat("cannot listen on ", address.text(), ": ", std::strerror(error), advice(address, error));
}

bool is_out_of_resources(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

/// Removed with the last socket that listens there, unless another server's file has replaced it by then.
struct ListeningSocket::SocketFile {
  explicit SocketFile(std::string where) : path(std::move(where)), is_known(lstat(path.c_str(), &file) == 0) {}
  ~SocketFile() {
    struct stat now {};
    if (is_known && lstat(path.c_str(), &now) == 0 && now.st_dev == file.st_dev && now.st_ino == file.st_ino) unlink(path.c_str());
  }
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  std::string path;
  struct stat file {};
  bool is_known;
};

base::Result<ListeningSocket, std::string> ListeningSocket::open(const Address& address, int backlog, Sharing sharing,
                                                                 const KeepAlive& keep_alive) {
  base::Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!bind_socket(socket, address, sharing)) return base::Failure{cannot_listen(address, errno)};
  if (address.storage.ss_family != AF_UNIX) io::keep_alive(socket.get(), keep_alive);
  ListeningSocket listening(std::move(socket), address);
  if (std::string path = address.path(); !path.empty()) listening.file_ = std::make_shared<SocketFile>(std::move(path));
  if (listen(listening.descriptor(), backlog) != 0) return base::Failure{cannot_listen(address, errno)};
  listening.address_.size = sizeof listening.address_.storage;
  getsockname(listening.descriptor(), listening.address_.get(), &listening.address_.size);
  return listening;
}

base::Result<ListeningSocket, std::string> ListeningSocket::duplicate() const {
  base::Descriptor socket(fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  if (!socket) return base::Failure{cannot_listen(address_, errno)};
  ListeningSocket other(std::move(socket), address_);
  other.file_ = file_;
  return other;
}

std::unique_ptr<Listener> Listener::create(Loop& loop, ListeningSocket socket, session::SessionMaker make_session) {
  std::unique_ptr<Listener> listener(new Listener(loop, std::move(socket), std::move(make_session)));
  if (listener->poll_ == nullptr) return nullptr;
  listener->resume();
  return listener;
}

Listener::Listener(Loop& loop, ListeningSocket socket, session::SessionMaker make_session)
    : loop_(loop), poll_(new uv_poll_t), socket_(std::move(socket)), make_session_(std::move(make_session)) {
  if (uv_poll_init(loop.uv(), poll_, socket_.descriptor()) != 0) {
    delete poll_;
    poll_ = nullptr;
    return;
  }
  poll_->data = this;
  paused_ = true;
}

Listener::~Listener() {
  if (poll_ != nullptr) loop_.close_and_free(poll_);
}

void Listener::resume() {
  if (!std::exchange(paused_, false)) return;
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
    auto* listener = static_cast<Listener*>(poll->data);
    base::sheltered(listener->loop_.log(), "accepting connections", [listener] { listener->accept(); });
  });
}

void Listener::pause(Admission::Shortage shortage, std::string_view reason, int error) {
  uv_poll_stop(poll_);
  paused_ = true;
  loop_.wait_for_room(shortage);
  if (std::exchange(told_, true)) return;
  loop_.log().warn(base::LogKind("accepting connections"), "not accepting connections for now: ", reason, error != 0 ? ": " : "",
                   error != 0 ? std::strerror(error) : "", " (", loop_.connection_count(), " open)");
}

void Listener::accept() {
  loop_.look_at_clock();
  for (std::size_t count = 0; count < loop_.limits().accepts_per_turn; ++count) {
    Admission::Place place = loop_.admission().take();
    if (!place) {
      if (!somebody_waits()) return;
      if (!loop_.close_an_idle_one()) return pause(Admission::Shortage::places, "the limit of connections is reached", 0);
      place = loop_.admission().take();  // another loop may have it already
    }
    if (place && !accept_one(std::move(place))) return;
  }
}

bool Listener::somebody_waits() const {
  pollfd waiting{socket_.descriptor(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

/// False if there is nothing more to accept in this turn.
bool Listener::accept_one(Admission::Place place) {
  Address client;
  const int socket = accept4(socket_.descriptor(), client.get(), &client.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) {
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!Connection::adopt(loop_, socket, make_session_, Connection::Origin::accepted, peer_address(client), std::move(place)))
      loop_.log().warn(base::LogKind("accepting connections"), "a connection could not be watched and was closed");
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) return true;
  if (const int error = errno; is_out_of_resources(error)) {
    place.give_back_silently();
    return out_of_resources(error);
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) told_ = false;
  else loop_.log().error(base::LogKind("accepting connections"), "accepting a connection failed: ", std::strerror(errno));
  return false;
}

bool Listener::out_of_resources(int error) {
  if (somebody_waits() && loop_.close_an_idle_one()) return true;
  pause(Admission::Shortage::descriptors, "the system is out of resources", error);
  return false;
}

}  // namespace wharf::io
