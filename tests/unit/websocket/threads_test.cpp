#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "wharf/websocket.hpp"

// The thread rule of a stream: one thread receives while others send, which a mutex keeps apart. To be run under the thread
// sanitizer.

namespace {

using namespace wharf::websocket;

constexpr int messages = 500;
constexpr int senders = 2;

/// Bytes from one thread to another.
class Pipe {
 public:
  void write(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    bytes_ += bytes;
    written_.notify_one();
  }
  std::string read() {
    std::unique_lock lock(mutex_);
    written_.wait(lock, [this] { return !bytes_.empty(); });
    return std::exchange(bytes_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable written_;
  std::string bytes_;
};

struct End {
  End(Role role, const Agreement& agreement, Pipe& from, Pipe& to) : stream(role, agreement), input(from), output(to) {}

  template <class Call>
  void send(Call call) {
    const std::lock_guard lock(sending);
    std::string out;
    if (call(out) == Error::none) output.write(out);
  }

  void talk(int sender) {
    for (int i = 0; i < messages; ++i) {
      const std::string text = std::to_string(sender) + " says the same as before " + std::to_string(i);
      send([&](std::string& out) { return stream.send(Kind::text, text, out); });
      if (i % 50 == 0) send([&](std::string& out) { return stream.ping("p", out); });
      if (stream.validity() != Validity::valid) return;
    }
  }

  void listen() {
    while (stream.validity() != Validity::invalid) {
      std::string bytes = input.read();
      std::span<char> rest(bytes);
      for (Event event = stream.next(rest); event.type != Event::Type::more; event = stream.next(rest)) {
        if (event.type == Event::Type::text) ++heard[std::string(event.view().substr(0, 1))];
        if (event.type == Event::Type::pong) ++pongs;
        if (event.type == Event::Type::error) ++errors;
        send([&](std::string& out) { return stream.answer(event, out); });
      }
      const bool heard_all =
          heard.size() == senders && heard["0"] == messages && heard["1"] == messages && pongs == senders * messages / 50;
      if (heard_all) send([&](std::string& out) { return stream.close(1000, {}, out); });
    }
  }

  Stream stream;
  Pipe& input;
  Pipe& output;
  std::mutex sending;
  std::map<std::string, int> heard;
  int pongs = 0;
  int errors = 0;
};

}  // namespace

TEST_CASE("websocket_threads: each end receives with one thread and sends with others at the same time") {
  Agreement agreement;
  agreement.compressed = agreement.server_keeps_context = agreement.client_keeps_context = true;
  agreement.server_window_bits = agreement.client_window_bits = 10;
  agreement.compress_from = 1;
  Pipe to_server, to_client;
  End server(Role::server, agreement, to_server, to_client);
  End client(Role::client, agreement, to_client, to_server);
  std::vector<std::thread> threads;
  for (End* end : {&server, &client}) {
    threads.emplace_back([end] { end->listen(); });
    for (int sender = 0; sender < senders; ++sender) threads.emplace_back([end, sender] { end->talk(sender); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const End* end : {&server, &client}) {
    CHECK(end->errors == 0);
    CHECK(end->stream.validity() == Validity::invalid);
  }
  // The end that closes has received everything.
  CHECK(std::max(server.heard["0"], client.heard["0"]) == messages);
  CHECK(std::max(server.heard["1"], client.heard["1"]) == messages);
}
