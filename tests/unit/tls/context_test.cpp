#include "tls/context.h"

#include <doctest/doctest.h>

#include <string>

#include "temporary_folder.h"
#include "unit/tls/tls_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;

std::string fault_of(const tls::ServerSettings& settings) {
  const auto made = tls::Context::for_server(settings);
  return made ? std::string() : made.error();
}

/// Whether a client with these settings and a server with those come to terms; the bench tells the rest.
bool agree(TlsBench& bench, const std::string& name = "localhost") {
  bench.open(name);
  bench.pump();
  return bench.client.above != nullptr && bench.server.above != nullptr && !bench.client.above->ending() &&
         !bench.server.above->ending();
}

}  // namespace

TEST_CASE("tls context: certificate and key from files, in two or in one") {
  const TemporaryFolder folder;
  tls::ServerSettings settings;
  settings.certificates = {
      {folder.write("cert.pem", pair_of_localhost().certificate), folder.write("key.pem", pair_of_localhost().key)}};
  CHECK(fault_of(settings).empty());
  settings.certificates = {{folder.write("both.pem", pair_of_localhost().certificate + pair_of_localhost().key)}};
  CHECK(fault_of(settings).empty());
}

TEST_CASE("tls context: what is wrong with a file is said in one line with its name") {
  const TemporaryFolder folder;
  const std::string certificate = folder.write("cert.pem", pair_of_localhost().certificate);
  const std::string key = folder.write("key.pem", pair_of_localhost().key);
  const auto other = tls::self_signed(std::array<std::string, 1>{"other.example"});
  REQUIRE(other);
  const std::string stranger = folder.write("other.pem", other->key);
  tls::ServerSettings settings;
  CHECK(fault_of(settings) == "a TLS server needs the file of its certificate");
  tls::CertificateFiles& files = settings.certificates.emplace_back();
  files.chain = folder.file("missing.pem");
  CHECK(fault_of(settings) == "cannot read a certificate from '" + files.chain + "': No such file or directory; it must be PEM");
  files.chain = folder.write("text.pem", "no certificate");
  CHECK(fault_of(settings) == "cannot read a certificate from '" + files.chain + "': no start line; it must be PEM");
  files.chain = folder.write("torn.pem", pair_of_localhost().certificate.substr(0, 300));
  CHECK(fault_of(settings).starts_with("cannot read a certificate from '" + files.chain + "': "));
  files.chain = certificate;
  files.key = folder.file("missing.pem");
  CHECK(fault_of(settings).starts_with("cannot read a private key from '" + files.key + "': No such file or directory"));
  files.key = stranger;
  CHECK(fault_of(settings) == "the key in '" + stranger + "' does not belong to the certificate in '" + certificate + "'");
  files.key = key;
  settings.certificates.push_back({folder.write("second.pem", other->certificate + other->key)});
  CHECK(fault_of(settings) == "the certificates in '" + certificate + "' and '" + folder.file("second.pem") +
                                  "' are both of the kind ECDSA; give one of each kind");
  settings.certificates.pop_back();
  settings.client_authorities = certificate;
  CHECK(fault_of(settings) == "authorities for clients need that clients are asked for certificates");
  settings.client_authorities.clear();
  settings.revocation_lists = certificate;
  CHECK(fault_of(settings) == "revocation lists need that clients are asked for certificates");
  settings.clients = tls::ClientCertificate::required;
  CHECK(fault_of(settings) == "to check certificates of clients takes the file of their authorities");
  settings.client_authorities = certificate;
  CHECK(fault_of(settings) == "cannot read revocation lists from '" + certificate + "': no start line; they must be PEM");
  settings.revocation_lists.clear();
  CHECK(fault_of(settings).empty());
}

TEST_CASE("tls context: a client verifies the certificate and its name") {
  const TemporaryFolder folder;
  const tls::ClientSettings trusting{.authorities = folder.write("cert.pem", pair_of_localhost().certificate), .verify = true};
  {
    TlsBench bench(server_context(), client_context(trusting));
    CHECK(agree(bench));
  }
  {
    TlsBench bench(server_context(), client_context(trusting));
    CHECK(agree(bench, "127.0.0.1"));
    CHECK(bench.server.above->peer().tls->server_name.empty());  // RFC 6066 section 3: no addresses
  }
  {
    TlsBench bench(server_context(), client_context(trusting));
    CHECK_FALSE(agree(bench, "other.example"));
    CHECK(bench.lines.front().find("ostname mismatch") != std::string::npos);
  }
  {
    const auto other = tls::self_signed(std::array<std::string, 1>{"localhost"});
    REQUIRE(other);
    TlsBench bench(server_context(),
                   client_context({.authorities = folder.write("other.pem", other->certificate), .verify = true}));
    CHECK_FALSE(agree(bench));
  }
}

TEST_CASE(
    "tls context: ALPN chooses the server's first that the client has; without one the handshake fails (RFC 7301 section 3.2)") {
  tls::ServerSettings settings;
  settings.protocols = {"h2", "http/1.1"};
  {
    TlsBench bench(server_context(settings), client_context({.authorities = {}, .verify = false, .protocols = {"http/1.1"}}));
    CHECK(agree(bench));
  }
  {
    TlsBench bench(server_context(settings), client_context({.authorities = {}, .verify = false, .protocols = {}}));
    CHECK(agree(bench));
  }
  TlsBench bench(server_context(settings), client_context({.authorities = {}, .verify = false, .protocols = {"imap"}}));
  CHECK_FALSE(agree(bench));
}

TEST_CASE("tls context: a client that verifies, but knows no name to verify, connects to nobody") {
  const TemporaryFolder folder;
  TlsBench bench(server_context(),
                 client_context({.authorities = folder.write("cert.pem", pair_of_localhost().certificate), .verify = true}));
  CHECK_FALSE(agree(bench, ""));
  CHECK(bench.lines.front().find("there is no name to verify") != std::string::npos);
}

TEST_CASE("tls context: a certificate of its own is for the names that were given") {
  const tls::KeyPair& pair = pair_of_localhost();
  CHECK(pair.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
  CHECK(pair.fingerprint.size() == 95);
  CHECK_FALSE(tls::self_signed({}));
}
