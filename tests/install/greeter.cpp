// A plugin as somebody who has only the installed headers would write it.
#include <wharf/version.h>
#include <chrono>
#include <string>
#include <string_view>
#include <wharf/protocol.hpp>

struct Greeter {
  struct Shared {
    int guests = 0;
  };
  wharf::Peer peer;
  Shared& shared;

  static int accept(const wharf::Request& request) { return request.query() == "closed" ? 503 : 0; }
  void opened(const wharf::Request&) { peer.send_text("guest " + std::to_string(++shared.guests)); }
  void message(wharf::Kind kind, std::string_view data) {
    if (data == "version") peer.send_text(WHARF_VERSION);
    else if (data == "bye") peer.close(4001, "bye");
    else peer.send(kind, "hello, " + std::string(data));
  }
};

struct Ticker {
  wharf::Peer peer;
  int count = 0;
  void opened(const wharf::Request&) { peer.every(std::chrono::milliseconds(10)); }
  void tick() { peer.send_text(std::to_string(count++)); }
};

WHARF_EXPORT(wharf::protocol<Greeter>("greeter"), wharf::protocol<Ticker>("ticker"))
