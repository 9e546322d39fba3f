#include "session/wire.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <utility>

namespace wharf::test {
namespace {

constexpr int patience = 60'000;  // milliseconds; only a broken server lets them pass

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error("the client's end: " + what); }
[[noreturn]] void fail_with_errno(const std::string& what) { fail(what + ": " + std::strerror(errno)); }

bool wait_for(int socket, short events, int milliseconds) {
  pollfd entry{socket, events, 0};
  int count = 0;
  do count = ::poll(&entry, 1, milliseconds);
  while (count < 0 && errno == EINTR);
  return count > 0;
}

}  // namespace

bool Wire::more() {
  const std::string bytes = read_some();
  rest_ += bytes;
  return !bytes.empty();
}

std::string Wire::read_until(std::string_view end) {
  std::size_t at = 0;
  while ((at = rest_.find(end)) == std::string::npos)
    if (!more()) fail("the connection ended after " + rest_);
  std::string found = rest_.substr(0, at + end.size());
  rest_.erase(0, found.size());
  return found;
}

std::string Wire::read(std::size_t size) {
  while (rest_.size() < size)
    if (!more()) fail("the connection ended after " + std::to_string(rest_.size()) + " of " + std::to_string(size) + " bytes");
  std::string found = rest_.substr(0, size);
  rest_.erase(0, size);
  return found;
}

std::string Wire::read_all() {
  while (more()) {
  }
  return std::exchange(rest_, {});
}

// ---- In memory ----

MemoryWire::~MemoryWire() {
  link_->abort();
  link_->run();
}

std::string MemoryWire::read_some() {
  for (int turn = 0; turn < 3; ++turn) {
    link_->run();
    if (std::string bytes = link_->take(); !bytes.empty() || link_->closed()) return bytes;
  }
  fail("nothing came");
}

// ---- Over a socket ----

SocketWire::SocketWire(const io::Address& address, int receive_buffer) {
  socket_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail_with_errno("no socket");
  if (receive_buffer > 0) setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (::connect(socket_, address.get(), address.size) != 0) {
    const int error = errno;
    close();
    errno = error;
    fail_with_errno("cannot connect");
  }
  const int yes = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
}

void SocketWire::send(std::string_view bytes) {
  if (send_what_fits(bytes, patience) != bytes.size()) fail("the server takes nothing");
}

std::size_t SocketWire::send_what_fits(std::string_view bytes, int milliseconds) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    const ssize_t size = ::send(socket_, bytes.data() + taken, bytes.size() - taken, MSG_NOSIGNAL);
    if (size >= 0) taken += static_cast<std::size_t>(size);
    else if (errno == EAGAIN && !wait_for(socket_, POLLOUT, milliseconds)) return taken;
    else if (errno != EAGAIN && errno != EINTR) fail_with_errno("cannot send");
  }
  return taken;
}

void SocketWire::finish() { ::shutdown(socket_, SHUT_WR); }

std::string SocketWire::read_some() {
  for (;;) {
    std::string bytes(65'536, '\0');
    const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (size >= 0) return bytes.substr(0, static_cast<std::size_t>(size));
    if (errno == ECONNRESET) {
      was_reset_ = true;
      return {};
    }
    if (errno != EAGAIN && errno != EINTR) fail_with_errno("cannot read");
    if (!wait_for(socket_, POLLIN, patience)) fail("nothing came");
  }
}

void SocketWire::reset() {
  const linger at_once{1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void SocketWire::close() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

// ---- Over TLS ----

namespace {

const tls::Context& trusting_all() {
  static const std::unique_ptr<tls::Context> context = [] {
    auto made = tls::Context::for_client({.authorities = {}, .verify = false});
    if (!made) fail(made.error());
    return std::move(*made);
  }();
  return *context;
}

constexpr std::int64_t without_end = std::numeric_limits<std::int64_t>::max();

}  // namespace

TlsWire::TlsWire(std::unique_ptr<Wire> below, const std::string& name, const tls::Context* context)
    : below_(std::move(below)), engine_(context != nullptr ? *context : trusting_all(), sealed_, name) {
  using State = tls::Engine::State;
  std::string bytes;
  while (engine_.shake_hands() == State::handshaking) {
    engine_.take_back();
    send_sealed();
    bytes = below_->read_some();
    if (bytes.empty()) fail("the server ended the handshake");
    engine_.give(bytes, without_end);
  }
  if (engine_.state() != State::open) fail(engine_.error());
  if (engine_.take_back() != 0) fail("there is more behind the handshake");  // all of it was read: records that are no data
  send_sealed();
}

void TlsWire::send_sealed() {
  std::string bytes;
  for (; !sealed_.empty(); sealed_.consume(sealed_.front().size())) bytes += sealed_.front();
  if (!bytes.empty()) below_->send(bytes);
}

void TlsWire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t sealed = engine_.seal(bytes.substr(0, tls::largest_record));
    if (sealed == 0) fail("nothing can be sealed: " + engine_.error());
    bytes.remove_prefix(sealed);
  }
  send_sealed();
}

void TlsWire::finish() {
  engine_.close_notify();
  send_sealed();
  below_->finish();
}

std::string TlsWire::read_some() {
  for (;;) {
    const std::string bytes = below_->read_some();
    if (bytes.empty()) return {};
    engine_.give(bytes, without_end);
    std::string plain;
    std::string record(tls::largest_record, '\0');
    for (std::size_t size = 0; (size = engine_.read(record)) != 0;) plain.append(record, 0, size);
    engine_.take_back();
    if (engine_.state() == tls::Engine::State::failed) fail(engine_.error());
    if (!plain.empty() || engine_.state() == tls::Engine::State::peer_ended) return plain;
  }
}

// ---- WebSocket ----

std::string upgrade_request(std::string_view protocol) {
  return "GET /chat HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
         std::string(protocol) + "\r\n\r\n";
}

WsTalk::WsTalk(Wire& wire, std::string_view protocol, std::string_view early) : wire_(wire) {
  wire_.send(upgrade_request(protocol) + std::string(early));
  const std::string answer = wire_.read_until("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 101 ")) fail("the server answered " + answer);
}

std::string WsTalk::next() {
  while (waiting_.empty()) {
    const std::string bytes = wire_.take_some();
    if (bytes.empty()) return "end";
    for (Received& received : reader_.read_whole(bytes)) waiting_.push_back(std::move(received));
  }
  last_ = std::move(waiting_.front());
  waiting_.pop_front();
  return last_.word;
}

}  // namespace wharf::test
