#include "io/listener.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

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
