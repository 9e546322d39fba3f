#include "tls/tls_dialer.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tls/kept_sessions.h"
#include "unit/link/test_outside.h"
#include "unit/tls/tls_bench.h"

// Connections of our own over TLS: what whoever asked for one is told, and what becomes of one that is given up.

namespace {

using namespace wharf;
using namespace wharf::test;
using Events = std::vector<std::string>;

std::shared_ptr<tls::CurrentContexts> current(std::shared_ptr<const tls::Context> context) {
  return std::make_shared<tls::CurrentContexts>(std::make_shared<tls::NamedContexts>(std::move(context)));
}

/// A dialer, and the server that it reaches.
struct Bench {
  explicit Bench(const tls::ClientSettings& settings = {.authorities = {}, .verify = false}, tls::ServerSettings of_server = {})
      : context(client_context(settings)), contexts(current(context)), server_side(server_context(of_server)) {
    server.parts.handshake_time = base::Time{1'000'000};
  }

  void dial(base::Time limit = base::Time{5'000}) {
    attempt = dialer.connect(
        {"up.example", "443", {}}, limit,
        [this](session::Link& link) {
          if (gives_up) attempt.reset();
          above = &link;
          return std::make_unique<Scripted>(link, story, "client");
        },
        [this](std::string_view why) {
          if (gives_up) attempt.reset();
          reasons.emplace_back(why);
        });
  }
  /// The connection below is there.
  void reach() {
    REQUIRE(outside.attempts.size() == 1);
    const auto reached = std::move(outside.attempts.front());
    outside.attempts.pop_front();
    below.open(reached.connected(below));
    server.open(*server_side);
  }
  void pump(int rounds = 8) {
    for (int i = 0; i < rounds; ++i) {
      below.run();
      server.below.receive(below.take());
      server.below.run();
      below.receive(server.below.take());
    }
    below.run();
  }

  base::Time now{1'000'000};
  session::OutputLimits limits;
  base::ChunkPool pool;
  std::vector<std::string> lines;
  base::Log log{base::LogLevel::debug, [this](base::LogLevel, std::string_view text) { lines.emplace_back(text); }};
  std::shared_ptr<const tls::Context> context;
  std::shared_ptr<tls::CurrentContexts> contexts;
  std::shared_ptr<const tls::Context> server_side;
  server::TestOutside outside{now};
  tls::LoopParts parts{pool, limits, log};
  base::Log server_log{base::LogLevel::quiet, nullptr};
  TlsEnd server{pool, limits, now, server_log, "server"};
  Story story;
  session::MemoryLink below{pool, limits, now};
  tls::TlsDialer dialer{outside, parts, contexts, "localhost"};
  bool gives_up = false;  // within the calls
  session::Link* above = nullptr;
  Events reasons;
  std::unique_ptr<server::Attempt> attempt;
};

}  // namespace

TEST_CASE("tls dialer: a session on a link over TLS, by the name that it is for") {
  for (const bool gives_up : {false, true}) {
    CAPTURE(gives_up);
    Bench bench;
    bench.gives_up = gives_up;
    bench.dial();
    CHECK((bench.outside.attempts.front().to == base::Endpoint{"up.example", "443", {}}));
    CHECK(bench.outside.attempts.front().limit == base::Time{5'000});
    bench.reach();
    CHECK(bench.above == nullptr);
    bench.pump();
    REQUIRE(bench.above != nullptr);
    CHECK(bench.server.above->peer().tls->server_name == "localhost");
    CHECK(bench.server.above->peer().tls->alpn == "http/1.1");
    bench.attempt.reset();  // it is over, and nothing is given up any more
    bench.server.say("answer");
    bench.pump();
    CHECK(bench.story.count("client input answer") == 1);
    bench.now += base::Time{60'000};  // nor does its limit count any more
    bench.pump();
    CHECK_FALSE(bench.below.closed());
    CHECK(bench.reasons.empty());
  }
}

TEST_CASE("tls dialer: why there is no connection, and no TLS, and the log leaves it to whoever asked") {
  SUBCASE("no connection") {
    Bench bench;
    bench.dial();
    const auto refused = std::move(bench.outside.attempts.front());
    bench.outside.attempts.pop_front();
    refused.failed("connection refused");
    CHECK(bench.reasons == Events{"connection refused"});
  }
  SUBCASE("a certificate that is not trusted") {
    Bench bench({.authorities = {}});
    bench.gives_up = true;
    bench.dial();
    bench.reach();
    bench.pump();
    CHECK(bench.reasons == Events{"no TLS, certificate verify failed: self-signed certificate"});
    CHECK(bench.below.closed());
    CHECK(bench.lines.empty());
  }
  SUBCASE("the time is up, that of the connection included") {
    Bench bench;
    bench.dial();
    bench.now += base::Time{3'000};
    bench.reach();
    bench.now += base::Time{1'999};
    bench.below.run();
    CHECK(bench.reasons.empty());
    bench.now += base::Time{1};
    bench.below.run();
    CHECK(bench.reasons == Events{"no TLS, the handshake took too long"});
    CHECK(bench.below.closed());
    CHECK(bench.lines.empty());
  }
}

TEST_CASE("tls dialer: an attempt that is given up at any stage calls nobody, and its connection is cut") {
  for (int rounds = -1; rounds < 2; ++rounds) {
    CAPTURE(rounds);
    Bench bench;
    bench.dial();
    if (rounds >= 0) bench.reach();
    if (rounds > 0) {
      bench.below.run();
      bench.server.below.receive(bench.below.take());
    }
    bench.attempt.reset();
    if (rounds < 0) {
      CHECK(bench.outside.attempts.empty());
      continue;
    }
    bench.pump();
    CHECK(bench.below.closed());
    CHECK(bench.reasons.empty());
    CHECK(bench.above == nullptr);
  }
}

TEST_CASE("tls dialer: a link that has gone by itself is not given up any more") {
  Bench bench;
  bench.dial();
  {
    session::MemoryLink other{bench.pool, bench.limits, bench.now};
    const auto reached = std::move(bench.outside.attempts.front());
    bench.outside.attempts.pop_front();
    other.open(reached.connected(other));
    other.abort();
    other.run();
  }
  CHECK(bench.reasons == Events{"no TLS, the connection was lost"});
  bench.attempt.reset();
}

TEST_CASE("tls dialer: the context is the one that is current when the handshake begins") {
  Bench bench({.authorities = {}});
  bench.dial();
  bench.contexts->replace(std::make_shared<tls::NamedContexts>(std::shared_ptr<const tls::Context>(client_context())));
  bench.context = nullptr;
  bench.reach();
  bench.contexts->replace(
      std::make_shared<tls::NamedContexts>(std::shared_ptr<const tls::Context>(client_context({.authorities = {}}))));
  bench.pump();
  CHECK(bench.above != nullptr);
}

TEST_CASE("tls client: sessions are resumed if that was asked for, and one of TLS 1.3 is for one handshake") {
  for (const auto resumption : {tls::Resumption::never, tls::Resumption::of_one_server}) {
    const bool resumes = resumption == tls::Resumption::of_one_server;
    CAPTURE(resumes);
    tls::ClientSettings settings{.authorities = {}, .verify = false};
    settings.resumption = resumption;
    const std::shared_ptr<const tls::Context> client = client_context(settings);
    const std::shared_ptr<const tls::Context> server = server_context();
    Events resumed;
    for (int i = 0; i < 3; ++i) {
      Bench bench;
      bench.contexts->replace(std::make_shared<tls::NamedContexts>(client));
      bench.server_side = server;
      bench.dial();
      bench.reach();
      bench.pump();
      REQUIRE(bench.above != nullptr);
      resumed.emplace_back(bench.above->peer().tls->resumed);
      bench.below.abort();
      bench.below.run();
    }
    CHECK(resumed == (resumes ? Events{"no", "yes", "yes"} : Events{"no", "no", "no"}));
    CHECK((client->take_session() != nullptr) == resumes);
    CHECK(client->take_session() == nullptr);
  }
}

TEST_CASE("tls client: only so many sessions are kept, the newest") {
  tls::ClientSettings settings{.authorities = {}, .verify = false};
  settings.resumption = tls::Resumption::of_one_server;
  const std::shared_ptr<const tls::Context> client = client_context(settings);
  std::vector<std::unique_ptr<Bench>> benches;  // at once, so that none resumes
  for (std::size_t i = 0; i < tls::KeptSessions::most + 2; ++i) {
    Bench& bench = *benches.emplace_back(std::make_unique<Bench>());
    bench.contexts->replace(std::make_shared<tls::NamedContexts>(client));
    bench.dial();
    bench.reach();
    bench.below.run();
    bench.server.below.receive(bench.below.take());
  }
  for (const auto& bench : benches) bench->pump();
  std::size_t kept = 0;
  while (client->take_session() != nullptr) ++kept;
  CHECK(kept == tls::KeptSessions::most);
}

TEST_CASE("tls client: a session without a certificate that is still good is not resumed") {
  tls::KeptSessions kept;
  CHECK(kept.take() == nullptr);
  kept.put(tls::Owned<SSL_SESSION>(SSL_SESSION_new()));  // of no certificate at all
  CHECK(kept.take() == nullptr);
}

TEST_CASE("tls client: between two exchanges it says goodbye before it ends at once, and within one it does not") {
  for (const bool leaves : {true, false}) {
    CAPTURE(leaves);
    TlsBench bench;
    bench.open();
    bench.pump();
    if (leaves) bench.client.above->leave();
    else bench.client.above->abort();
    bench.server.below.receive(bench.client.below.take());
    bench.client.below.run();
    bench.server.below.receive_end();
    CHECK(bench.client.below.closed());
    CHECK(bench.server.story.count("server end of input") == (leaves ? 1 : 0));
    CHECK(bench.server.story.count("server ended") == (leaves ? 0 : 1));
  }
}
