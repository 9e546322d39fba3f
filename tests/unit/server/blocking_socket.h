#pragma once
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace wharf::test {

/// A blocking client of the loopback.
class BlockingSocket {
 public:
  explicit BlockingSocket(const std::string& address) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~BlockingSocket() { ::close(socket_); }
  BlockingSocket(const BlockingSocket&) = delete;
  BlockingSocket& operator=(const BlockingSocket&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  void send(std::string_view bytes) const {
    REQUIRE(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == ssize_t(bytes.size()));
  }
  /// Until it ends with `end`, or the connection ends.
  std::string receive_until(std::string_view end) const {
    std::string text;
    for (char byte = 0; !text.ends_with(end) && receive(byte);) text += byte;
    return text;
  }
  std::string receive_all() const {
    std::string text;
    for (char byte = 0; receive(byte);) text += byte;
    return text;
  }
  std::string handshake(const std::string& protocol, const std::string& host = "localhost") const {
    send("GET / HTTP/1.1\r\nHost: " + host +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
         protocol + "\r\n\r\n");
    return receive_until("\r\n\r\n").substr(0, 12);
  }
  /// A text frame with a mask of zeros.
  void send_text(std::string_view text) const {
    send("\x81" + std::string(1, static_cast<char>(0x80 | text.size())) + std::string(4, '\0') + std::string(text));
  }

 private:
  /// Linux interrupts a wait that has a timeout when an io_uring goes that this thread has used, as libuv did for a former loop.
  [[nodiscard]] bool receive(char& byte) const {
    ssize_t size = 0;
    do size = recv(socket_, &byte, 1, 0);
    while (size < 0 && errno == EINTR);
    return size == 1;
  }

  int socket_;
  bool connected_;
};

}  // namespace wharf::test
