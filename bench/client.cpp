#include "client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t sampled_answers = 100;
constexpr std::uint64_t most_complaints = 5;
constexpr auto patience = std::chrono::seconds(10);
constexpr int tick_milliseconds = 100;

}  // namespace

Client::Client(const LoadOptions& options, std::vector<Opened>&& opened)
    : options_(options), ring_(options), connections_(opened.size()), buffer_(receive_size), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = connections_[i];
    connection.fd = opened[i].fd;
    connection.tls = std::move(opened[i].tls);
    connection.answer = i % ring_.count();
    connection.position = connection.answer * ring_.frame_size();
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    watch(EPOLL_CTL_ADD, connection, EPOLLIN);
  }
}

Client::~Client() {
  for (const Connection& connection : connections_) {
    if (connection.fd >= 0) close(connection.fd);
  }
  close(epoll_);
}

std::uint64_t Client::run(Bound bound) {
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(bound.seconds));
  auto last_answer = Clock::now();
  answers_ = 0;
  may_send_ = bound.messages;
  for (Connection& connection : connections_) {
    if (connection.fd < 0) continue;
    post(connection, options_.in_flight);
    flush(connection);
  }
  while (outstanding_ > 0) {
    const std::uint64_t before = answers_;
    turn(tick_milliseconds);
    const auto now = Clock::now();
    if (answers_ != before) last_answer = now;
    if (now >= end) may_send_ = 0;
    if (now - last_answer < patience) continue;
    for (Connection& connection : connections_) {
      if (connection.outstanding > 0) fail(connection, "no echo for 10 s");
    }
  }
  return answers_;
}

void Client::hold() {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  sigprocmask(SIG_BLOCK, &wanted, nullptr);
  const int signals = signalfd(-1, &wanted, SFD_CLOEXEC);
  std::array<pollfd, 3> watched{pollfd{epoll_, POLLIN, 0}, pollfd{signals, POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
  for (;;) {
    poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) turn(0);
    if (watched[1].revents != 0) break;
    std::array<char, 256> ignored;
    if (watched[2].revents != 0 && read(STDIN_FILENO, ignored.data(), ignored.size()) <= 0) break;
  }
  close(signals);
}

void Client::turn(int timeout) {
  std::array<epoll_event, 1024> events;
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto& connection = *static_cast<Connection*>(event.data.ptr);
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read_from(connection);
  }
  // All reads before all writes: the server then finds many connections ready at once, as under true load.
  for (int i = 0; i < count; ++i) {
    auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
    if (connection.fd >= 0 && connection.unsent > 0) flush(connection);
  }
}

void Client::post(Connection& connection, std::uint64_t messages) {
  const std::uint64_t count = std::min(messages, may_send_);
  may_send_ -= count;
  outstanding_ += count;
  connection.outstanding += count;
  connection.unsent += count * ring_.frame_size();
}

void Client::flush(Connection& connection) {
  std::array<iovec, 2> pieces;
  while (connection.unsent > 0) {
    const std::size_t count = ring_.pieces(connection.position, connection.unsent, pieces);
    ssize_t taken = 0;
    if (connection.tls) {
      taken = SSL_write(connection.tls.get(), pieces[0].iov_base, static_cast<int>(pieces[0].iov_len));
      if (taken <= 0 && SSL_get_error(connection.tls.get(), static_cast<int>(taken)) != SSL_ERROR_WANT_WRITE)
        return fail(connection, "TLS failed while writing");
    } else {
      taken = count == 1 ? write(connection.fd, pieces[0].iov_base, pieces[0].iov_len)
                         : writev(connection.fd, pieces.data(), static_cast<int>(count));
      if (taken < 0 && errno != EAGAIN) return fail(connection, std::strerror(errno));
    }
    const std::size_t written = static_cast<std::size_t>(std::max<ssize_t>(taken, 0));
    connection.unsent -= written;
    connection.position = (connection.position + written) % ring_.bytes();
    if (!connection.tls || written == 0) break;
  }
  const bool blocked = connection.unsent > 0;
  if (blocked != connection.blocked) watch(EPOLL_CTL_MOD, connection, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
  connection.blocked = blocked;
}

void Client::read_from(Connection& connection) {
  while (read_once(connection) && connection.tls) {
  }
}

// False if there is no more.
bool Client::read_once(Connection& connection) {
  ssize_t count = 0;
  if (connection.tls) {
    count = SSL_read(connection.tls.get(), buffer_.data(), static_cast<int>(buffer_.size()));
    if (count <= 0 && SSL_get_error(connection.tls.get(), static_cast<int>(count)) == SSL_ERROR_WANT_READ) return false;
    if (count < 0) return fail(connection, "TLS failed while reading"), false;
  } else {
    count = recv(connection.fd, buffer_.data(), buffer_.size(), 0);
    if (count < 0 && errno == EAGAIN) return false;
    if (count < 0) return fail(connection, std::strerror(errno)), false;
  }
  if (count == 0) return fail(connection, "the server closed the connection"), false;
  const std::size_t before = connection.outstanding;
  if (!consume(connection, std::span(buffer_).first(static_cast<std::size_t>(count)))) return false;
  post(connection, before - connection.outstanding);
  return true;
}

// False if the stream makes no sense any more, and the connection is gone.
bool Client::consume(Connection& connection, std::span<const std::uint8_t> bytes) {
  const std::span<const std::uint8_t> header = ring_.answer_header();
  const std::size_t answer_size = ring_.answer_size();
  const std::uint64_t checked = options_.check == Check::every ? UINT64_MAX : sampled_answers;
  while (!bytes.empty()) {
    if (connection.outstanding == 0) return fail(connection, "more echoes than messages"), false;
    const std::size_t part = std::min(answer_size - connection.received, bytes.size());
    if (connection.received < header.size()) {
      const std::size_t here = std::min(header.size() - connection.received, part);
      if (std::memcmp(bytes.data(), header.data() + connection.received, here) != 0) {
        return fail(connection, "an echo that is not one frame of the kind and length that was sent"), false;
      }
    }
    if (connection.checked < checked && !right(connection, bytes.first(part))) complain(connection, "an echo with other bytes");
    bytes = bytes.subspan(part);
    connection.received += part;
    if (connection.received < answer_size) break;
    connection.received = 0;
    connection.answer = connection.answer + 1 == ring_.count() ? 0 : connection.answer + 1;
    ++connection.checked;
    --connection.outstanding;
    --outstanding_;
    ++answers_;
  }
  return true;
}

// Whether the payload in `bytes`, the next part of an echo, is what was sent.
bool Client::right(const Connection& connection, std::span<const std::uint8_t> bytes) {
  const std::size_t header = ring_.answer_header().size();
  const std::size_t skip = header - std::min(header, connection.received);
  if (skip >= bytes.size()) return true;
  const std::size_t offset = connection.received + skip - header;
  return std::memcmp(ring_.payload(connection.answer).data() + offset, bytes.data() + skip, bytes.size() - skip) == 0;
}

void Client::watch(int operation, Connection& connection, std::uint32_t events) const {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &connection;
  epoll_ctl(epoll_, operation, connection.fd, &event);
}

void Client::complain(const Connection& connection, const char* what) {
  if (++errors_ > most_complaints) return;
  std::fprintf(stderr, "load: connection %td: %s\n", &connection - connections_.data() + 1, what);
}

void Client::fail(Connection& connection, const char* what) {
  complain(connection, what);
  close(connection.fd);
  connection.fd = -1;
  outstanding_ -= connection.outstanding;
  connection.outstanding = connection.unsent = 0;
}

}  // namespace bench
