/// A chat on plain sockets, and its page. It uses only wharf/websocket.hpp of Wharf.
///
/// Each client has two threads. One reads, and has the receiving half of the stream to itself. The other writes the queue. Any
/// thread may send to a client: it makes the frame under the mutex that guards the sending half and the queue behind it, and never
/// waits for that client's network. See the thread rule of wharf::websocket::Stream.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "socket_chat.html.h"
#include "wharf/websocket.hpp"

namespace {

using namespace wharf::websocket;

constexpr int seconds_of_silence = 20;            // after this a client is sent a ping, and cut after the same time again
constexpr std::size_t most_queued = 1024 * 1024;  // bytes; a client that takes less is cut
constexpr std::size_t most_clients = 200;
constexpr std::chrono::seconds longest_farewell{10};
constexpr std::size_t longest_name = 40;

bool write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

class Client {
 public:
  Client(int socket, const Agreement& agreement, std::string name)
      : name_(std::move(name)), socket_(socket), stream_(Role::server, agreement) {}

  // For any thread.
  void say(std::string_view text) {
    const std::lock_guard lock(sending_);
    queue(stream_.send(Kind::text, text, out_));
  }

  // For the thread that reads.
  Event next(std::span<char>& input) { return stream_.next(input); }
  void answer(const Event& event) {
    const std::lock_guard lock(sending_);
    queue(stream_.answer(event, out_));
  }
  void ping() {
    const std::lock_guard lock(sending_);
    queue(stream_.ping({}, out_));
  }
  [[nodiscard]] bool is_over() const { return stream_.validity() == Validity::invalid; }
  std::string& name() { return name_; }
  /// The queue is still sent.
  void finish() {
    const std::lock_guard lock(sending_);
    is_finished_ = true;
    queued_.notify_one();
  }

  /// The thread that writes.
  void write() {
    std::string bytes;
    do {
      std::unique_lock lock(sending_);
      queued_.wait(lock, [this] { return !out_.empty() || is_finished_; });
      bytes.clear();
      bytes.swap(out_);
    } while (!bytes.empty() && write_all(socket_, bytes));
    shutdown(socket_, bytes.empty() ? SHUT_WR : SHUT_RDWR);
  }

 private:
  // With the mutex. A late message to a client that is closing is nobody's fault.
  void queue(Error error) {
    if (error != Error::none && error != Error::closed) std::fprintf(stderr, "socket-chat: %s\n", message(error).data());
    if (out_.size() > most_queued) shutdown(socket_, SHUT_RDWR);
    queued_.notify_one();
  }

  std::string name_;  // the reading thread's
  const int socket_;
  Stream stream_;
  std::mutex sending_;
  std::condition_variable queued_;
  std::string out_;
  bool is_finished_ = false;
};

/// The clients that are there.
class Room {
 public:
  std::shared_ptr<Client> enter(int socket, const Agreement& agreement) {
    const std::lock_guard lock(mutex_);
    if (clients_.size() >= most_clients) return nullptr;
    clients_.push_back(std::make_shared<Client>(socket, agreement, "guest " + std::to_string(++guests_)));
    return clients_.back();
  }
  void leave(const std::shared_ptr<Client>& client) {
    const std::lock_guard lock(mutex_);
    std::erase(clients_, client);
  }
  void say_to_all(std::string_view text) {
    const std::lock_guard lock(mutex_);
    for (const auto& client : clients_) client->say(text);
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Client>> clients_;
  unsigned guests_ = 0;
};

Room& room() {
  static Room the;
  return the;
}

void on_text(Client& client, std::string_view text) {
  constexpr std::string_view rename = "/name ";
  if (!text.starts_with(rename)) return room().say_to_all(client.name() + ": " + std::string(text));
  const std::string name(text.substr(rename.size()));
  const bool is_fine = !name.empty() && name.size() <= longest_name &&
                       std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  if (!is_fine) return client.say("* a name has 1 to 40 bytes and no control characters");
  room().say_to_all("* " + client.name() + " is now " + name);
  client.name() = name;
}

/// True when the conversation is over.
bool on_input(Client& client, std::span<char> input) {
  for (Event event = client.next(input); event.type != Event::Type::more; event = client.next(input)) {
    if (event.type == Event::Type::text) on_text(client, event.view());
    else client.answer(event);
  }
  return client.is_over();
}

void read(int socket, Client& client, std::span<char> first, std::span<char> buffer) {
  bool is_silent = false;
  for (bool is_over = on_input(client, first); !is_over;) {
    const ssize_t size = recv(socket, buffer.data(), buffer.size(), 0);
    const bool timed_out = size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (timed_out ? is_silent : size <= 0) return shutdown(socket, SHUT_RDWR), void();
    if (timed_out) client.ping();
    else is_over = on_input(client, buffer.first(static_cast<std::size_t>(size)));
    is_silent = timed_out;
  }
}

/// The page, or why not.
std::string answer_without_websocket(const ServerHandshake& handshake) {
  if (handshake.error != Error::upgrade_missing) return handshake.answer;
  if (handshake.method != "GET") return refusal(405, "There is a page here, for GET.");
  if (handshake.target != "/") return refusal(404, "There is nothing here but the page at /.");
  constexpr std::string_view page = pages::SocketChatHtml::text;
  return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: " +
         std::to_string(page.size()) + "\r\n\r\n" + std::string(page);
}

/// Whether the request comes from our own page, or from a client that is no browser. Browsers let any page open a WebSocket to any
/// server.
bool is_own(const Fields& fields) {
  const auto origin = find_field(fields, "Origin");
  return !origin || *origin == "http://" + std::string(find_field(fields, "Host").value_or(""));
}

void talk(int socket, std::span<char> buffer) {
  ServerOptions options;
  options.protocols = {"chat"};
  std::string head;
  ServerHandshake handshake;
  while (handshake.outcome == Outcome::incomplete) {
    const ssize_t size = recv(socket, buffer.data(), buffer.size(), 0);
    if (size <= 0) return;
    handshake = answer_request(head.append(buffer.data(), static_cast<std::size_t>(size)), options);
  }
  if (handshake.outcome == Outcome::refused) return write_all(socket, answer_without_websocket(handshake)), void();
  if (!is_own(handshake.fields)) return write_all(socket, refusal(403, "This chat is for its own page.")), void();
  if (!write_all(socket, handshake.answer)) return;
  const std::shared_ptr<Client> client = room().enter(socket, handshake.agreement);
  if (client == nullptr) {
    std::string out;
    if (Stream(Role::server).close(1013, "the room is full", out) == Error::none) write_all(socket, out);
    return;
  }
  std::thread writer([client] { client->write(); });
  room().say_to_all("* " + client->name() + " came");
  read(socket, *client, std::span(head).subspan(handshake.used), buffer);
  room().leave(client);
  client->finish();
  writer.join();
  room().say_to_all("* " + client->name() + " left");
}

/// Closes so that everything that was sent arrives, even if the client is still sending, as a long message that was refused:
/// closing with bytes unread would be a reset, which destroys what is on its way.
void finish(int socket, std::span<char> buffer) {
  shutdown(socket, SHUT_WR);
  const auto end = std::chrono::steady_clock::now() + longest_farewell;
  while (std::chrono::steady_clock::now() < end && recv(socket, buffer.data(), buffer.size(), 0) > 0) {
  }
  close(socket);
}

void serve(int socket) {
  const timeval patience{seconds_of_silence, 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) setsockopt(socket, SOL_SOCKET, option, &patience, sizeof patience);
  std::string buffer(65536, '\0');
  talk(socket, buffer);
  finish(socket, buffer);
}

/// A socket that listens on the loopback address; a port of 0 becomes a free one. Negative if that failed.
int listen_on(std::uint16_t& port) {
  sockaddr_in address{AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
  socklen_t size = sizeof address;
  auto* const bound = reinterpret_cast<sockaddr*>(&address);
  const int on = 1;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, bound, size) != 0 || listen(listener, 64) != 0 || getsockname(listener, bound, &size) != 0) return -1;
  port = ntohs(address.sin_port);
  return listener;
}

constexpr const char* usage = R"(usage: socket-chat [-p PORT] [--help]

A chat and its page on http://127.0.0.1:PORT/, 7681 by default; 0 picks a free port.
)";

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string_view> words(arguments + 1, arguments + count);
  if (words.size() == 1 && (words[0] == "-h" || words[0] == "--help")) return std::fputs(usage, stdout), 0;
  unsigned long number = 7681;
  char* end = nullptr;
  if (words.size() == 2 && (words[0] == "-p" || words[0] == "--port")) number = std::strtoul(arguments[2], &end, 10);
  if ((!words.empty() && (end == nullptr || end == arguments[2] || *end != '\0')) || number > 65535)
    return std::fputs(usage, stderr), 2;
  auto port = static_cast<std::uint16_t>(number);
  const int listener = listen_on(port);
  if (listener < 0) return std::perror("socket-chat"), 1;
  std::printf("listening on http://127.0.0.1:%d/\n", port);
  std::fflush(stdout);
  for (;;) {
    const int socket = accept(listener, nullptr, nullptr);
    if (socket >= 0) std::thread(serve, socket).detach();
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) sleep(1);  // some client will leave
    else if (errno != EINTR && errno != ECONNABORTED) return std::perror("socket-chat"), 1;
  }
}
