// The floor over epoll: the same echo as floor_uv.cpp with nothing between it and the system calls.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "echo.h"
#include "process.h"
#include "secure.h"

namespace bench {
namespace {

struct Connection {
  Echo echo;
  std::optional<Secure> secure;
  std::vector<std::uint8_t> unsent;
  std::size_t sent = 0;
};

class Server {
 public:
  Server() = default;
  // False, with the reason on stderr, if it cannot listen.
  bool listen_on(const FloorOptions& options);
  void run();
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  void accept_all();
  void on_event(int fd, std::uint32_t events);
  void read_from(int fd);
  void read_records(int fd, std::span<const std::uint8_t> records);
  void write_pieces(int fd, std::span<const iovec> pieces, std::size_t size);
  void write_rest(int fd);
  void watch(int operation, int fd, std::uint32_t events) const;
  void close_connection(int fd);

  int epoll_ = -1;
  int listener_ = -1;
  int signals_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
  std::array<std::uint8_t, receive_size> receive_buffer_;
  std::array<std::uint8_t, receive_size> plain_buffer_;
  Reply reply_;
  TlsContext tls_;
};

void complain(const char* what) { std::fprintf(stderr, "floor-epoll: %s: %s\n", what, std::strerror(errno)); }

bool Server::listen_on(const FloorOptions& options) {
  if (!options.certificate.empty() && !(tls_ = server_context(options.certificate, options.key))) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const int on = 1;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 4096) != 0 || getsockname(listener_, generic, &size) != 0) {
    complain("cannot listen on 127.0.0.1");
    return false;
  }
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  signals_ = signalfd(-1, &wanted, SFD_CLOEXEC);
  watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
  watch(EPOLL_CTL_ADD, signals_, EPOLLIN);
  announce(options, ntohs(address.sin_port));
  return true;
}

void Server::run() {
  std::array<epoll_event, 1024> events;
  for (;;) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == signals_) return;
      if (event.data.fd == listener_) {
        accept_all();
      } else {
        on_event(event.data.fd, event.events);
      }
    }
  }
}

Server::~Server() {
  for (std::size_t fd = 0; fd < connections_.size(); ++fd) {
    if (connections_[fd]) close(static_cast<int>(fd));
  }
  for (const int fd : {signals_, listener_, epoll_}) {
    if (fd >= 0) close(fd);
  }
}

void Server::watch(int operation, int fd, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll_, operation, fd, &event);
}

void Server::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED) return;
      complain("cannot accept");
      std::exit(1);
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto slot = static_cast<std::size_t>(fd);
    if (connections_.size() <= slot) connections_.resize(slot + 1);
    connections_[slot] = std::make_unique<Connection>();
    if (tls_) connections_[slot]->secure.emplace(tls_.get());
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

void Server::on_event(int fd, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    write_rest(fd);
  } else {
    read_from(fd);
  }
}

void Server::read_from(int fd) {
  const ssize_t count = recv(fd, receive_buffer_.data(), receive_buffer_.size(), 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return close_connection(fd);
  Connection& connection = *connections_[static_cast<std::size_t>(fd)];
  const std::span received = std::span(receive_buffer_).first(static_cast<std::size_t>(count));
  if (connection.secure) return read_records(fd, received);
  reply_.clear();
  const Next next = connection.echo.take(received, reply_);
  write_pieces(fd, reply_.pieces(), reply_.size());
  if (next == Next::close) close_connection(fd);
}

void Server::read_records(int fd, std::span<const std::uint8_t> records) {
  Connection& connection = *connections_[static_cast<std::size_t>(fd)];
  const Next next = answer(*connection.secure, connection.echo, records, plain_buffer_, reply_);
  const std::span<const std::uint8_t> sealed = connection.secure->records();
  const iovec piece{const_cast<std::uint8_t*>(sealed.data()), sealed.size()};
  write_pieces(fd, std::span(&piece, sealed.empty() ? 0 : 1), sealed.size());
  connection.secure->sent();
  if (next == Next::close) close_connection(fd);
}

void Server::write_pieces(int fd, std::span<const iovec> pieces, std::size_t size) {
  if (pieces.empty()) return;
  const ssize_t taken = pieces.size() == 1 ? write(fd, pieces[0].iov_base, pieces[0].iov_len)
                                           : writev(fd, pieces.data(), static_cast<int>(pieces.size()));
  const std::size_t written = taken > 0 ? static_cast<std::size_t>(taken) : 0;
  if (written == size) return;
  // Either it is full, and nothing more is read until the rest is out; or it is broken, and the write of the rest will show that.
  Connection& connection = *connections_[static_cast<std::size_t>(fd)];
  connection.unsent = rest_of(pieces, written);
  connection.sent = 0;
  watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

void Server::write_rest(int fd) {
  Connection& connection = *connections_[static_cast<std::size_t>(fd)];
  const ssize_t taken = write(fd, connection.unsent.data() + connection.sent, connection.unsent.size() - connection.sent);
  if (taken < 0 && errno == EAGAIN) return;
  if (taken < 0) return close_connection(fd);
  connection.sent += static_cast<std::size_t>(taken);
  if (connection.sent < connection.unsent.size()) return;
  connection.unsent = {};
  watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

void Server::close_connection(int fd) {
  connections_[static_cast<std::size_t>(fd)].reset();
  close(fd);
}

int run(const FloorOptions& options) {
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  const auto server = std::make_unique<Server>();
  if (!server->listen_on(options)) return 1;
  server->run();
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  int exit_code = 0;
  const auto options = bench::floor_options(argc, argv, exit_code);
  return options ? bench::run(*options) : exit_code;
}
