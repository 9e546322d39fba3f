// Clients and servers that come, speak, stall and go in any order: nothing breaks, and nothing is left over.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "unit/proxy/proxy_bench.h"

namespace {

using namespace wharf;
using namespace wharf::server;

constexpr std::string_view upgrades = "Connection: Upgrade\r\nUpgrade: toy\r\n";

class Chaos {
 public:
  explicit Chaos(unsigned seed) : random_(seed) {}

  void step() {
    switch (pick(12)) {
      case 0:
        if (clients_.size() < 8) clients_.push_back(&bench_.client());
        break;
      case 1:
      case 2: client_sends(); break;
      case 3:
      case 4:
        if (!bench_.outside.attempts.empty()) servers_.push_back(&bench_.accept());
        break;
      case 5:
      case 6:
      case 7: server_sends(); break;
      case 8:
        if (!bench_.outside.attempts.empty() && pick(3) == 0) bench_.refuse();
        break;
      case 9: some_link_ends(); break;
      case 10:
        if (ProxyBench::Link* const link = any()) bench_.take_in(*link, pick(2) == 0 ? pick(50'000) : ProxyBench::Link::unlimited);
        break;
      default: bench_.advance(static_cast<std::int64_t>(pick(10) == 0 ? 40'000 : pick(2'000)));
    }
  }

  /// When all clients have gone, each connection upstream has too, or waits for others.
  void clear_up() {
    for (ProxyBench::Link* const client : clients_) client->abort();
    bench_.run();
    for (ProxyBench::Link* const server : servers_) server->set_window(ProxyBench::Link::unlimited);
    bench_.run();
    for (ProxyBench::Link* const server : servers_) CHECK((server->closed() || server->reading()));
    bench_.advance(30'000);
    for (ProxyBench::Link* const server : servers_) CHECK(server->closed());
    for (ProxyBench::Link* const client : clients_) CHECK(client->closed());
  }

  [[nodiscard]] std::size_t served() const { return served_; }

 private:
  std::size_t pick(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random_); }

  ProxyBench::Link* any() {
    const std::size_t all = clients_.size() + servers_.size();
    if (all == 0) return nullptr;
    const std::size_t at = pick(all);
    return at < clients_.size() ? clients_[at] : servers_[at - clients_.size()];
  }

  /// The whole of it, or a piece now and perhaps the rest.
  void say(ProxyBench::Link& link, std::string_view bytes) {
    const std::size_t cut = pick(3) == 0 ? pick(bytes.size() + 1) : bytes.size();
    bench_.send(link, bytes.substr(0, cut));
    if (pick(4) != 0) bench_.send(link, bytes.substr(cut));
  }

  void client_sends() {
    if (clients_.empty()) return;
    ProxyBench::Link& client = *clients_[pick(clients_.size())];
    const std::string part(pick(70'000), 'c');
    switch (pick(5)) {
      case 0: say(client, asks()); break;
      case 1: say(client, asks("PUT", base::concat("Content-Length: ", part.size(), "\r\n"), part)); break;
      case 2: say(client, asks("POST", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")); break;
      case 3: say(client, asks("GET", upgrades) + "early"); break;
      default: say(client, asks("HEAD"));
    }
    if (client.take().find(" 200 OK") != std::string::npos) ++served_;
  }

  void server_sends() {
    if (servers_.empty()) return;
    ProxyBench::Link& server = *servers_[pick(servers_.size())];
    const std::string part(pick(200'000), 's');
    switch (pick(7)) {
      case 0: say(server, base::concat("HTTP/1.1 200 OK\r\nContent-Length: ", part.size(), "\r\n\r\n", part)); break;
      case 1: say(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"); break;
      case 2: say(server, "HTTP/1.1 200 OK\r\n\r\nuntil the end"); break;
      case 3: say(server, "HTTP/1.1 101 OK\r\nUpgrade: toy\r\nConnection: Upgrade\r\n\r\nat once"); break;
      case 4: say(server, "HTTP/1.1 103 Early\r\n\r\n"); break;
      case 5: say(server, small_answer); break;
      default: say(server, "HTTP/1.1 204 No Content\r\n\r\n");
    }
    server.take();
  }

  void some_link_ends() {
    ProxyBench::Link* const link = any();
    if (link == nullptr) return;
    switch (pick(5)) {
      case 0: bench_.reset(*link); break;
      case 1: link->abort(); break;  // nobody is told yet
      case 2: link->server_stops(); break;
      default: bench_.end(*link);
    }
  }

  std::mt19937 random_;
  ProxyBench bench_;
  std::vector<ProxyBench::Link*> clients_;
  std::vector<ProxyBench::Link*> servers_;
  std::size_t served_ = 0;
};

}  // namespace

TEST_CASE("proxy: whatever happens in whatever order") {
  std::size_t served = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Chaos chaos(seed);
    for (int i = 0; i < 200; ++i) chaos.step();
    chaos.clear_up();
    served += chaos.served();
  }
  CHECK(served > 300);  // it is not only chaos
}
