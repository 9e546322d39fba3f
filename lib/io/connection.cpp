#include "io/connection.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "base/broken_pipe.h"
#include "base/sheltered.h"
#include "io/address.h"
#include "io/output_sent.h"

namespace wharf::io {
namespace {

constexpr std::size_t pieces_per_write = 64;

/// Writes the pieces in one system call. Negative: the error, as -errno.
ssize_t send_pieces(int socket, std::span<std::string_view> pieces) {
  if (pieces.size() == 1) {
    const ssize_t sent = ::send(socket, pieces[0].data(), pieces[0].size(), MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
  }
  std::array<iovec, pieces_per_write + 2> vectors;
  for (std::size_t i = 0; i < pieces.size(); ++i) vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = pieces.size();
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

std::size_t total(std::span<const std::string_view> pieces) {
  std::size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  return size;
}

/// sendfile(), but a peer that is gone is an error and no signal; there is no flag for that. The signal also comes if the peer
/// left after it was sent a part. Negative: the error, as -errno.
ssize_t send_part(int socket, int file, off_t from, std::size_t size) {
  base::BrokenPipeIsAnError quiet;
  ssize_t sent = 0;
  do sent = ::sendfile(socket, file, &from, size);
  while (sent < 0 && errno == EINTR);
  if (sent < 0) sent = -errno;
  const bool all = sent >= 0 && static_cast<std::size_t>(sent) == size;
  if (!all) quiet.forget();
  return sent;
}

/// Closing the socket then resets the connection. Otherwise the system would go on offering its part of the output, megabytes for
/// minutes, to a peer that takes nothing, and then end as if that had been all.
void reset_when_closed(int socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/// As the result of a write: the peer has closed, or reset, the connection.
bool is_gone(ssize_t result) { return result == -EPIPE || result == -ECONNRESET; }

bool would_block(ssize_t result) { return result == -EAGAIN || result == -EWOULDBLOCK; }

}  // namespace

/// Whatever happens in one turn, the system is told once what the socket is watched for: each change takes two calls.
class Connection::Turn {
 public:
  explicit Turn(Connection& connection) : connection_(connection), outer_(!connection.in_turn_) { connection.in_turn_ = true; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (!outer_) return;
    connection_.in_turn_ = false;
    if (connection_.interest_changed_) connection_.update_interest();
  }

 private:
  Connection& connection_;
  bool outer_;
};

bool Connection::adopt(Loop& loop, int socket, const session::SessionMaker& make_session, Origin origin,
                       const base::PeerAddress& peer, Admission::Place place) noexcept {
  auto* connection = new (std::nothrow) Connection(loop, socket, origin);
  if (connection == nullptr || uv_poll_init(loop.uv(), &connection->poll_, socket) != 0) {
    ::close(socket);
    delete connection;
    return false;
  }
  connection->set_peer(peer);
  connection->place_ = std::move(place);
  connection->poll_.data = connection;
  loop.add(*connection);
  const Turn turn(*connection);
  connection->update_interest();
  std::unique_ptr<session::Session> first;
  bool asked = false;
  base::sheltered(loop.log(), "the begin of a connection", [&] {
    first = make_session(*connection);
    asked = true;
  });
  connection->begin(std::move(first));
  if (loop.stopping()) connection->on_shut_down();
  else if (loop.draining()) connection->on_drain();
  else connection->proceed_winding_up();
  return asked;
}

Connection::Connection(Loop& loop, int socket, Origin origin)
    : Link(loop.pool(), loop.limits().output), loop_(loop), socket_(socket), origin_(origin) {}

/// The system knows the name of a unix socket.
std::string Connection::address() const {
  Address address;
  const bool may_have_name = peer().address.family() == base::PeerAddress::Family::unix_socket && origin_ == Origin::outgoing;
  if (!may_have_name || getpeername(socket_, address.get(), &address.size) != 0) return Link::address();
  return address.text();
}

// ---- Input ----

void Connection::on_ready(int status, int events) {
  loop_.look_at_clock();
  const Turn turn(*this);
  if (status < 0) {
    on_reset();
  } else {
    if ((events & UV_WRITABLE) != 0) resume_output();
    if ((events & UV_READABLE) != 0 && !closed()) {
      if (wants_input()) {
        read();
      } else {
        marks_.add(Mark::unread);
        update_interest();
      }
    }
    if ((events & UV_DISCONNECT) != 0) {
      news_ = UV_PRIORITIZED;
      update_interest();
    }
    if ((events & UV_PRIORITIZED) != 0 && !closed()) on_news();
  }
  proceed_winding_up();
}

/// After the peer's end. Nobody wants urgent bytes: they are dropped. If there are none, libuv reports that neither side sends any
/// more: a peer on a unix socket is gone altogether, and nothing of it is left to read.
void Connection::on_news() {
  char urgent = 0;
  if (::recv(socket_, &urgent, 1, MSG_OOB) == 1) return;
  pollfd state{socket_, 0, 0};
  int unread = 0;
  const bool hung_up = !marks_.has(Mark::output_over) && ::poll(&state, 1, 0) == 1;
  if (hung_up && !input_waits() && ::ioctl(socket_, FIONREAD, &unread) == 0 && unread == 0) return break_off();
  news_ = 0;  // otherwise the same would be reported again and again
  update_interest();
}

/// libuv says only that something is wrong, and has stopped watching. Bytes that the peer sent before can still be read.
void Connection::on_reset() {
  interest_ = 0;
  if (!ending()) return break_off();
  abort();
  settle();
}

/// Reads a broken connection: one buffer in each turn, and after the last one the end. A client that has gone wants no response any
/// more, so a session that holds its input to work on one hears of that at once. But what a server sent before it went may be all
/// that was asked of it, and stays until the session wants it.
void Connection::read_to_the_end() {
  if (input_held() && origin_ == Origin::outgoing) return;
  if (!input_held() && !marks_.has(Mark::peer_ended) && read()) return schedule();
  abort();
  settle();
}

void Connection::input_wanted_changed() {
  if (broken()) schedule();
  if (news_ == 0) news_ = UV_PRIORITIZED;
  update_interest();
}

/// Does not read, which would consume the news of a reset.
bool Connection::nothing_came() {
  pollfd waiting{socket_, POLLIN | POLLRDHUP, 0};
  return !broken() && ::poll(&waiting, 1, 0) == 0;
}

std::size_t Connection::copy_unread(std::span<char> into) {
  pollfd ended{socket_, POLLRDHUP, 0};
  if (broken() || ::poll(&ended, 1, 0) != 0) return 0;
  const ssize_t size = ::recv(socket_, into.data(), into.size(), MSG_PEEK | MSG_DONTWAIT);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

/// At most one buffer, so that every connection gets its turn. False if there was nothing.
bool Connection::read() {
  const std::span<char> whole = loop_.receive_buffer();
  const std::span<char> buffer = whole.first(std::min(whole.size(), most_read()));
  const ssize_t size = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (size > 0) {
    if (!winding_up()) deliver(buffer.first(static_cast<std::size_t>(size)));
    return true;
  }
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
  marks_.add(Mark::peer_ended);
  if (news_ == UV_DISCONNECT) news_ = UV_PRIORITIZED;
  if (size == 0 && peer_state_ != Peer::reset) {
    deliver_end_of_input();
  } else {
    abort();
    settle();
  }
  update_interest();
  return false;
}

// ---- Output ----

void Connection::flush() {
  base::OutQueue& queue = out();
  if (broken() || aborted()) return;  // on_settle() drops it: a session that writes until it is too much must be told
  std::size_t left = queue.size();
  while (left != 0) {
    std::size_t offered = 0;
    const ssize_t sent = send_front(queue, offered);
    if (sent == -EINTR) continue;
    if (would_block(sent)) return await_socket();
    if (sent < 0) return write_failed(sent);
    queue.consume(static_cast<std::size_t>(sent));
    left -= static_cast<std::size_t>(sent);
    progress(static_cast<std::size_t>(sent), left);
    if (static_cast<std::size_t>(sent) != offered) return await_socket();
  }
  if ((interest_ & UV_WRITABLE) != 0) update_interest();
}

/// Offers the front of the queue to the system, usually all of it and usually one piece. Negative: the error, as -errno.
ssize_t Connection::send_front(const base::OutQueue& queue, std::size_t& offered) const {
  std::string_view first = queue.front();
  if (first.size() == queue.size()) {
    offered = first.size();
    return send_pieces(socket_, {&first, 1});
  }
  std::array<std::string_view, pieces_per_write> room;
  const std::span pieces(room.data(), queue.peek(room));
  offered = total(pieces);
  return send_pieces(socket_, pieces);
}

/// Also called within calls of the session, so the session hears of it only when the connection is settled.
void Connection::write_failed(ssize_t error) {
  if (!is_gone(error) || ending()) return abort();
  if (error == -ECONNRESET) peer_state_ = Peer::reset;
  break_off();
}

/// The peer takes nothing any more. What it sent before still has to be read: a server that responds early and closes, as with a
/// 413, resets the connection while the request is on its way.
void Connection::break_off() {
  if (!broken()) peer_state_ = Peer::broken;
  marks_.remove(Mark::file_waits);
  own_deadline_ = base::never;
  out().clear();
  update_interest();
  schedule();
}

/// The peer takes more, or may. Usually it does not take all, and the socket is watched as before.
void Connection::resume_output() {
  marks_.remove(Mark::file_waits);
  settle();
  if (!winding_up() && !marks_.has(Mark::file_waits) && out().empty()) own_deadline_ = base::never;
  update_interest();
}

void Connection::write_through(std::string_view head, std::string_view body) {
  if ((interest_ & UV_WRITABLE) != 0 || ending() || broken()) return Link::write_through(head, body);
  std::array<std::string_view, pieces_per_write + 2> pieces;
  std::size_t count = out().peek(std::span(pieces).first(pieces_per_write));
  const std::size_t queued = total(std::span(pieces).first(count));
  if (queued != out().size()) return Link::write_through(head, body);
  pieces[count++] = head;
  pieces[count++] = body;
  const ssize_t sent = send_pieces(socket_, std::span(pieces).first(count));
  if (is_gone(sent)) return write_failed(sent);
  if (sent < 0) return Link::write_through(head, body);  // the flush at the end of the turn finds the error, if it is one
  auto taken = static_cast<std::size_t>(sent);
  const std::size_t from_queue = std::min(taken, queued);
  out().consume(from_queue);
  taken -= from_queue;
  const std::size_t from_head = std::min(taken, head.size());
  out().append(head.substr(from_head));
  out().append(body.substr(taken - from_head));
}

std::optional<std::size_t> Connection::send_file(int file, std::uint64_t offset, std::size_t size) {
  if (ending() || broken() || marks_.has(Mark::file_waits)) return 0;
  flush();  // not with MSG_MORE: over loopback, sendfile() took four times as long after it
  if (ending() || broken() || !out().empty()) return 0;
  const ssize_t sent = send_part(socket_, file, static_cast<off_t>(offset), size);
  if (is_gone(sent)) write_failed(sent);
  if (sent <= 0 && !would_block(sent))
    return std::nullopt;  // no such file, or it is shorter now, or no peer: reading and writing show which
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (taken != 0) progress(taken, size - taken);
  if (taken != size) {
    marks_.add(Mark::file_waits);
    await_socket();
  }
  return taken;
}

/// The peer took something. A peer that takes almost nothing, again and again, gains no time by that.
void Connection::progress(std::size_t sent, std::size_t left) {
  taken_ += sent;
  if (left != 0 && taken_ < loop_.limits().write_progress) return;
  taken_ = 0;
  own_deadline_ = winding_up() ? now() + loop_.limits().closing_flush : base::never;
}

/// The socket did not take all.
void Connection::await_socket() {
  if (!winding_up() && own_deadline_ == base::never) {
    taken_ = 0;
    own_deadline_ = now() + loop_.limits().write_stall;
    arm_timer();
  }
  update_interest();
}

/// Whether input is read: because somebody takes it, or to drop it, so that the end behind it is seen.
bool Connection::wants_input() const { return !marks_.has(Mark::peer_ended) && (ending() ? stage_ >= Stage::shut : !input_held()); }

void Connection::update_interest() {
  interest_changed_ = in_turn_ || marks_.has(Mark::scheduled);  // on_settle() is a turn, too
  if (!interest_changed_) decide_interest();
}

void Connection::decide_interest() {
  if (closed()) return;
  interest_changed_ = false;
  const bool open = !broken() && !aborted();
  const bool reads = open && wants_input();
  const bool writes = open && (marks_.has(Mark::file_waits) || (!out().empty() && !held_back()));
  if (reads) marks_.remove(Mark::unread);
  // Input that is held is usually wanted again before any comes. So the socket is watched for it until some has come: changing what
  // a socket is watched for takes two system calls, and changing it back another two.
  const bool waits = reads || (open && !marks_.has_any(Mark::peer_ended, Mark::unread) && (interest_ & UV_READABLE) != 0);
  // Even if nothing is read or written for now, a reset has to be noticed. The system reports it for a socket that is watched for
  // anything: for the peer's end; after that, which may be half a close, for urgent bytes.
  const bool listens = open && !ending() && !waits && !writes;
  const auto wanted = static_cast<std::uint8_t>((waits ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0) | (listens ? news_ : 0));
  if (wanted == interest_) return;
  interest_ = wanted;
  if (wanted == 0) {
    uv_poll_stop(&poll_);
    return;
  }
  uv_poll_start(&poll_, wanted,
                [](uv_poll_t* poll, int status, int events) { static_cast<Connection*>(poll->data)->on_ready(status, events); });
}

// ---- Time ----

void Connection::set_deadline(base::Time when) {
  session_deadline_ = when;
  arm_timer();
}

void Connection::arm_timer() {
  if (closed()) return;
  const base::Time due = std::min(session_deadline_, own_deadline_);
  if (due == base::never) loop_.wheel().cancel(*this);
  else loop_.wheel().set(*this, due);
}

void Connection::on_timer() {
  const Turn turn(*this);
  const base::Time time = now();
  // A socket counts as writable only if much of its buffer is free: a slow peer may have taken something all the same.
  if (own_deadline_ <= time && stage_ < Stage::shut) {
    flush();  // even if it is held back
    resume_output();
  }
  if (own_deadline_ <= time) {
    if (winding_up()) return close();
    base::sheltered(loop_.log(), "a line of the log", [this] {
      loop_.log().info(base::LogKind("connections that were cut"), address(), ": cut, the peer took next to nothing for ",
                       loop_.limits().write_stall.count(), " ms with ", out().size(), " bytes queued");
    });
    abort();
    settle();
  } else if (session_deadline_ <= time) {
    session_deadline_ = base::never;
    deliver_deadline();
  }
  arm_timer();
  proceed_winding_up();
}

void Connection::on_settle() {
  const Turn turn(*this);
  if (broken()) out().clear();
  if (!closed()) settle();
  if (broken() && !ending()) read_to_the_end();
  proceed_winding_up();
  if (interest_changed_) decide_interest();  // now, as it may be scheduled in each turn
}

void Connection::on_shut_down() {
  const Turn turn(*this);
  if (!closed()) deliver_shut_down();
  proceed_winding_up();
}

void Connection::on_drain() {
  const Turn turn(*this);
  if (!closed()) deliver_drain();
  proceed_winding_up();
}

// ---- The end ----

void Connection::tell_lost(const char* what) noexcept {
  base::sheltered(loop_.log(), "a line of the log", [this, what] {
    loop_.log().error(base::LogKind("connections that were cut"), address(), ": cut, ", std::string_view(what));
  });
}

/// An idle connection makes room for another one: it is closed at once if that loses nothing. False if it has something to do.
bool Connection::give_way() {
  int not_taken = 0;
  if (!out().empty() || !quiet() || ::ioctl(socket_, TIOCOUTQ, &not_taken) != 0 || not_taken != 0) return false;
  marks_.add(Mark::gives_way);
  finish();
  on_settle();
  return closed();
}

void Connection::output_ended() {
  marks_.add(Mark::output_over);
  ::shutdown(socket_, SHUT_WR);
}

void Connection::wind_up() {
  stage_ = Stage::winding_up;
  marks_.remove(Mark::file_waits);
  taken_ = 0;
  session_deadline_ = base::never;
  own_deadline_ = now() + loop_.limits().closing_flush;
  arm_timer();
}

/// When everything queued has left: tells the peer that no more comes, waits a while for it to end too, reading and dropping what
/// it still sends, and closes. If it closed at once, the system could answer late bytes with a reset, which destroys what is on its
/// way.
void Connection::proceed_winding_up() {
  if (stage_ != Stage::winding_up && stage_ != Stage::shut) return;
  if (aborted() || broken()) return close();
  if (!out().empty()) return update_interest();
  if (stage_ == Stage::winding_up) {
    stage_ = Stage::shut;
    ::shutdown(socket_, SHUT_WR);
    own_deadline_ = now() + loop_.limits().linger;
    arm_timer();
  }
  const bool is_over = marks_.has_any(Mark::peer_ended, Mark::gives_way);
  if (is_over || (loop_.stopping() && nothing_was_sent(socket_))) return close();
  update_interest();
}

void Connection::close() {
  if (closed()) return;
  stage_ = Stage::closed;
  loop_.wheel().cancel(*this);
  loop_.closed(*this);
  if (aborted() || !out().empty()) reset_when_closed(socket_);
  out().clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
    auto* connection = static_cast<Connection*>(handle->data);
    connection->stage_ = Stage::gone;
    connection->loop_.remove(*connection);
    if (!connection->marks_.has(Mark::scheduled)) delete connection;
  });
  ::close(socket_);  // not earlier: uv_close() still passes it to epoll, and another loop may have the number again by then
}

}  // namespace wharf::io
