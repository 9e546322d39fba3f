#include "handshake.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "wire.h"

namespace bench {

namespace {

constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::size_t connections_per_source = 20'000;  // of the 28,000 ports that Linux gives to one source address
constexpr timeval patience{10, 0};

using Address = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

std::string system_error() { return errno == EAGAIN || errno == EINPROGRESS ? "nothing for 10 s" : std::strerror(errno); }

std::string request_text(const LoadOptions& options) {
  std::string text =
      "GET " + options.path + " HTTP/1.1\r\nHost: " + options.host + ":" + std::to_string(options.port) +
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + std::string(key) +
      "\r\n";
  if (!options.protocol.empty()) text += "Sec-WebSocket-Protocol: " + options.protocol + "\r\n";
  return text + "\r\n";
}

// To a loopback server from 127.0.0.1, 127.0.0.2 and so on, so that the ports do not run out.
void choose_source(int fd, const addrinfo& server, std::size_t index) {
  if (server.ai_family != AF_INET || index < connections_per_source) return;
  sockaddr_in source;
  std::memcpy(&source, server.ai_addr, sizeof source);
  if (ntohl(source.sin_addr.s_addr) >> 24 != 127) return;
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(index / connections_per_source));
  source.sin_port = 0;
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  static_cast<void>(bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source));
}

// Up to the empty line and with it, or what came before the server ended or fell silent.
std::string read_head(int fd) {
  std::string head;
  std::array<char, 4096> buffer;
  while (head.find("\r\n\r\n") == std::string::npos && head.size() < longest_head) {
    const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    head.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return head;
}

// What is wrong with the response; empty if nothing is.
std::string fault_of(const std::string& head, const LoadOptions& options) {
  const std::size_t end = head.find("\r\n\r\n");
  if (end == std::string::npos) return head.empty() ? "no response to the upgrade request" : "the head of the response has no end";
  if (!head.starts_with("HTTP/1.1 101 ")) return "refused with \"" + head.substr(0, head.find("\r\n")) + "\"";
  if (field(head, "Sec-WebSocket-Accept") != accept_value(key)) return "wrong Sec-WebSocket-Accept";
  const std::string_view protocol = field(head, "Sec-WebSocket-Protocol");
  if (!options.protocol.empty() && !protocol.empty() && protocol != options.protocol)
    return "another subprotocol than the one offered";
  if (end + 4 != head.size()) return "the server spoke first; this client wants an echo";
  return {};
}

std::string open_one(int fd, const addrinfo& server, const std::string& request, const LoadOptions& options) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, server.ai_addr, server.ai_addrlen) != 0) return "cannot connect: " + system_error();
  const ssize_t sent = send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) return "cannot send the request: " + system_error();
  return fault_of(read_head(fd), options);
}

Address resolve(const LoadOptions& options) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (status != 0) std::fprintf(stderr, "load: no address for %s: %s\n", options.host.c_str(), gai_strerror(status));
  return {status == 0 ? found : nullptr, freeaddrinfo};
}

}  // namespace

std::vector<int> open_connections(const LoadOptions& options) {
  const Address server = resolve(options);
  if (!server) return {};
  const std::string request = request_text(options);
  std::vector<int> descriptors;
  for (std::size_t i = 0; i < options.connections; ++i) {
    const int fd = socket(server->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
      descriptors.push_back(fd);
      choose_source(fd, *server, i);
    }
    const std::string fault = fd < 0 ? "no socket: " + system_error() : open_one(fd, *server, request, options);
    if (fault.empty()) continue;
    std::fprintf(stderr, "load: connection %zu of %zu: %s\n", i + 1, options.connections, fault.c_str());
    for (const int each : descriptors) close(each);
    return {};
  }
  return descriptors;
}

}  // namespace bench
