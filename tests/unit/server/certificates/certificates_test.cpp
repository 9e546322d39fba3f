#include "server/certificates/certificates.h"

#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "temporary_folder.h"
#include "tls/self_signed.h"

namespace {

using namespace wharf;
using server::Certificates;

std::string pem_of(const std::string& name) {
  const auto made = tls::self_signed(std::array<std::string, 1>{name});
  REQUIRE(made);
  return made->certificate + made->key;
}

struct Bench {
  Bench() { tls.certificates = {{folder.write("door.pem", pem_of("localhost"))}}; }

  void open() {
    auto opened = certificates.open(tls, *io::resolve_interface("127.0.0.1", 0));
    REQUIRE_MESSAGE(opened, (opened ? std::string() : opened.error()));
    door = *opened;
  }
  void read(Certificates::Cause cause) {
    const auto reading = certificates.begin(cause);
    Certificates::read(*reading);
    CHECK(certificates.apply(*reading));
  }
  void look() { read(Certificates::Cause::watched); }
  const tls::Context* context(std::string_view name) const { return door->get()->find(name); }
  static VirtualHost host(const std::string& name, const std::string& file) {
    VirtualHost made;
    made.name = name;
    if (!file.empty()) made.certificates = {{file}};
    return made;
  }
  /// Whether a line of that kind is there; the lines are forgotten.
  bool said(std::string_view text) {
    bool found = false;
    for (const std::string& line : lines) found = found || line.find(text) != std::string::npos;
    lines.clear();
    return found;
  }

  TemporaryFolder folder;
  std::vector<std::string> lines;
  base::Log log{base::LogLevel::debug, [this](base::LogLevel level, std::string_view text) {
                  lines.push_back(base::concat(base::name_of(level), ": ", text));
                }};
  Certificates certificates{log};
  Tls tls;
  std::shared_ptr<const tls::CurrentContexts> door;
};

}  // namespace

TEST_CASE("certificates: hosts have their own by name, on doors that were there and on doors that come") {
  Bench bench;
  const std::string file = bench.folder.write("a.pem", pem_of("a.example"));
  bench.open();
  CHECK_FALSE(bench.certificates.use_hosts({bench.host("", ""), bench.host("a.example", file), bench.host("b.example", "")}));
  CHECK(bench.context("a.example") != bench.context("localhost"));
  CHECK(bench.context("A.EXAMPLE.") == bench.context("a.example"));
  CHECK(bench.context("b.example") == bench.context("localhost"));
  const auto first = bench.door;
  bench.open();
  CHECK(bench.context("a.example") != bench.context("localhost"));
  CHECK(bench.context("a.example") != first->get()->find("a.example"));
}

TEST_CASE("certificates: aliases of a host had those of the door, and a host with an address for a name was an error") {
  Bench bench;
  bench.tls.unknown_names = UnknownNames::refused;
  bench.open();
  VirtualHost host = bench.host("a.example", bench.folder.write("a.pem", pem_of("a.example")));
  host.aliases = {"b.example", "*.b.example.", "::1"};
  VirtualHost rest = bench.host("", "");
  rest.aliases = {"2001:db8::1", "c.example"};
  CHECK_FALSE(bench.certificates.use_hosts({host, rest}));
  const tls::Context* const own = bench.context("a.example");
  CHECK(own != bench.context(""));
  for (const char* name : {"b.example", "x.b.example"}) CHECK(bench.context(name) == own);
  CHECK(bench.context("c.example") == bench.context(""));
  CHECK(bench.context("d.example") == nullptr);
  bench.read(Certificates::Cause::asked);
  CHECK(bench.context("b.example") == bench.context("a.example"));
  CHECK(bench.context("b.example") != own);
}

TEST_CASE("certificates: hosts are replaced all or none, and what has not changed is not read again") {
  Bench bench;
  const std::string file = bench.folder.write("a.pem", pem_of("a.example"));
  bench.open();
  CHECK_FALSE(bench.certificates.use_hosts({bench.host("a.example", file)}));
  const tls::Context* const before = bench.context("a.example");
  CHECK(bench.certificates.use_hosts({bench.host("b.example", file), bench.host("c.example", "/no/such.pem")}).message ==
        "cannot read a certificate from '/no/such.pem': No such file or directory; it must be PEM");
  CHECK(bench.context("a.example") == before);
  CHECK(bench.context("b.example") == bench.context(""));
  bench.folder.write("a.pem", "no longer readable");
  CHECK_FALSE(bench.certificates.use_hosts({bench.host("a.example", file), bench.host("*.example", "")}));
  CHECK(bench.context("a.example") == before);
  CHECK_FALSE(bench.certificates.use_hosts({}));
  CHECK(bench.context("a.example") == bench.context(""));
  CHECK(bench.certificates.use_hosts({bench.host("", file)}).message ==
        "a virtual host without a name has the certificates of each door; give them to the doors");
  CHECK_FALSE(bench.certificates.use_hosts({bench.host("a:b", file)}).message.empty());
}

TEST_CASE("certificates: reading again replaces what is well, and says what is not") {
  Bench bench;
  const std::string file = bench.folder.write("a.pem", pem_of("a.example"));
  bench.open();
  CHECK_FALSE(bench.certificates.use_hosts({bench.host("a.example", file)}));
  const auto before = bench.door->get();
  bench.folder.write("a.pem", "broken");
  bench.read(Certificates::Cause::asked);
  CHECK(bench.context("") != &before->own());
  CHECK(bench.context("a.example") == before->find("a.example"));
  CHECK(bench.said("error: the certificates in use stay: cannot read a certificate from '" + file + "'"));
  bench.folder.write("a.pem", pem_of("a.example"));
  bench.read(Certificates::Cause::asked);
  CHECK(bench.context("a.example") != before->find("a.example"));
  CHECK_FALSE(bench.said("error"));
}

TEST_CASE("certificates: a change of hosts within a reading makes it begin anew") {
  Bench bench;
  bench.open();
  const auto reading = bench.certificates.begin(Certificates::Cause::asked);
  Certificates::read(*reading);
  CHECK_FALSE(bench.certificates.use_hosts({bench.host("a.example", "")}));
  CHECK_FALSE(bench.certificates.apply(*reading));
}

TEST_CASE("certificates: who watches reads what has changed; half of a change is no error before it stays") {
  Bench bench;
  bench.open();
  const auto before = bench.door->get();
  bench.look();
  CHECK(bench.door->get() == before);
  bench.folder.write("door.pem", pem_of("localhost").substr(0, 700));
  bench.look();
  CHECK_FALSE(bench.said("error"));
  bench.folder.write("door.pem", pem_of("localhost"));
  bench.look();
  CHECK_FALSE(bench.said("error"));
  const auto after = bench.door->get();
  CHECK(&after->own() != &before->own());
  bench.folder.write("door.pem", "broken, and not replaced by something longer");
  bench.look();
  CHECK_FALSE(bench.said("error"));
  bench.look();
  CHECK(bench.said("error: the certificates in use stay: "));
  bench.look();
  CHECK_FALSE(bench.said("error"));
  CHECK(&bench.door->get()->own() == &after->own());
}

TEST_CASE("certificates: a symbolic link that leads elsewhere is a change, and so is a file that is replaced") {
  const TemporaryFolder folder;
  const std::string one = folder.write("one.pem", "same");
  const std::string two = folder.write("two.pem", "same");
  const std::string link = folder.file("live.pem");
  std::filesystem::create_symlink(one, link);
  const auto first = server::states_of({link});
  CHECK(server::states_of({link}) == first);
  std::filesystem::remove(link);
  std::filesystem::create_symlink(two, link);
  const auto second = server::states_of({link});
  CHECK(second != first);
  folder.write("two.pem", "else");
  CHECK(server::states_of({link}) != second);
  CHECK(server::states_of({folder.file("missing")}).begin()->second == server::FileState{});
}

TEST_CASE("certificates: keys of tickets come from a file, whose faults are said with its name") {
  Bench bench;
  bench.tls.ticket_keys = bench.folder.write("keys", std::string(79, 'k'));
  const auto opened = bench.certificates.open(bench.tls, *io::resolve_interface("127.0.0.1", 0));
  REQUIRE_FALSE(opened);
  CHECK(opened.error() == "cannot read keys of session tickets from '" + bench.tls.ticket_keys +
                              "': it has 79 bytes, and not 1 to 64 keys of 80 bytes, as `openssl rand 80` makes them");
  bench.folder.write("keys", std::string(80, 'k'));
  bench.open();
  bench.folder.write("keys", "short");
  const auto before = bench.door->get();
  bench.read(Certificates::Cause::asked);
  CHECK(bench.said("error: the certificates in use stay: cannot read keys of session tickets"));
  CHECK(&bench.door->get()->own() == &before->own());
}

// ---- Our own connections ----

TEST_CASE("certificates: our own connections with the same settings have the same context, as long as anybody has it") {
  Bench bench;
  CHECK(bench.certificates.empty());
  server::TlsClient settings{"localhost"};
  settings.authorities = bench.folder.write("ca.pem", pem_of("localhost"));
  {
    const auto one = bench.certificates.of_client(settings);
    REQUIRE(one);
    const auto other = bench.certificates.of_client(settings);
    REQUIRE(other);
    CHECK(*one == *other);
    CHECK((*one)->get()->own().role() == tls::Role::client);
    settings.verification = server::TlsClient::Verification::off;
    const auto unlike = bench.certificates.of_client(settings);
    REQUIRE(unlike);
    CHECK(*one != *unlike);
    CHECK_FALSE(bench.certificates.empty());
  }
  bench.certificates.begin(Certificates::Cause::asked);
  CHECK(bench.certificates.of_client(settings));
}

TEST_CASE("certificates: files of our own connections are read again, and bad ones are said and not used") {
  Bench bench;
  server::TlsClient settings{"localhost"};
  settings.authorities = bench.folder.write("ca.pem", pem_of("localhost"));
  settings.certificate = bench.folder.write("own.pem", pem_of("us"));
  const auto current = bench.certificates.of_client(settings);
  REQUIRE(current);
  const auto first = (*current)->get();
  bench.read(Certificates::Cause::asked);
  CHECK(bench.said("info: the files of TLS were read again"));
  const auto second = (*current)->get();
  CHECK(first != second);
  bench.folder.write("ca.pem", "broken");
  bench.read(Certificates::Cause::asked);
  CHECK((*current)->get() == second);
  CHECK(bench.said("error: the certificates in use stay: cannot read certificates of authorities from '"));
  bench.folder.write("ca.pem", pem_of("localhost"));
  bench.look();
  CHECK((*current)->get() != second);
  const auto third = (*current)->get();
  bench.look();
  CHECK((*current)->get() == third);
}

TEST_CASE("certificates: what is wrong with settings of our own connections is said with the file") {
  Bench bench;
  const std::string pem = bench.folder.write("own.pem", pem_of("us"));
  const std::string without_key = bench.folder.write("half.pem", tls::self_signed(std::array<std::string, 1>{"us"})->certificate);
  server::TlsClient settings{"localhost"};
  CHECK(Certificates::check(settings).empty());
  settings.authorities = "/nonexistent";
  CHECK(Certificates::check(settings) == "cannot read certificates of authorities from '/nonexistent': No such file or directory");
  CHECK_FALSE(bench.certificates.of_client(settings));
  settings.authorities = pem;
  settings.certificate = without_key;
  CHECK(Certificates::check(settings).find(without_key) != std::string::npos);
  settings.certificate = pem;
  CHECK(Certificates::check(settings).empty());
}
