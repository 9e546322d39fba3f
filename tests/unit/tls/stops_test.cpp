#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "unit/tls/tls_bench.h"

// A peer that stops at any byte of the handshake: it falls silent, or it ends.

namespace {

using namespace wharf;
using namespace wharf::test;

enum class Stop { silence, end, reset };

/// What each end wrote in a whole handshake, in their order: the bytes of both directions are cut as one row.
struct Talk {
  TlsBench bench;
  std::size_t said_to_server = 0;
  std::size_t said_to_client = 0;

  /// Carries bytes in both directions until so many have come to `to`; the rest is lost.
  void carry(TlsEnd& to, std::size_t most) {
    std::size_t carried = 0;
    for (bool moved = true; moved;) {
      bench.client.below.run();
      bench.server.below.run();
      std::string to_server = bench.client.below.take();
      std::string to_client = bench.server.below.take();
      moved = !to_server.empty() || !to_client.empty();
      said_to_server += to_server.size();
      said_to_client += to_client.size();
      std::string& cut = &to == &bench.server ? to_server : to_client;
      cut.resize(std::min(cut.size(), most - carried));
      carried += cut.size();
      bench.server.below.receive(to_server);
      bench.client.below.receive(to_client);
    }
  }
};

void stop(Talk& talk, TlsEnd& end, Stop how) {
  switch (how) {
    case Stop::silence: talk.bench.advance(talk.bench.server.parts.handshake_time.count()); break;
    case Stop::end: end.below.receive_end(); break;
    case Stop::reset: end.below.abort(); end.below.run();
  }
}

std::unique_ptr<tls::Context> context_of(int version) {
  auto context = server_context();
  SSL_CTX_set_max_proto_version(context->get(), version);
  return context;
}

void check_all_stops(bool is_server, int version) {
  CAPTURE(version);
  Talk whole{TlsBench(context_of(version))};
  whole.bench.open();
  whole.carry(whole.bench.server, static_cast<std::size_t>(-1));
  const std::size_t flight = is_server ? whole.said_to_server : whole.said_to_client;
  REQUIRE(flight > 300);
  const std::size_t step = version == TLS1_3_VERSION ? 1 : 5;  // to save time
  for (std::size_t most = 0; most < flight; most += step) {
    for (const Stop how : {Stop::silence, Stop::end, Stop::reset}) {
      CAPTURE(most);
      if (how == Stop::reset && most % 8 != 0) continue;
      Talk talk{TlsBench(context_of(version))};
      talk.bench.open();
      TlsEnd& end = is_server ? talk.bench.server : talk.bench.client;
      talk.carry(end, most);
      const bool began = end.above != nullptr;
      CHECK((is_server ? !began : (!began || most > 500)));
      stop(talk, end, how);
      if (began && how == Stop::silence) continue;  // from here on the session above judges
      CHECK(end.below.closed());
      CHECK(end.story.count(end.name + " ended") == (began ? 1 : 0));
      CHECK(end.story.count(end.name + " end of input") == 0);
      CHECK(talk.bench.server.parts.handshakes.turns.empty());
    }
  }
}

}  // namespace

TEST_CASE("tls stops: a client that stops at any byte of its handshake; the server closes, and no session begins") {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) check_all_stops(true, version);
}

TEST_CASE("tls stops: a server that stops at any byte of its handshake; the client closes") {
  for (const int version : {TLS1_3_VERSION, TLS1_2_VERSION}) check_all_stops(false, version);
}
