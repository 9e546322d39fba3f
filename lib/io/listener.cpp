#include "io/listener.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/sheltered.h"

namespace wharf::io {
namespace {

bool set_option(int socket, int level, int option, int value) {
  return setsockopt(socket, level, option, &value, sizeof value) == 0;
}

/// Whether it listens; if not, errno says why.
bool listen_tcp(int socket, const Address& address, int backlog, ListeningSocket::Sharing sharing, const SocketSettings& settings) {
  if (!set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1)) return false;
  if (sharing == ListeningSocket::Sharing::shared && !set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1)) return false;
  if (address.storage.ss_family == AF_INET6 && !set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1)) return false;
  if (settings.fast_open > 0 && !set_option(socket, IPPROTO_TCP, TCP_FASTOPEN, settings.fast_open)) return false;
  io::keep_alive(socket, settings.keep_alive);
  return bind(socket, address.get(), address.size) == 0 && ::listen(socket, backlog) == 0;
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
    case EAFNOSUPPORT: return "; this machine has no addresses of that kind";
    case EINVAL: return is_unix ? "" : "; an address that is valid on one network only needs its interface, like fe80::1%eth0";
    case ENOENT: return "; the folder must exist";
    default: return {};
  }
}

std::string cannot_listen(const Address& address, const SocketFile::Fault& fault) {
  return base::concat("cannot listen on ", address.text(), ": ", std::strerror(fault.error),
                      fault.advice.empty() ? advice(address, fault.error) : fault.advice);
}

bool is_out_of_resources(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

base::Result<ListeningSocket, std::string> ListeningSocket::open(const Address& address, int backlog, Sharing sharing,
                                                                 const SocketSettings& settings) {
  base::Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return base::Failure{cannot_listen(address, {errno})};
  ListeningSocket listening(std::move(socket), address);
  const int number = listening.descriptor();
  if (!address.path().empty()) {
    auto file = SocketFile::listen(number, address, backlog, settings.access);
    if (!file) return base::Failure{cannot_listen(address, file.error())};
    listening.file_ = std::move(*file);
  } else if (address.storage.ss_family == AF_UNIX) {
    if (bind(number, address.get(), address.size) != 0 || ::listen(number, backlog) != 0)
      return base::Failure{cannot_listen(address, {errno})};
  } else if (!listen_tcp(number, address, backlog, sharing, settings)) {
    return base::Failure{cannot_listen(address, {errno})};
  }
  listening.address_.size = sizeof listening.address_.storage;
  getsockname(number, listening.address_.get(), &listening.address_.size);
  return listening;
}

base::Result<ListeningSocket, std::string> ListeningSocket::duplicate() const {
  base::Descriptor socket(fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  if (!socket) return base::Failure{cannot_listen(address_, {errno})};
  ListeningSocket other(std::move(socket), address_);
  other.holder_ = holder_;
  other.name_ = name_;
  other.file_ = file_;
  return other;
}

ListeningSocket ListeningSocket::adopt(base::Descriptor socket, const Address& address, Holder holder, std::string name) {
  fcntl(socket.get(), F_SETFL, fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
  ListeningSocket listening(std::move(socket), address);
  listening.holder_ = holder;
  listening.name_ = std::move(name);
  if (holder == Holder::server && !address.path().empty()) listening.file_ = SocketFile::of_other_process(address.path());
  return listening;
}

/// A socket that listens takes all of these; listen() once more changes the backlog alone.
std::string ListeningSocket::adapt(int backlog, const SocketSettings& settings) const {
  const bool own = holder_ == Holder::server;
  if (address_.storage.ss_family != AF_UNIX) {
    set_option(descriptor(), SOL_SOCKET, SO_KEEPALIVE, 0);
    io::keep_alive(descriptor(), settings.keep_alive);
    const bool changes = own || settings.fast_open > 0;
    if (changes && !set_option(descriptor(), IPPROTO_TCP, TCP_FASTOPEN, settings.fast_open) && settings.fast_open > 0)
      return cannot_listen(address_, {errno});
  } else if (own && file_ != nullptr) {
    if (const SocketFile::Fault fault = file_->change(settings.access); fault.error != 0) return cannot_listen(address_, fault);
  }
  const bool changes = own || backlog > 0;
  return changes && ::listen(descriptor(), backlog) != 0 ? cannot_listen(address_, {errno}) : std::string();
}

void ListeningSocket::claim_file() const {
  if (file_) file_->claim();
}

void ListeningSocket::leave_file() const {
  if (file_) file_->leave();
}

/// The filter sees the TCP header: of a SYN without ACK it keeps nothing, of others all.
void ListeningSocket::close_entrance() const {
  if (address_.storage.ss_family == AF_UNIX) {
    ::shutdown(descriptor(), SHUT_RD);
    return;
  }
  constexpr std::uint32_t flags_at = 13;
  constexpr std::uint32_t syn = 0x02;
  constexpr std::uint32_t syn_or_ack = 0x12;
  std::array<sock_filter, 5> program{{BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_at), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, syn_or_ack),
                                      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, syn, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
                                      BPF_STMT(BPF_RET | BPF_K, 0xFFFF'FFFF)}};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  setsockopt(descriptor(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
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
  if (emptied_ || !std::exchange(paused_, false)) return;
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
      const bool later = loop_.limits().room == LoopLimits::Room::after_admitting;
      if (later && loop_.admission().has_idle()) place = loop_.admission().take_beyond();
      if (later ? !place : !loop_.close_an_idle_one()) return pause_at_limit();
      if (!later) place = loop_.admission().take();  // another loop may have it already
    }
    const std::size_t idle = loop_.idle_count();  // without the new one
    if (place && !accept_one(std::move(place))) return;
    if (loop_.admission().is_exceeded() && !loop_.close_an_idle_one(idle)) return pause_at_limit();
  }
}

void Listener::pause_at_limit() { pause(Admission::Shortage::places, "the limit of connections is reached", 0); }

void Listener::close_entrance() { socket_.close_entrance(); }

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
  if (errno == EINVAL) {  // the entrance of a unix socket is closed, perhaps by another loop
    emptied_ = true;
    uv_poll_stop(poll_);
    return false;
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
