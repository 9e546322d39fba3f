#pragma once
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "io/address.h"
#include "io/connection.h"
#include "io/listener.h"
#include "unit/io/turns.h"
#include "unit/link/scripted.h"

namespace wharf::test {

enum class Carrier : std::uint8_t { unix_stream, unix_packets, tcp };

/// Two sockets that are connected. A client's over TCP may wait.
struct Ends {
  int server = -1;
  int client = -1;
};

inline Ends connected(Carrier carrier) {
  if (carrier != Carrier::tcp) {
    int pair[2] = {-1, -1};
    const int type = carrier == Carrier::unix_stream ? SOCK_STREAM : SOCK_SEQPACKET;
    REQUIRE(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    return {pair[0], pair[1]};
  }
  const auto listening = io::ListeningSocket::open(*io::resolve_interface("127.0.0.1", 0), 1, io::ListeningSocket::Sharing::alone);
  REQUIRE(listening);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(client, listening->address().get(), listening->address().size) == 0);
  const int server = accept4(listening->descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  REQUIRE(server >= 0);
  return {server, client};
}

/// The other end of a connection; it never waits.
class Peer {
 public:
  using Origin = io::Connection::Origin;

  Peer(Turns& turns, const session::SessionMaker& make_session, Carrier carrier = Carrier::unix_stream,
       Origin origin = Origin::accepted)
      : ends_(connected(carrier)) {
    REQUIRE(fcntl(ends_.client, F_SETFL, O_NONBLOCK) == 0);
    REQUIRE(io::Connection::adopt(turns.loop(), ends_.server, make_session, origin));
  }
  ~Peer() { leave(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// The bytes that are there, at most that many; "" if the server has ended, nothing if it has not.
  [[nodiscard]] std::optional<std::string> read(std::size_t most) const {
    std::string bytes(most, '\0');
    const ssize_t size = ::recv(ends_.client, bytes.data(), most, 0);
    if (size < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(size));
    return bytes;
  }
  /// Reads all that there is. Whether the server has ended.
  bool read_into(std::string& all, std::size_t sip = 1'000'000) const {
    std::optional<std::string> bytes = read(sip);
    for (; bytes && !bytes->empty(); bytes = read(sip)) all += *bytes;
    return bytes.has_value();
  }
  void send(std::string_view bytes) const { REQUIRE(offer(bytes) == bytes.size()); }
  /// Returns how much the system took.
  [[nodiscard]] std::size_t offer(std::string_view bytes) const {
    return static_cast<std::size_t>(std::max<ssize_t>(0, ::send(ends_.client, bytes.data(), bytes.size(), MSG_NOSIGNAL)));
  }
  /// How much of it the server has not read.
  [[nodiscard]] std::size_t unread() const {
    int size = 0;
    REQUIRE(ioctl(ends_.server, FIONREAD, &size) == 0);
    return static_cast<std::size_t>(size);
  }
  [[nodiscard]] int server_socket() const { return ends_.server; }

  void end() const { REQUIRE(::shutdown(ends_.client, SHUT_WR) == 0); }
  /// With a reset, if there is something that it has not read.
  void leave() {
    if (ends_.client >= 0) ::close(std::exchange(ends_.client, -1));
  }

 private:
  Ends ends_;
};

inline session::SessionMaker scripted(Story& story, const std::string& name) {
  return [&story, name](session::Link& link) { return std::make_unique<Scripted>(link, story, name); };
}

}  // namespace wharf::test
