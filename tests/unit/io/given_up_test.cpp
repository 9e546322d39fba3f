#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "unit/io/connecting.h"

// Connections that are being made, and that nobody wants any more.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

}  // namespace

TEST_CASE("connector: whoever gives it up is not called, and no descriptor stays, whatever it waits for") {
  const SlowNames names;
  const io::ListeningSocket listening = listen_on("127.0.0.1", 0);
  const FullBacklog full(listening);
  const io::ListeningSocket listening_unix = listen_on(*io::unix_address(abstract_name("given-up")), 0);
  const FullBacklog full_unix(listening_unix);
  NamedTurns turns(names);
  const std::vector<int> before = descriptors();
  for (const int turns_before : {0, 1, 5}) {
    CAPTURE(turns_before);
    std::array<Attempt, 4> attempts;
    attempts[0].start(turns, base::Endpoint{"127.0.0.1", port_of(listening), {}});
    attempts[1].start(turns, base::Endpoint{{}, {}, abstract_name("given-up")});
    attempts[2].start(turns, base::Endpoint{"slow.example", "80", {}});
    attempts[3].start(turns, base::Endpoint{{}, {}, "/no/such/folder/socket"});
    if (turns_before != 0) attempts[3].handle.reset();
    for (int i = 0; i < turns_before; ++i) turns.one();
    for (Attempt& each : attempts) each.handle.reset();
    turns.for_a_while(milliseconds(20));
    for (const Attempt& each : attempts) CHECK_FALSE(each.over());
    CHECK(descriptors() == before);
  }
}

TEST_CASE("connector: one that is over is not given up any more, not even from within its callbacks") {
  const io::ListeningSocket listening = listen_on();
  NamedTurns turns;
  for (const bool good : {true, false}) {
    CAPTURE(good);
    bool told = false;
    Story story;
    session::Link* link = nullptr;
    std::unique_ptr<server::Attempt> attempt;
    attempt = io::Connector::start(
        turns.loop(), turns.resolver, base::Endpoint{"127.0.0.1", good ? port_of(listening) : free_port(), {}}, long_enough,
        [&](session::Link& ours) {
          attempt.reset();
          told = true;
          link = &ours;
          return std::make_unique<Scripted>(ours, story, "ours");
        },
        [&](std::string_view) {
          attempt.reset();
          told = true;
        });
    REQUIRE(turns.until([&] { return told; }));
    turns.for_a_while(milliseconds(5));
    CHECK(turns.loop().connection_count() == (good ? 1 : 0));
    if (good) link->abort();
    REQUIRE(turns.until([&] { return turns.loop().connection_count() == 0; }));
  }
}
