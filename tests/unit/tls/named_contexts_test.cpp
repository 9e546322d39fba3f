#include "tls/named_contexts.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

#include "temporary_folder.h"
#include "tls/server_name.h"
#include "unit/tls/tls_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;

tls::KeyPair pair_of(const std::string& name) {
  const auto made = tls::self_signed(std::array<std::string, 1>{name});
  REQUIRE(made);
  return *made;
}

std::shared_ptr<const tls::Context> context_of(const tls::KeyPair& pair, const tls::ServerSettings& settings = {}) {
  auto made = tls::Context::for_server(pair, settings);
  REQUIRE_MESSAGE(made, (made ? std::string() : made.error()));
  return std::shared_ptr<const tls::Context>(std::move(*made));
}

/// A door for localhost, with hosts a.example and *.wild.example.
struct Named {
  explicit Named(tls::UnknownNames unknown = tls::UnknownNames::served)
      : contexts(std::make_shared<tls::NamedContexts>(context_of(pair_of_localhost()), unknown)) {
    std::string trusted = pair_of_localhost().certificate;
    for (const char* const name : {"a.example", "*.wild.example"}) {
      const tls::KeyPair pair = pair_of(name);
      trusted += pair.certificate;
      REQUIRE(contexts->add(*codec::HostPattern::parse(name), context_of(pair)));
    }
    REQUIRE(contexts->add(*codec::HostPattern::parse("plain.test"), nullptr));
    authorities = folder.write("all.pem", trusted);
  }

  /// Whether a client that verifies the certificate and its name is content.
  bool serves(const std::string& name) {
    TlsBench bench(nullptr, client_context({.authorities = authorities, .verify = true}));
    bench.named = contexts;
    bench.open(name);
    bench.pump();
    lines = bench.lines;
    return bench.client.above != nullptr && bench.server.above != nullptr && !bench.client.above->ending() &&
           bench.server.above->peer().tls->server_name == name;
  }

  TemporaryFolder folder;
  std::shared_ptr<tls::NamedContexts> contexts;
  std::string authorities;
  std::vector<std::string> lines;
};

}  // namespace

TEST_CASE("named contexts: each name gets its certificate: exact, wildcard, else the door's (RFC 6066 section 3)") {
  Named named;
  CHECK(named.serves("a.example"));
  CHECK(named.serves("b.wild.example"));
  CHECK(named.serves("localhost"));
  CHECK_FALSE(named.serves("c.b.wild.example"));
  CHECK_FALSE(named.serves("other.test"));
  CHECK(named.contexts->find("") == &named.contexts->own());
  CHECK(named.contexts->find("plain.test") == &named.contexts->own());
  CHECK(named.contexts->find("A.example.") == named.contexts->find("a.example"));
  CHECK(named.contexts->find("other.test") == &named.contexts->own());
}

TEST_CASE("named contexts: unknown names are refused with unrecognized_name if the door says so, and with a line") {
  Named named(tls::UnknownNames::refused);
  CHECK(named.serves("a.example"));
  CHECK_FALSE(named.serves("other.test"));
  REQUIRE(named.lines.size() == 2);
  std::string all = named.lines[0] + "\n" + named.lines[1];
  CHECK(all.find("no TLS, it asks for a name that no virtual host has") != std::string::npos);
  CHECK(all.find("unrecognized name") != std::string::npos);
  CHECK(named.contexts->find("") == &named.contexts->own());
}

TEST_CASE("named contexts: replaced within a handshake, it ends with those that it began with; connections go on") {
  const TemporaryFolder folder;
  TlsBench bench(nullptr,
                 client_context({.authorities = folder.write("old.pem", pair_of_localhost().certificate), .verify = true}));
  tls::CurrentContexts current(std::make_shared<tls::NamedContexts>(context_of(pair_of_localhost())));
  bench.server.open(current.get());
  bench.client.open(*bench.client_side, "localhost");
  bench.client.below.run();
  const std::string hello = bench.client.below.take();
  bench.server.below.receive(std::string_view(hello).substr(0, 50));
  current.replace(std::make_shared<tls::NamedContexts>(context_of(pair_of("localhost"))));
  bench.server.below.receive(std::string_view(hello).substr(50));
  bench.pump();
  REQUIRE(bench.client.above != nullptr);
  REQUIRE(bench.server.above != nullptr);
  bench.client.say("still");
  bench.pump();
  CHECK(bench.server.input() == "still");
  const session::TlsFacts& facts = *bench.server.above->peer().tls;
  CHECK(facts.version == "TLSv1.3");
  CHECK(facts.alpn == "http/1.1");
  CHECK(facts.resumed == "no");
  CHECK(facts.client_subject.empty());
  CHECK(facts.client_fingerprint.empty());
}

TEST_CASE("named contexts: a context may go while a connection has it") {
  TlsBench bench;
  bench.open();
  bench.pump();
  bench.server_side.reset();
  bench.client_side.reset();
  bench.client.say("question");
  bench.pump();
  bench.server.say("answer");
  bench.pump();
  CHECK(bench.server.input() == "question");
  CHECK(bench.client.input() == "answer");
}

TEST_CASE("server name: read from the extension; what is broken is no name") {
  const auto extension = [](std::string_view name) {
    const auto size = [](std::size_t number) {
      return std::string{static_cast<char>(number >> 8U), static_cast<char>(number & 0xFFU)};
    };
    std::string entry = std::string(1, '\0') + size(name.size()) + std::string(name);
    return size(entry.size()) + entry;
  };
  CHECK(tls::server_name_in(extension("example.com")) == "example.com");
  CHECK(tls::server_name_in(extension(std::string(255, 'a'))).size() == 255);
  const std::string whole = extension("example.com");
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(tls::server_name_in(whole.substr(0, size)).empty());
  CHECK(tls::server_name_in(whole + "x").empty());
  std::string other_type = whole;
  other_type[2] = 1;
  CHECK(tls::server_name_in(other_type).empty());
  std::string too_long = whole;
  too_long[4] = 100;
  CHECK(tls::server_name_in(too_long).empty());
}
