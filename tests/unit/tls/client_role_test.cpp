#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/tls/tls_bench.h"

// What the owner of a client's link is told: whether anything came, and why there is no TLS.

namespace {

using namespace wharf;
using namespace wharf::test;
using Events = std::vector<std::string>;

/// A handshake that the client has done, but for what the server sends behind it: a ticket.
void pump_but_the_ticket(TlsBench& bench) {
  bench.client.below.run();
  bench.server.below.receive(bench.client.below.take());
  bench.client.below.receive(bench.server.below.take());
  bench.server.below.receive(bench.client.below.take());
}

/// The client's link alone, and what its owner was told.
struct Lonely {
  explicit Lonely(const tls::Context& context, const std::string& server = "localhost") {
    below.open(std::make_unique<tls::TlsLink>(
        below, context, parts,
        [this](session::Link& link) {
          ++sessions;
          return std::make_unique<Scripted>(link, story, "client");
        },
        server, [this](std::string_view why) { reasons.emplace_back(why); }));
  }

  base::Time now{1'000'000};
  session::OutputLimits limits;
  base::ChunkPool pool;
  base::Log log{base::LogLevel::quiet, {}};
  tls::LoopParts parts{pool, limits, log};
  Story story;
  session::MemoryLink below{pool, limits, now};
  int sessions = 0;
  Events reasons;
};

}  // namespace

TEST_CASE("tls client: a ticket that lies below is nothing, before and after it was read (RFC 8446 section 4.6.1)") {
  TlsBench bench;
  bench.open();
  pump_but_the_ticket(bench);
  REQUIRE(bench.client.above != nullptr);
  const std::string ticket = bench.server.below.take();
  REQUIRE(ticket.size() > 100);
  bench.client.below.arrive(ticket);
  CHECK(bench.client.above->quiet());
  CHECK(bench.client.above->quiet());
  CHECK(bench.client.below.unread() == ticket.size());
  bench.client.below.run();
  CHECK(bench.client.below.unread() == 0);
  CHECK(bench.client.above->quiet());
  CHECK(bench.client.input().empty());
  bench.server.say("answer");
  bench.client.say("question");
  bench.pump();
  CHECK(bench.client.input() == "answer");
  CHECK(bench.server.input() == "question");
}

TEST_CASE("tls client: what lies below behind a ticket, or is a part of one, is something, and still comes whole") {
  TlsBench bench;
  bench.open();
  pump_but_the_ticket(bench);
  const std::string ticket = bench.server.below.take();
  bench.server.say("answer");
  bench.server.below.run();
  const std::string record = bench.server.below.take();
  bench.client.below.arrive(ticket.substr(0, 50));
  CHECK_FALSE(bench.client.above->quiet());
  bench.client.below.arrive(ticket.substr(50));
  CHECK(bench.client.above->quiet());
  bench.client.below.arrive(record.substr(0, 10));
  CHECK_FALSE(bench.client.above->quiet());
  bench.client.below.arrive(record.substr(10));
  CHECK_FALSE(bench.client.above->quiet());
  CHECK(bench.client.input().empty());
  bench.client.below.run();
  CHECK(bench.client.input() == "answer");
  CHECK(bench.client.above->quiet());
}

TEST_CASE("tls client: the end of the server lies below behind a ticket: that is something") {
  for (const bool says_so : {true, false}) {
    CAPTURE(says_so);
    TlsBench bench;
    bench.open();
    pump_but_the_ticket(bench);
    if (says_so) {
      bench.server.above->finish();
      bench.server.below.run();
    }
    bench.client.below.arrive(bench.server.below.take());
    if (!says_so) bench.client.below.arrive_end();
    CHECK_FALSE(bench.client.above->quiet());
    bench.client.below.run();
    CHECK(bench.client.story.count("client end of input") == (says_so ? 1 : 0));
    CHECK(bench.client.story.count("client ended") == (says_so ? 0 : 1));
  }
}

TEST_CASE("tls client: its owner learns once why there is no session") {
  const auto context = client_context();
  SUBCASE("the server speaks something else") {
    Lonely client(*context);
    client.below.receive("HTTP/1.1 400 Bad Request\r\n\r\n");
    CHECK(client.reasons == Events{"wrong version number"});
    client.below.receive_end();
    CHECK(client.reasons.size() == 1);
    CHECK(client.sessions == 0);
  }
  SUBCASE("the server ends") {
    Lonely client(*context);
    client.below.receive_end();
    CHECK(client.reasons == Events{"the peer ended the connection"});
  }
  SUBCASE("the connection breaks") {
    Lonely client(*context);
    client.below.abort();
    client.below.run();
    CHECK(client.reasons == Events{"the connection was lost"});
  }
  SUBCASE("the server says nothing") {
    Lonely client(*context);
    client.now += client.parts.handshake_time;
    client.below.run();
    CHECK(client.reasons == Events{"the handshake took too long"});
  }
  SUBCASE("the loop stops") {
    Lonely client(*context);
    client.below.server_stops();
    client.below.run();
    CHECK(client.reasons == Events{"the loop stops"});
  }
}

TEST_CASE("tls client: its owner learns that the certificate is not trusted, and of a success nothing") {
  const auto server_side = server_context();
  TlsBench bench;
  for (const bool verifies : {true, false}) {
    CAPTURE(verifies);
    const auto context = client_context({.authorities = {}, .verify = verifies});
    TlsBench other;
    Lonely client(*context);
    other.server.open(*server_side);
    for (int i = 0; i < 4; ++i) {
      client.below.run();
      other.server.below.receive(client.below.take());
      client.below.receive(other.server.below.take());
    }
    CHECK(client.reasons == (verifies ? Events{"certificate verify failed: self-signed certificate"} : Events{}));
    CHECK(client.sessions == (verifies ? 0 : 1));
  }
}
