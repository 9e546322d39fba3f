// What was wrong with TLS links once.
#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <string>

#include "tls/tls_link.h"
#include "unit/tls/tls_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;

}  // namespace

TEST_CASE("tls link: bytes behind a close_notify are dropped, and the end of the connection is seen (RFC 8446 section 6.1)") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.client.say("all");
  bench.client.above->end_output();
  bench.client.below.run();
  bench.server.below.receive(bench.client.below.take() + "and what nobody should send");
  CHECK(bench.server.input() == "all");
  CHECK(bench.server.story.count("server end of input") == 1);
  CHECK(bench.server.below.reading());
  bench.server.below.receive_end();
  bench.server.say("answer");
  bench.server.above->finish();
  bench.pump();
  CHECK(bench.client.input() == "answer");
}

TEST_CASE("tls link: a peer that ended without close_notify lost what was queued for it; it gets that, and no close_notify") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.below.set_window(1'000);
  bench.server.say(pattern(200'000));
  bench.server.below.run();
  bench.server.below.receive_end();
  CHECK(bench.server.story.events.back() == "server destroyed");
  bench.server.below.set_window(session::MemoryLink::unlimited);
  bench.pump();
  CHECK(bench.client.input() == pattern(200'000));
  CHECK(bench.server.below.closed());
  CHECK_FALSE(bench.server.below.was_aborted());
  CHECK(bench.client.story.count("client end of input") == 0);
}

TEST_CASE("tls link: a peer that asked for small records lost output (RFC 6066 section 4)") {
  for (const bool by_server : {false, true}) {
    TlsBench bench;
    SSL_CTX_set_tlsext_max_fragment_length(bench.client_side->get(), TLSEXT_max_fragment_length_512);
    bench.open();
    bench.pump();
    TlsEnd& from = by_server ? bench.server : bench.client;
    const TlsEnd& to = by_server ? bench.client : bench.server;
    from.say(pattern(100'000));
    from.above->finish();
    bench.pump();
    CHECK(to.input() == pattern(100'000));
  }
}

TEST_CASE("tls link: what was said while half of a ticket had come was lost (RFC 8446 section 4.6.1)") {
  for (const bool finishes : {false, true}) {
    CAPTURE(finishes);
    TlsBench bench;
    SSL_CTX* const server = bench.server_side->get();
    SSL_CTX_set_max_send_fragment(server, 512);
    SSL_CTX_set_session_ticket_cb(
        server,
        [](SSL* ssl, void*) {
          const std::string much(1'000, 'x');
          return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), much.data(), much.size());
        },
        [](SSL*, SSL_SESSION*, const unsigned char*, std::size_t, SSL_TICKET_STATUS, void*) { return SSL_TICKET_RETURN_USE; },
        nullptr);
    bench.open();
    bench.client.below.run();
    bench.server.below.receive(bench.client.below.take());
    bench.client.below.receive(bench.server.below.take());
    bench.server.below.receive(bench.client.below.take());
    const std::string ticket = bench.server.below.take();  // in several records
    REQUIRE(ticket.size() > 1'000);
    bench.client.below.receive(ticket.substr(0, 534));
    bench.client.say("not lost");
    if (finishes) bench.client.above->finish();
    bench.client.below.run();
    bench.server.below.receive(bench.client.below.take());
    CHECK(bench.server.input().empty());
    bench.client.below.receive(ticket.substr(534));
    bench.pump();
    CHECK(bench.server.input() == "not lost");
    CHECK(bench.server.story.count("server end of input") == (finishes ? 1 : 0));
  }
}

TEST_CASE("tls link: the rest of that ticket never comes: a link that has been finished is cut all the same") {
  TlsBench bench;
  SSL_CTX_set_max_send_fragment(bench.server_side->get(), 512);
  bench.open();
  bench.client.below.run();
  bench.server.below.receive(bench.client.below.take());
  bench.client.below.receive(bench.server.below.take());
  bench.server.below.receive(bench.client.below.take());
  SSL_CTX_set_max_send_fragment(bench.server_side->get(), 512);
  bench.client.below.receive(bench.server.below.take().substr(0, 100));
  bench.client.say("x");
  bench.client.above->finish();
  bench.advance(5'000);
  CHECK(bench.client.below.closed());
}

TEST_CASE("tls link: replies of TLS itself to a peer that takes nothing grew without end") {
  static SSL* asking = nullptr;
  TlsBench bench;
  SSL_CTX_set_info_callback(bench.client_side->get(), [](const SSL* ssl, int, int) { asking = const_cast<SSL*>(ssl); });
  bench.open();
  bench.pump();
  REQUIRE(asking != nullptr);
  bench.server.below.set_window(0);
  for (int i = 0; i < 20'000 && bench.server.below.reading(); ++i) {
    REQUIRE(SSL_key_update(asking, SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(asking) == 1);
    bench.client.say("x");
    bench.client.below.run();
    bench.server.below.receive(bench.client.below.take());
  }
  CHECK(bench.server.below.out().size() < tls::TlsLink::most_sealed + tls::TlsLink::most_replies + 1'000);
  CHECK_FALSE(bench.server.below.reading());
  bench.server.below.set_window(session::MemoryLink::unlimited);
  bench.client.say("still there");
  bench.pump();
  CHECK(bench.server.input().ends_with("still there"));
}

TEST_CASE("tls link: a part of a record counted as nothing, and its link as idle") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.above->now_idle();
  bench.client.say("GET");
  bench.client.below.run();
  const std::string record = bench.client.below.take();
  bench.server.below.receive(record.substr(0, record.size() / 2));
  CHECK_FALSE(bench.server.above->quiet());
  CHECK_FALSE(bench.server.below.is_idle());
  bench.server.below.receive(record.substr(record.size() / 2));
  CHECK(bench.server.above->quiet());
  CHECK(bench.server.below.is_idle());
}

TEST_CASE("tls link: an end that has been read, but that the session has not been told, is not quiet") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.story.deeds["server input"] = [](session::Link& link) { link.hold_input(); };
  bench.client.say("x");
  bench.client.below.run();
  bench.client.above->finish();
  bench.pump();
  CHECK_FALSE(bench.server.above->quiet());
}

TEST_CASE("tls link: an address that was replaced is the one that is logged") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server.above->set_peer(*base::PeerAddress::parse("203.0.113.9:80"));
  CHECK(bench.server.above->address() == "203.0.113.9:80");
}
