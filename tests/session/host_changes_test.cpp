#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/ascii.h"
#include "session/site.h"
#include "wharf/server.hpp"

// Hosts come and go while loops are busy with them; to be run under the thread sanitizer.

namespace {

using namespace wharf;
using namespace wharf::test;

std::atomic<int> alive{0};

/// Says which host it belongs to.
struct Named {
  struct Shared {
    explicit Shared(Scope of) : scope(of) { ++alive; }
    ~Shared() { --alive; }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    Scope scope;
  };
  Peer peer;
  Shared& shared;
  void message(Kind, std::string_view) { peer.send_text(shared.scope.host()); }
};

VirtualHost named(const std::string& name) {
  VirtualHost host;
  host.name = name;
  host.mounts.push_back({"/", Fixed{200, "text/plain", name}});
  return host;
}

/// The status of the response to a request for that host.
std::string status_of(Wire& wire, std::string_view host) {
  wire.send(base::concat("GET / HTTP/1.1\r\nHost: ", host, "\r\n\r\n"));
  const std::string head = wire.read_until("\r\n\r\n");
  const std::size_t at = head.find("Content-Length: ");
  wire.read(std::stoul(head.substr(at + 16)));
  return head.substr(9, 3);
}

}  // namespace

TEST_CASE("threads: hosts are added, changed and removed a hundred times while three loops are busy with them") {
  {
    ServerOptions options;
    options.threads = 3;
    options.log_level = Level::debug;
    options.log = [count = 0](Level, std::string_view) mutable { ++count; };  // by one thread at a time, or the sanitizer tells
    options.unknown_hosts = UnknownHosts::misdirected;
    options.limits.stop_grace = std::chrono::milliseconds(100);
    Server server(options);
    REQUIRE_FALSE(server.add(protocol<Named>("named")));
    REQUIRE_FALSE(server.add(named("test")));
    const io::Address address = listen_anywhere(server);
    Running running(server);

    std::atomic<bool> end{false};
    std::atomic<int> answers{0};
    std::vector<std::thread> clients;
    for (int client = 0; client < 6; ++client)
      clients.emplace_back([&, client] {
        SocketWire kept(address);
        SocketWire open(address);
        WsTalk talk(open, "named");
        while (!end) {
          const std::string changing = status_of(kept, "b.two.example");
          if (changing != "200" && changing != "421") FAIL_CHECK(changing);
          CHECK(status_of(kept, "test") == "200");
          talk.send(text("?"));
          CHECK(talk.next() == "text test");
          if (client % 2 == 0) {
            SocketWire late(address);
            late.send(
                "GET / HTTP/1.1\r\nHost: a.two.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
                "13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: named\r\n\r\n");
            late.read_until("\r\n");
          }
          ++answers;
        }
      });
    int told = 0;
    for (int i = 0; i < 100; ++i) {
      const Error added = server.add(named("*.two.example"));
      CHECK_MESSAGE(!added, added.message);
      CHECK_FALSE(server.change(named("test")));
      std::atomic<bool> changed{false};
      server.change(named("*.two.example"), [&](const Error& error) {
        CHECK_FALSE(error);
        ++told;
        changed = true;
      });
      wait_until([&changed] { return changed.load(); });
      CHECK_FALSE(server.remove("*.two.example"));
    }
    wait_until([&answers] { return answers > 20; });
    end = true;
    for (std::thread& client : clients) client.join();
    CHECK(told == 100);
  }
  CHECK(alive == 0);
}
