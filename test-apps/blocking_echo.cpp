/// An echo on blocking sockets, with a thread for each connection. It uses only wharf/websocket.hpp of Wharf.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "wharf/websocket.hpp"

using namespace wharf::websocket;

static bool write_all(int socket, std::string_view bytes) {
  ssize_t sent = 0;
  for (; !bytes.empty() && sent >= 0; bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0))
    sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent >= 0;
}

/// Waits for bytes. Empty at the end, and after half a minute of silence.
static std::span<char> read_some(int socket, std::span<char> room) {
  const ssize_t size = recv(socket, room.data(), room.size(), 0);
  return room.first(size > 0 ? static_cast<std::size_t>(size) : 0);
}

static void talk(int socket, std::span<char> room) {
  std::string head;
  ServerHandshake handshake;
  while (handshake.outcome == Outcome::incomplete) {
    const std::span<char> bytes = read_some(socket, room);
    if (bytes.empty()) return;
    handshake = answer_request(head.append(bytes.data(), bytes.size()), {});
  }
  if (!write_all(socket, handshake.answer) || handshake.outcome == Outcome::refused) return;

  Stream stream(Role::server, handshake.agreement);
  std::span<char> input = std::span(head).subspan(handshake.used);  // frames may have come right behind the request
  do {
    std::string out;
    for (Event event = stream.next(input); event.type != Event::Type::more; event = stream.next(input)) {
      Error error = stream.answer(event, out);
      if (event.is_message()) error = stream.send(event.kind(), event.view(), out);
      if (error != Error::none || !write_all(socket, out)) return;
      out.clear();
    }
  } while (stream.validity() != Validity::invalid && !(input = read_some(socket, room)).empty());
}

/// Closes so that everything that was sent arrives, even if the client is still sending, as a long message that was refused:
/// closing with bytes unread would be a reset, which destroys what is on its way.
static void finish(int socket, std::span<char> room) {
  shutdown(socket, SHUT_WR);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end && !read_some(socket, room).empty()) {
  }
  close(socket);
}

static void serve(int socket) {
  const timeval half_a_minute{30, 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) setsockopt(socket, SOL_SOCKET, option, &half_a_minute, sizeof half_a_minute);
  std::string room(65536, '\0');
  talk(socket, room);
  finish(socket, room);
}

int main(int count, char** arguments) {
  const char* const given = count == 3 && std::string_view(arguments[1]) == "-p" ? arguments[2] : count == 1 ? "7681" : "";
  char* end = nullptr;
  const unsigned long port = std::strtoul(given, &end, 10);
  if (end == given || *end != '\0' || port > 65535) {
    std::puts("usage: blocking-echo [-p PORT]    echoes on 127.0.0.1:PORT, 7681 by default");
    return count == 2 && std::string_view(arguments[1]) == "--help" ? 0 : 2;
  }
  sockaddr_in address{AF_INET, htons(static_cast<std::uint16_t>(port)), {htonl(INADDR_LOOPBACK)}, {}};
  socklen_t size = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto* const bound = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, bound, size) != 0 || listen(listener, 16) != 0) return std::perror("blocking-echo"), 1;
  getsockname(listener, bound, &size);
  std::printf("listening on http://127.0.0.1:%d/\n", ntohs(address.sin_port)), std::fflush(stdout);
  for (int client = 0;; sleep(client < 0 ? 1U : 0U))  // a second if no descriptor is left, for example: some client will leave
    if ((client = accept(listener, nullptr, nullptr)) >= 0) std::thread(serve, client).detach();
}
