#include "io/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace wharf::io {
namespace {

void set_option(int socket, int level, int option, int value) { setsockopt(socket, level, option, &value, sizeof value); }

int bound_socket(const Address& address, ListeningSocket::Sharing sharing) {
  const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (sharing == ListeningSocket::Sharing::shared) set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.storage.ss_family == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (bind(socket, address.get(), address.size) == 0) return socket;
  const int error = errno;
  ::close(socket);
  errno = error;
  return -1;
}

std::string cannot_listen(const Address& address, int error) {
  std::string text = "cannot listen on " + address.text() + ": " + std::strerror(error);
  if (error == EADDRINUSE) text += "; stop the other program or choose another port";
  if (error == EACCES) text += "; ports below 1024 need privileges, choose a higher one";
  if (error == EADDRNOTAVAIL) text += "; this machine does not have that address";
  return text;
}

bool is_out_of_resources(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

base::Result<ListeningSocket, std::string> ListeningSocket::open(const Address& address, int backlog, Sharing sharing) {
  const int socket = bound_socket(address, sharing);
  if (socket < 0) return base::Failure{cannot_listen(address, errno)};
  ListeningSocket listening(socket, address);
  if (listen(socket, backlog) != 0) return base::Failure{cannot_listen(address, errno)};
  listening.address_.size = sizeof listening.address_.storage;
  getsockname(socket, listening.address_.get(), &listening.address_.size);
  return listening;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept : socket_(other.release()), address_(other.address_) {}

ListeningSocket::~ListeningSocket() {
  if (socket_ >= 0) ::close(socket_);
}

int ListeningSocket::release() { return std::exchange(socket_, -1); }

std::unique_ptr<Listener> Listener::create(Loop& loop, ListeningSocket socket, SessionMaker make_session) {
  std::unique_ptr<Listener> listener(new Listener(loop, socket.release(), std::move(make_session)));
  if (listener->poll_ == nullptr) return nullptr;
  listener->resume();
  return listener;
}

Listener::Listener(Loop& loop, int socket, SessionMaker make_session)
    : loop_(loop), poll_(new uv_poll_t), socket_(socket), make_session_(std::move(make_session)) {
  if (uv_poll_init(loop.uv(), poll_, socket) != 0) {
    delete poll_;
    poll_ = nullptr;
    return;
  }
  poll_->data = this;
  paused_ = true;
}

Listener::~Listener() {
  if (poll_ != nullptr) loop_.close_and_free(poll_);
  ::close(socket_);
}

void Listener::resume() {
  if (!std::exchange(paused_, false)) return;
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { static_cast<Listener*>(poll->data)->accept(); });
}

void Listener::pause(std::string_view reason, int error) {
  uv_poll_stop(poll_);
  paused_ = true;
  loop_.retry_accepting_later();
  if (std::exchange(told_, true)) return;
  loop_.log().warn("not accepting connections for now: ", reason, error != 0 ? ": " : "", error != 0 ? std::strerror(error) : "",
                   " (", loop_.connection_count(), " open)");
}

void Listener::accept() {
  for (std::size_t count = 0; count < loop_.limits().accepts_per_turn; ++count) {
    if (loop_.connection_count() >= loop_.limits().connections) return pause("the limit of connections is reached", 0);
    if (!accept_one()) return;
  }
}

/// False when there is nothing more to accept in this turn.
bool Listener::accept_one() {
  const int socket = accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) {
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!Connection::adopt(loop_, socket, make_session_)) loop_.log().warn("a connection could not be watched and was closed");
    return true;
  }
  if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) return true;
  if (is_out_of_resources(errno)) {
    pause("the system is out of resources", errno);
    return false;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) told_ = false;
  else loop_.log().error("accepting a connection failed: ", std::strerror(errno));
  return false;
}

}  // namespace wharf::io
