#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tls/tls_link.h"
#include "unit/tls/tls_bench.h"

// A peer that sends messages of TLS itself and nothing else, or much else.

namespace {

using namespace wharf;
using namespace wharf::test;

SSL* newest = nullptr;

void note(const SSL* ssl, int /*where*/, int /*result*/) { newest = const_cast<SSL*>(ssl); }

/// OpenSSL's connection of one end.
SSL* connection_of(TlsBench& bench, const tls::Context& context) {
  newest = nullptr;
  SSL_CTX_set_info_callback(context.get(), note);
  bench.open();
  bench.pump();
  SSL_CTX_set_info_callback(context.get(), nullptr);
  REQUIRE(newest != nullptr);
  return newest;
}

void ask_for_keys(SSL* ssl, int count, int kind = SSL_KEY_UPDATE_NOT_REQUESTED) {
  for (int i = 0; i < count; ++i) {
    REQUIRE(SSL_key_update(ssl, kind) == 1);
    REQUIRE(SSL_do_handshake(ssl) == 1);
  }
}

bool has_line(const TlsBench& bench, std::string_view text) {
  return std::ranges::any_of(bench.lines, [text](const std::string& line) { return line.find(text) != std::string::npos; });
}

constexpr int most = static_cast<int>(tls::most_messages_without_data);

}  // namespace

TEST_CASE("tls flood: as many KeyUpdates as may follow each other do, and one more ends the connection, in both roles") {
  for (const bool by_client : {true, false}) {
    for (const int kind : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      CAPTURE(by_client);
      CAPTURE(kind);
      TlsBench bench;
      SSL* const ssl = connection_of(bench, by_client ? *bench.client_side : *bench.server_side);
      TlsEnd& from = by_client ? bench.client : bench.server;
      TlsEnd& to = by_client ? bench.server : bench.client;
      from.say("x");  // behind the tickets
      bench.pump();
      ask_for_keys(ssl, most, kind);
      from.say("data");
      bench.pump();
      CHECK(to.input() == "xdata");
      ask_for_keys(ssl, most + 1, kind);
      from.say("nobody hears this");
      bench.pump();
      CHECK(to.input() == "xdata");
      CHECK(to.below.closed());
      CHECK(to.story.count(to.name + " end of input") == 0);
      CHECK(to.story.count(to.name + " ended") == 1);
      CHECK(has_line(bench, "cut, more than 32 messages of TLS itself without data"));
    }
  }
}

TEST_CASE("tls flood: KeyUpdates one by one count like those that come together") {
  TlsBench bench;
  SSL* const ssl = connection_of(bench, *bench.client_side);
  for (int i = 0; i <= most; ++i) {
    CHECK_FALSE(bench.server.below.closed());
    ask_for_keys(ssl, 1);
    bench.client.above->touch();
    bench.pump();
  }
  CHECK(bench.server.below.closed());
}

TEST_CASE(
    "tls flood: data between KeyUpdates: they go on, but in one turn no more than their work allows, so that others have theirs") {
  TlsBench bench;
  SSL* const ssl = connection_of(bench, *bench.client_side);
  constexpr int messages = 320;
  std::string said;
  for (int i = 0; i < messages; ++i) {
    ask_for_keys(ssl, 1);
    bench.client.say(std::string(1, static_cast<char>('a' + i % 26)));
    said += static_cast<char>('a' + i % 26);
    bench.client.below.run();
  }
  bench.server.below.arrive(bench.client.below.take());
  std::size_t heard = 0;
  int turns = 0;
  for (bool more = true; more; ++turns) {
    more = bench.server.below.run_one_turn();
    CHECK(bench.server.input().size() - heard <= static_cast<std::size_t>(session::work_per_turn / tls::key_update_work) + 1);
    heard = bench.server.input().size();
  }
  CHECK(turns >= messages / 33);
  CHECK(bench.server.input() == said);
  CHECK_FALSE(bench.server.below.closed());
}

TEST_CASE("tls flood: many small records are more work than their bytes") {
  TlsBench bench;
  bench.open();
  bench.pump();
  constexpr int records = 3'000;
  for (int i = 0; i < records; ++i) {
    bench.client.say("x");
    bench.client.below.run();
  }
  bench.server.below.arrive(bench.client.below.take());
  std::size_t heard = 0;
  for (bool more = true; more;) {
    more = bench.server.below.run_one_turn();
    CHECK(bench.server.input().size() - heard <= static_cast<std::size_t>(session::work_per_turn / tls::record_work) + 1);
    heard = bench.server.input().size();
  }
  CHECK(heard == records);
}

TEST_CASE("tls flood: a session that asks, within its input, whether more came: the work of the turn counts all the same") {
  TlsBench bench;
  bench.open();
  bench.pump();
  const auto said = [&bench](std::string_view text) {
    bench.client.say(text);
    bench.client.below.run();
    return bench.client.below.take();
  };
  const std::string first = said(pattern(60'000));  // small records
  std::string second = said("x");
  bench.server.story.deeds["server input"] = [&bench, &second](session::Link& link) {
    if (second.empty()) return;
    bench.server.below.arrive(std::exchange(second, {}));
    CHECK_FALSE(link.quiet());
  };
  bench.server.below.arrive(first);
  bench.server.below.run_one_turn();
  const auto bytes = static_cast<std::int64_t>(first.size());
  const auto records = 60'000 / static_cast<std::int64_t>(tls::TlsLink::small_record);
  CHECK(bench.server.below.work_left() < session::work_per_turn - bytes - records * tls::record_work);
  bench.server.below.run();
  CHECK(bench.server.input() == pattern(60'000) + "x");
}

TEST_CASE("tls flood: a server that wishes to renegotiate again and again, and gets no (RFC 5246 section 7.4.1.1)") {
  TlsBench bench;
  SSL_CTX_set_max_proto_version(bench.server_side->get(), TLS1_2_VERSION);
  SSL_CTX_clear_options(bench.server_side->get(), SSL_OP_NO_RENEGOTIATION);
  SSL* const ssl = connection_of(bench, *bench.server_side);
  int sent = 0;
  while (!bench.client.below.closed() && sent < 100) {
    ++sent;
    REQUIRE(SSL_renegotiate(ssl) == 1);
    SSL_do_handshake(ssl);
    bench.server.below.run();
    bench.client.below.receive(bench.server.below.take());
  }
  CHECK(bench.client.below.closed());
  CHECK(sent <= most + 1);
}
