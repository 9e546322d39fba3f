#include "handshake.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
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
std::string read_head(const Opened& opened) {
  std::string head;
  std::array<char, 4096> buffer;
  while (head.find("\r\n\r\n") == std::string::npos && head.size() < longest_head) {
    const ssize_t count = opened.tls ? SSL_read(opened.tls.get(), buffer.data(), static_cast<int>(buffer.size()))
                                     : recv(opened.fd, buffer.data(), buffer.size(), 0);
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

// Empty, or what is wrong.
std::string connect_to(int fd, const addrinfo& server) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, server.ai_addr, server.ai_addrlen) != 0) return "cannot connect: " + system_error();
  return {};
}

std::string open_one(Opened& opened, const addrinfo& server, const std::string& request, const LoadOptions& options, SSL_CTX* tls) {
  if (std::string fault = connect_to(opened.fd, server); !fault.empty()) return fault;
  ssize_t sent = 0;
  if (tls != nullptr) {
    opened.tls.reset(SSL_new(tls));
    SSL_set_fd(opened.tls.get(), opened.fd);
    if (SSL_connect(opened.tls.get()) != 1) return "no TLS";
    sent = SSL_write(opened.tls.get(), request.data(), static_cast<int>(request.size()));
  } else {
    sent = send(opened.fd, request.data(), request.size(), MSG_NOSIGNAL);
  }
  if (sent != static_cast<ssize_t>(request.size())) return "cannot send the request: " + system_error();
  return fault_of(read_head(opened), options);
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

std::vector<Opened> open_connections(const LoadOptions& options) {
  const Address server = resolve(options);
  if (!server) return {};
  const std::string request = request_text(options);
  const TlsContext tls = options.carrier == Carrier::tls ? client_context() : nullptr;
  std::vector<Opened> all;
  for (std::size_t i = 0; i < options.connections; ++i) {
    const int fd = socket(server->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
      all.push_back({fd, nullptr});
      choose_source(fd, *server, i);
    }
    const std::string fault = fd < 0 ? "no socket: " + system_error() : open_one(all.back(), *server, request, options, tls.get());
    if (fault.empty()) continue;
    std::fprintf(stderr, "load: connection %zu of %zu: %s\n", i + 1, options.connections, fault.c_str());
    for (const Opened& each : all) close(each.fd);
    return {};
  }
  return all;
}

// TLS 1.3 brings the ticket after the handshake: OpenSSL says when it is there.
Handshaker::Handshaker(const LoadOptions& options) : options_(options), context_(client_context()) {
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context_.get(), this);
  SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* tls, SSL_SESSION* session) {
    auto* own = static_cast<Handshaker*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(tls)));
    own->session_.reset(session);
    return 1;
  });
}

std::uint64_t Handshaker::run(Bound bound) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(bound.seconds);
  std::uint64_t done = 0;
  while (done < bound.messages && std::chrono::steady_clock::now() < end && errors_ == 0) {
    const std::string fault = shake_hands();
    if (!fault.empty()) {
      ++errors_;
      std::fprintf(stderr, "load: a handshake: %s\n", fault.c_str());
    }
    done += options_.connections;
  }
  return done;
}

// All say their hello before any of them waits for the server.
std::string Handshaker::shake_hands() {
  const Address server = resolve(options_);
  if (!server) return "no address";
  const bool resumes = options_.sessions == Sessions::resumed && session_ != nullptr;
  std::vector<Opened> all;
  std::string fault;
  for (std::size_t i = 0; i < options_.connections && fault.empty(); ++i) {
    const Opened& opened =
        all.emplace_back(Opened{socket(server->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), Tls(SSL_new(context_.get()))});
    fault = connect_to(opened.fd, *server);
    if (resumes) SSL_set_session(opened.tls.get(), session_.get());
    SSL_set_fd(opened.tls.get(), opened.fd);
    if (options_.connections == 1) continue;
    fcntl(opened.fd, F_SETFL, O_NONBLOCK);
    SSL_connect(opened.tls.get());
    fcntl(opened.fd, F_SETFL, 0);
  }
  for (const Opened& opened : all) {
    if (!fault.empty()) break;
    if (SSL_connect(opened.tls.get()) != 1) fault = "no TLS";
    else if (resumes && SSL_session_reused(opened.tls.get()) != 1) fault = "not resumed";
    SSL_shutdown(opened.tls.get());
  }
  for (const Opened& opened : all) {
    std::array<char, 256> ignored;
    while (fault.empty() && SSL_read(opened.tls.get(), ignored.data(), ignored.size()) > 0) {
    }
    close(opened.fd);
  }
  return fault;
}

}  // namespace bench
