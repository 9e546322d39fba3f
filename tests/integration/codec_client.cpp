/// A client of wharf/websocket.hpp for tests: it sends messages to another project's echo server, and expects them back.
/// usage: codec-client PORT PATH shared|dedicated [MEMORY_LIMIT]
/// It prints the server's answer to its offer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wharf/websocket.hpp"

namespace {

using namespace wharf::websocket;

[[noreturn]] void fail(std::string_view what) {
  std::fprintf(stderr, "codec-client: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

int connect_to(const char* port) {
  const timeval patience{30, 0};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("nobody listens");
  return connection;
}

void write_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) fail("the server takes no more");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::span<char> read_some(int connection, std::span<char> room) {
  const ssize_t size = recv(connection, room.data(), room.size(), 0);
  if (size <= 0) fail("the server says no more");
  return room.first(static_cast<std::size_t>(size));
}

class Talk {
 public:
  Talk(int connection, const Agreement& agreement, std::uint64_t memory_limit, std::string_view first)
      : connection_(connection), stream_(Role::client, agreement, options(memory_limit)), input_(room_) {
    first.copy(room_.data(), first.size());
    input_ = input_.first(first.size());
  }

  /// Twice, so that kept contexts have something to build on.
  void echo(wharf::Kind kind, std::string_view message) {
    for (int i = 0; i < 2; ++i) {
      std::string out;
      if (stream_.send(kind, message, out) != Error::none) fail("cannot send");
      write_all(connection_, out);
      const Event event = next();
      if (!event.is_message() || event.kind() != kind || event.view() != message) fail("another message came back");
    }
  }

  void close() {
    std::string out;
    if (stream_.close(1000, "done", out) != Error::none) fail("cannot close");
    write_all(connection_, out);
    if (next().code != 1000) fail("the close was not answered with its code");
  }

 private:
  static StreamOptions options(std::uint64_t memory_limit) {
    StreamOptions options;
    options.memory_limit = memory_limit;
    return options;
  }

  Event next() {
    for (;;) {
      const Event event = stream_.next(input_);
      if (event.type == Event::Type::error) fail(message(event.error));
      std::string out;
      if (event.type == Event::Type::ping && stream_.answer(event, out) == Error::none) write_all(connection_, out);
      else if (event.type == Event::Type::more) input_ = read_some(connection_, room_);
      else return event;
    }
  }

  int connection_;
  Stream stream_;
  std::string room_ = std::string(65536, '\0');
  std::span<char> input_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) fail("usage: codec-client PORT PATH shared|dedicated [MEMORY_LIMIT]");
  ClientOptions options;
  options.host = std::string("127.0.0.1:") + arguments[1];
  options.target = arguments[2];
  options.compression.context =
      arguments[3] == std::string_view("shared") ? wharf::Compression::Context::shared : wharf::Compression::Context::dedicated;
  if (count > 4) options.memory_limit = std::strtoull(arguments[4], nullptr, 10);
  const ClientRequest request = make_request(options);
  const int connection = connect_to(arguments[1]);
  write_all(connection, request.bytes);

  std::string head, room(65536, '\0');
  ClientHandshake handshake;
  while (handshake.outcome == Outcome::incomplete) {
    const std::span<char> bytes = read_some(connection, room);
    handshake = check_answer(head.append(bytes.data(), bytes.size()), request);
  }
  if (handshake.outcome == Outcome::refused) fail(handshake.reason);
  std::printf("%s\n", std::string(find_field(handshake.fields, "Sec-WebSocket-Extensions").value_or("")).c_str());

  std::string random(100'000, '\0');
  unsigned state = 1;
  for (char& byte : random) byte = static_cast<char>((state = state * 1103515245U + 12345U) >> 16);
  Talk talk(connection, handshake.agreement, options.memory_limit, std::string_view(head).substr(handshake.used));
  for (const std::size_t size : {0U, 1U, 125U, 126U, 1'000U, 20'000U}) {
    talk.echo(wharf::Kind::text, std::string(size, 'x'));
    talk.echo(wharf::Kind::binary, std::string_view(random).substr(0, size));
  }
  if (options.memory_limit == 0) talk.echo(wharf::Kind::binary, random + random + random);
  talk.close();
  close(connection);
}
