#include "io/listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unit/io/turns.h"
#include "unit/link/scripted.h"

namespace {

using namespace wharf::io;
using Sharing = ListeningSocket::Sharing;

wharf::base::Result<ListeningSocket, std::string> listen_on(const char* interface, std::uint16_t port, Sharing sharing) {
  return ListeningSocket::open(*resolve_interface(interface, port), 7, sharing);
}

bool can_use_ipv6() {
  const int socket = ::socket(AF_INET6, SOCK_STREAM, 0);
  if (socket < 0) return false;
  const Address loopback = *resolve_interface("::1", 0);
  const bool bound = bind(socket, loopback.get(), loopback.size) == 0;
  close(socket);
  return bound;
}

}  // namespace

TEST_CASE("listener: port 0 picks a free one, and the address says which") {
  const auto socket = listen_on("127.0.0.1", 0, Sharing::alone);
  REQUIRE(socket);
  CHECK(socket->address().port() != 0);
  CHECK(socket->address().text().starts_with("127.0.0.1:"));
}

TEST_CASE("listener: IPv6") {
  if (!can_use_ipv6()) return;
  const auto socket = listen_on("::1", 0, Sharing::alone);
  REQUIRE(socket);
  CHECK(socket->address().text().starts_with("[::1]:"));
}

TEST_CASE("listener: a port in use is an error that names it and says what to do") {
  const auto first = listen_on("127.0.0.1", 0, Sharing::alone);
  REQUIRE(first);
  const auto second = listen_on("127.0.0.1", first->address().port(), Sharing::alone);
  REQUIRE_FALSE(second);
  CHECK(second.error().find(first->address().text()) != std::string::npos);
  CHECK(second.error().find("choose another port") != std::string::npos);
}

TEST_CASE("listener: a shared port can be opened again, by those who share it") {
  const auto first = listen_on("127.0.0.1", 0, Sharing::shared);
  REQUIRE(first);
  CHECK(listen_on("127.0.0.1", first->address().port(), Sharing::shared));
  CHECK_FALSE(listen_on("127.0.0.1", first->address().port(), Sharing::alone));
}

TEST_CASE("listener: an address that the machine does not have") {
  const auto socket = listen_on("203.0.113.7", 0, Sharing::alone);  // reserved for documentation
  REQUIRE_FALSE(socket);
  CHECK(socket.error().find("203.0.113.7") != std::string::npos);
  CHECK(socket.error().find("does not have") != std::string::npos);
}

TEST_CASE("listener: the backlog is the one that was asked for") {
  auto socket = listen_on("127.0.0.1", 0, Sharing::alone);
  REQUIRE(socket);
  tcp_info info{};
  socklen_t size = sizeof info;
  REQUIRE(getsockopt(socket->descriptor(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  CHECK(info.tcpi_sacked == 7);  // of a listening socket this field is its backlog
}

TEST_CASE("listener: the socket is closed once, by its last owner") {
  auto first = listen_on("127.0.0.1", 0, Sharing::alone);
  REQUIRE(first);
  const std::uint16_t port = first->address().port();
  {
    const ListeningSocket owner(std::move(*first));
    CHECK(owner.address().port() == port);
    CHECK(first->descriptor() == -1);
    CHECK_FALSE(listen_on("127.0.0.1", port, Sharing::alone));
  }
  CHECK(listen_on("127.0.0.1", port, Sharing::alone));
}

namespace {

/// A client that has connected, which takes no server's doing.
class Client {
 public:
  explicit Client(const Address& to) : socket_(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(connect(socket_, to.get(), to.size) == 0);
  }
  ~Client() { end(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Its own end: the port behind the last colon.
  [[nodiscard]] std::string port() const {
    Address own;
    REQUIRE(getsockname(socket_, own.get(), &own.size) == 0);
    return std::to_string(own.port());
  }
  void send(std::string_view bytes) const {
    REQUIRE(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  /// Ends so that the other side hears of a reset.
  void reset() {
    const linger at_once{1, 0};
    REQUIRE(setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    end();
  }

 private:
  void end() {
    if (socket_ >= 0) close(std::exchange(socket_, -1));
  }

  int socket_;
};

/// An option of the socket in this process whose other end is this port; -1 if there is none.
int option_of_peer_at(const std::string& port, int level, int option) {
  for (int descriptor = 3; descriptor < 256; ++descriptor) {
    Address peer;
    if (getpeername(descriptor, peer.get(), &peer.size) != 0 || std::to_string(peer.port()) != port) continue;
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(descriptor, level, option, &value, &size) == 0 ? value : -1;
  }
  return -1;
}

/// The addresses of the clients of a listener, as its sessions see them at their first bytes.
struct Addresses {
  explicit Addresses(const std::string& interface, const KeepAlive& keep_alive = {}) {
    auto socket = ListeningSocket::open(*resolve_interface(interface, 0), 200, Sharing::alone, {.keep_alive = keep_alive});
    REQUIRE(socket);
    address = socket->address();
    turns.loop().add(Listener::create(turns.loop(), std::move(*socket),
                                      [this](wharf::session::Link& link) { return std::make_unique<Session>(link, texts); }));
  }

  struct Session final : wharf::session::Session {
    Session(wharf::session::Link& of, std::vector<std::string>& into) : link(of), texts(into) {}
    std::size_t input(std::span<char> bytes) override {
      texts.push_back(link.address());
      return bytes.size();
    }
    void end_of_input() override { link.finish(); }
    void shut_down() override { link.finish(); }

    wharf::session::Link& link;
    std::vector<std::string>& texts;
  };

  std::vector<std::string> texts;  // outlives the sessions
  wharf::test::Turns turns;
  Address address;
};

/// How many connections there are after each turn of a loop, until all clients that waited have one.
std::vector<std::size_t> accepted_by_turns(const LoopLimits& limits, std::size_t clients) {
  wharf::test::Story story;
  wharf::test::Turns turns(limits);
  auto socket = ListeningSocket::open(*resolve_interface("127.0.0.1", 0), 200, Sharing::alone);
  REQUIRE(socket);
  std::vector<std::unique_ptr<Client>> waiting;
  for (std::size_t i = 0; i < clients; ++i) waiting.push_back(std::make_unique<Client>(socket->address()));
  turns.loop().add(Listener::create(turns.loop(), std::move(*socket), [&story](wharf::session::Link& link) {
    return std::make_unique<wharf::test::Scripted>(link, story, "client");
  }));
  std::vector<std::size_t> counts;
  do {
    turns.one();
    counts.push_back(turns.loop().accepted_count());
  } while (counts.back() < clients && counts.size() < clients);
  return counts;
}

}  // namespace

TEST_CASE("listener: in each turn of the loop no more are accepted than accepts_per_turn; the rest wait for the next") {
  CHECK(accepted_by_turns({}, 130) == std::vector<std::size_t>{64, 128, 130});
  LoopLimits limits;
  limits.accepts_per_turn = 3;
  CHECK(accepted_by_turns(limits, 7) == std::vector<std::size_t>{3, 6, 7});
}

TEST_CASE("listener: a client that resets the connection right behind its request has an address all the same") {
  Addresses seen("127.0.0.1");
  Client client(seen.address);
  const std::string port = client.port();
  client.send("hello");
  client.reset();
  REQUIRE(seen.turns.until([&] { return !seen.texts.empty(); }));
  CHECK(seen.texts.front() == "127.0.0.1:" + port);
}

TEST_CASE("listener: IPv6 is taken alone, so all of IPv4 may have the same port") {
  if (!can_use_ipv6()) return;
  for (const Sharing sharing : {Sharing::alone, Sharing::shared}) {
    const auto six = listen_on("::", 0, sharing);
    REQUIRE(six);
    const auto four = listen_on("0.0.0.0", six->address().port(), sharing);
    REQUIRE(four);
    CHECK(four->address().port() == six->address().port());
  }
}

TEST_CASE("listener: an address of one network needs its interface") {
  if (!can_use_ipv6()) return;
  const auto socket = listen_on("fe80::1", 0, Sharing::alone);
  REQUIRE_FALSE(socket);
  CHECK(socket.error() ==
        "cannot listen on [fe80::1]:0: Invalid argument; an address that is valid on one network only needs its interface, like "
        "fe80::1%eth0");
}

TEST_CASE("listener: connections may bring bytes along if the door says so") {
  const auto queue_of = [](int fast_open) {
    const auto socket = ListeningSocket::open(*resolve_interface("127.0.0.1", 0), 7, Sharing::alone, {.fast_open = fast_open});
    REQUIRE(socket);
    int queue = -1;
    socklen_t size = sizeof queue;
    REQUIRE(getsockopt(socket->descriptor(), IPPROTO_TCP, TCP_FASTOPEN, &queue, &size) == 0);
    return queue;
  };
  CHECK(queue_of(0) == 0);
  CHECK(queue_of(5) == 5);
}

TEST_CASE("listener: a socket that another process began takes on what this server has for it") {
  using Holder = ListeningSocket::Holder;
  const auto begun = [](Holder holder) {
    auto opened = listen_on("127.0.0.1", 0, Sharing::alone);
    REQUIRE(opened);
    return ListeningSocket::adopt(wharf::base::Descriptor(fcntl(opened->descriptor(), F_DUPFD_CLOEXEC, 0)), opened->address(),
                                  holder, {});
  };
  const auto option_of = [](const ListeningSocket& socket, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    REQUIRE(getsockopt(socket.descriptor(), level, option, &value, &size) == 0);
    return value;
  };
  const auto backlog_of = [](const ListeningSocket& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    REQUIRE(getsockopt(socket.descriptor(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    return info.tcpi_sacked;
  };
  const SocketSettings fast{.keep_alive = {wharf::base::Time{60'000}}, .fast_open = 5};
  for (const Holder holder : {Holder::server, Holder::service_manager}) {
    const ListeningSocket socket = begun(holder);
    CHECK(socket.adapt(9, fast).empty());
    CHECK(backlog_of(socket) == 9);
    CHECK(option_of(socket, IPPROTO_TCP, TCP_FASTOPEN) == 5);
    CHECK(option_of(socket, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option_of(socket, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(socket.adapt(0, {.keep_alive = {wharf::base::Time{0}}}).empty());
    const bool lent = holder == Holder::service_manager;
    CHECK(backlog_of(socket) == (lent ? 9 : 0));
    CHECK(option_of(socket, IPPROTO_TCP, TCP_FASTOPEN) == (lent ? 5 : 0));
    CHECK(option_of(socket, SOL_SOCKET, SO_KEEPALIVE) == 0);
  }
}

TEST_CASE("listener: of a connection that was accepted the system asks whether the other end is still there") {
  const auto accepted = [](const KeepAlive& keep_alive) {
    Addresses seen("127.0.0.1", keep_alive);
    const Client client(seen.address);
    client.send("hello");
    REQUIRE(seen.turns.until([&] { return !seen.texts.empty(); }));
    const std::string port = client.port();
    return std::vector<int>{option_of_peer_at(port, SOL_SOCKET, SO_KEEPALIVE), option_of_peer_at(port, IPPROTO_TCP, TCP_KEEPIDLE),
                            option_of_peer_at(port, IPPROTO_TCP, TCP_KEEPINTVL), option_of_peer_at(port, IPPROTO_TCP, TCP_KEEPCNT)};
  };
  using wharf::base::Time;
  CHECK(accepted({}) == std::vector<int>{1, 180, 30, 4});
  CHECK(accepted({Time{60'001}, Time{1}, 9}) == std::vector<int>{1, 61, 1, 9});
  CHECK(accepted({wharf::base::never, wharf::base::never, 1'000'000}) == std::vector<int>{1, 32'767, 32'767, 127});
  CHECK(accepted({Time{1}, Time{0}, 0}) == std::vector<int>{1, 1, 1, 1});
  CHECK(accepted({Time{0}, Time{1}, 1}).front() == 0);
}
