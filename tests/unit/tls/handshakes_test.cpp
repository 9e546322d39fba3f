#include "tls/handshakes.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "temporary_folder.h"
#include "unit/tls/tls_bench.h"

// The budget of handshakes in a turn, keys that sign on other threads, and peers that stop in the middle.

namespace {

using namespace wharf;
using namespace wharf::test;
using Events = std::vector<std::string>;

/// Threads that run a task when the test says so.
class HandThreads final : public server::Outside {
 public:
  [[nodiscard]] std::unique_ptr<server::Attempt> connect(const base::Endpoint& /*to*/, base::Time /*limit*/,
                                                         session::SessionMaker /*connected*/,
                                                         std::function<void(std::string_view)> /*failed*/) override {
    return nullptr;
  }
  [[nodiscard]] base::Result<std::unique_ptr<server::Dialer>, std::string> over_tls(
      const server::TlsClient& /*settings*/) override {
    return base::Failure{std::string("no TLS")};
  }
  bool work(server::Executor on, std::string_view /*about*/, std::function<void()> task, std::function<void()> done) override {
    CHECK(on == server::Executor::signing);
    if (!there_are_threads) return false;
    jobs.emplace_back(std::move(task), std::move(done));
    return true;
  }
  [[nodiscard]] std::size_t threads(server::Executor /*of*/) const override { return 1; }
  void at_turn_end(std::function<void()> /*call*/) override {}
  [[nodiscard]] std::uint64_t turn() const override { return 1; }
  [[nodiscard]] base::Time now() const override { return base::Time{0}; }

  void run_first() {
    REQUIRE(!jobs.empty());
    const auto [task, done] = std::move(jobs.front());
    jobs.erase(jobs.begin());
    task();
    done();
  }

  bool there_are_threads = true;
  std::vector<std::pair<std::function<void()>, std::function<void()>>> jobs;
};

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* bio) const { BIO_free(bio); }
};

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

/// A pair whose key is a little larger than what a loop signs with; one of 4,096 bits takes seconds to make.
tls::KeyPair make_large_pair() {
  constexpr unsigned bits = tls::largest_key_of_a_loop + 256;
  const std::unique_ptr<EVP_PKEY, Free> key(EVP_RSA_gen(bits));
  const std::unique_ptr<X509, Free> certificate(X509_new());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86'400);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, Free> first(BIO_new(BIO_s_mem()));
  const std::unique_ptr<BIO, Free> second(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(first.get(), certificate.get());
  PEM_write_bio_PrivateKey(second.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(first.get()), text_of(second.get()), {}};
}

std::unique_ptr<tls::Context> context_with_a_large_key() {
  static const tls::KeyPair pair = make_large_pair();
  auto made = tls::Context::for_server(pair, {});
  REQUIRE_MESSAGE(made, (made ? std::string() : made.error()));
  return std::move(*made);
}

/// Many servers on one loop, each with a client that has said its hello.
struct Storm {
  Storm(std::size_t count, const tls::Context& context, server::Outside* outside = nullptr) {
    parts.outside = outside;
    for (std::size_t i = 0; i < count; ++i) {
      ends.push_back(std::make_unique<TlsEnd>(pool, limits, now, log, std::to_string(i)));
      clients.push_back(std::make_unique<TlsEnd>(pool, limits, now, log, "client"));
      TlsEnd& end = *ends.back();
      end.below.open(std::make_unique<tls::TlsLink>(end.below, context, parts, [this, i](session::Link& link) {
        begun.push_back(i);
        return std::make_unique<Scripted>(link, ends[i]->story, ends[i]->name);
      }));
      clients.back()->open(*client_side);
      end.below.arrive(clients.back()->below.take());
    }
  }
  /// Of a loop: each link once. Returns how many have answered in it.
  std::size_t turn() {
    std::size_t answered = 0;
    for (const auto& end : ends) {
      end->below.run_one_turn();
      if (end->below.take().size() > 500) ++answered;
    }
    return answered;
  }

  base::Time now{1'000'000};
  session::OutputLimits limits;
  base::ChunkPool pool;
  base::Log log{base::LogLevel::quiet, {}};
  std::unique_ptr<tls::Context> client_side = client_context();
  tls::LoopParts parts{pool, limits, log};
  std::vector<std::unique_ptr<TlsEnd>> ends;
  std::vector<std::unique_ptr<TlsEnd>> clients;
  std::vector<std::size_t> begun;
};

}  // namespace

TEST_CASE("tls handshakes: so many in a turn of the loop, the others in later turns, and all of them in the end") {
  const auto context = server_context();
  Storm storm(50, *context);
  std::vector<std::size_t> answered;
  for (int turns = 0; turns < 40; ++turns) answered.push_back(storm.turn());
  std::size_t all = 0;
  for (const std::size_t each : answered) {
    CHECK(each <= tls::Handshakes::per_turn);
    all += each;
  }
  CHECK(answered[0] == tls::Handshakes::per_turn);
  CHECK(all == 50);
  CHECK(storm.parts.handshakes.turns.empty());
}

TEST_CASE("tls handshakes: clients go on with so many in a turn of the loop too, and all of them in the end") {
  const auto client_side = client_context();
  const auto server_side = server_context();
  base::Time now{1'000'000};
  const session::OutputLimits limits;
  base::ChunkPool pool;
  base::Log log{base::LogLevel::quiet, {}};
  tls::LoopParts parts{pool, limits, log};
  std::vector<std::unique_ptr<TlsEnd>> clients;
  std::vector<std::unique_ptr<TlsEnd>> servers;
  std::size_t begun = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    TlsEnd& client = *clients.emplace_back(std::make_unique<TlsEnd>(pool, limits, now, log, "client"));
    TlsEnd& server = *servers.emplace_back(std::make_unique<TlsEnd>(pool, limits, now, log, "server"));
    client.below.open(std::make_unique<tls::TlsLink>(
        client.below, *client_side, parts,
        [&begun, &client](session::Link& link) {
          ++begun;
          return std::make_unique<Scripted>(link, client.story, "client");
        },
        "localhost"));
    server.open(*server_side);
    server.below.receive(client.below.take());
    server.below.run();
    client.below.arrive(server.below.take());
  }
  for (std::size_t turns = 1; turns <= 20; ++turns) {
    for (const auto& client : clients) client->below.run_one_turn();
    CHECK(begun <= turns * tls::Handshakes::per_turn);
  }
  CHECK(begun == 20);
  CHECK(parts.handshakes.turns.empty());
}

TEST_CASE("tls handshakes: a large key of a client signs on another thread") {
  HandThreads outside;
  const TemporaryFolder folder;
  const tls::KeyPair pair = make_large_pair();
  tls::ClientSettings settings{.authorities = {}, .verify = false};
  settings.certificate.chain = folder.write("own.pem", pair.certificate + pair.key);
  tls::ServerSettings of_server;
  of_server.clients = tls::ClientCertificate::required;
  of_server.client_authorities = folder.write("ca.pem", pair.certificate);
  TlsBench bench(server_context(of_server), client_context(settings));
  bench.client.parts.outside = &outside;
  bench.open();
  bench.pump();
  CHECK(outside.jobs.size() == 1);
  CHECK(bench.client.above == nullptr);
  CHECK_FALSE(bench.client.below.reading());
  outside.run_first();
  bench.pump();
  REQUIRE(bench.client.above != nullptr);
  REQUIRE(bench.server.above != nullptr);
  CHECK_FALSE(bench.server.above->peer().tls->client_fingerprint.empty());
  bench.client.say("question");
  bench.pump();
  CHECK(bench.server.input() == "question");
}

TEST_CASE("tls handshakes: those that wait are served in the order of their arrival, and one that has gone is passed over") {
  const auto context = server_context();
  Storm storm(30, *context);
  CHECK(storm.turn() == tls::Handshakes::per_turn);
  storm.ends[9]->below.abort();
  storm.ends[9]->below.run_one_turn();
  std::vector<std::size_t> order;
  for (int turns = 0; turns < 40; ++turns)
    for (std::size_t i = 0; i < storm.ends.size(); ++i) {
      storm.ends[i]->below.run_one_turn();
      if (!storm.ends[i]->below.take().empty()) order.push_back(i);
    }
  REQUIRE(order.size() == 30 - tls::Handshakes::per_turn - 1);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(std::find(order.begin(), order.end(), 9) == order.end());
}

TEST_CASE("tls handshakes: a large key signs on another thread, and meanwhile nothing is read") {
  HandThreads outside;
  TlsBench bench(context_with_a_large_key());
  bench.server.parts.outside = &outside;
  bench.open();
  bench.pump();
  CHECK(outside.jobs.size() == 1);
  CHECK(bench.server.above == nullptr);
  CHECK_FALSE(bench.server.below.reading());
  outside.run_first();
  bench.pump();
  CHECK(outside.jobs.empty());
  REQUIRE(bench.server.above != nullptr);
  bench.client.say("ping");
  bench.pump();
  CHECK(bench.server.input() == "ping");
}

TEST_CASE("tls handshakes: a link that goes while its key signs leaves nothing behind, whether or not the thread comes back") {
  for (const bool comes_back : {true, false}) {
    CAPTURE(comes_back);
    HandThreads outside;
    TlsBench bench(context_with_a_large_key());
    bench.server.parts.outside = &outside;
    bench.open();
    bench.pump();
    REQUIRE(outside.jobs.size() == 1);
    bench.advance(10'000);
    CHECK(bench.server.below.was_aborted());
    CHECK(bench.lines ==
          Events{"192.0.2.1:4711: no TLS, the handshake took too long", "192.0.2.1:4711: no TLS, the handshake took too long"});
    if (comes_back) outside.run_first();
    bench.pump();
    CHECK(bench.server.above == nullptr);
    CHECK(bench.server.parts.handshakes.may_go_away());
  }
}

TEST_CASE("tls handshakes: only so many keys sign on other threads at once, the others wait in line") {
  HandThreads outside;
  const auto context = context_with_a_large_key();
  Storm storm(tls::Handshakes::most_away + 5, *context, &outside);
  for (int turns = 0; turns < 20; ++turns) storm.turn();
  CHECK(outside.jobs.size() == tls::Handshakes::most_away);
  std::size_t answered = 0;
  for (std::size_t i = 0; i < storm.ends.size(); ++i) {
    outside.run_first();
    for (int turns = 0; turns < 3; ++turns) answered += storm.turn();
    CHECK(outside.jobs.size() <= tls::Handshakes::most_away);
  }
  CHECK(answered == storm.ends.size());
}

TEST_CASE("tls handshakes: if there is no thread, the loop signs") {
  HandThreads outside;
  outside.there_are_threads = false;
  TlsBench bench(context_with_a_large_key());
  bench.server.parts.outside = &outside;
  bench.open();
  bench.pump();
  CHECK(bench.server.above != nullptr);
  CHECK(bench.client.above != nullptr);
}

TEST_CASE("tls handshakes: keys of P-256 sign on the loop") {
  HandThreads outside;
  TlsBench bench;
  bench.server.parts.outside = &outside;
  bench.open();
  bench.pump();
  CHECK(bench.server.above != nullptr);
}
