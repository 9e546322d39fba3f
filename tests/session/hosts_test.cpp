#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "session/site.h"
#include "temporary_folder.h"
#include "unit/http/h1_bench.h"

// Virtual hosts that are added, changed and removed while something of theirs is under way, on every carrier.

namespace {

using namespace wharf;
using namespace wharf::test;
using server::HostChange;

/// How many shared states of it there are.
std::atomic<int>& told_states() {
  static std::atomic<int> the{0};
  return the;
}

/// Says which host it belongs to, and what that gave it as the option `word`.
struct Told {
  struct Shared {
    explicit Shared(Scope of) : scope(of), word(of.option("word").value_or("")) {
      if (word == "fail") throw std::runtime_error("asked to fail");
      ++told_states();
    }
    ~Shared() { --told_states(); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    [[nodiscard]] std::string says() const { return std::string(scope.host()) + " " + word; }
    Scope scope;
    std::string word;
  };
  /// Responds when the body has come.
  struct Responder {
    Exchange exchange;
    Shared& shared;
    std::size_t size = 0;
    void request() {}
    void body(std::string_view piece) { size += piece.size(); }
    void body_end() const { exchange.respond(200, "text/plain", shared.says() + " " + std::to_string(size)); }
  };

  Peer peer;
  Shared& shared;
  void message(Kind, std::string_view) { peer.send_text(shared.says()); }
};

struct WithTold {
  WithTold() { more_rows() = {protocol<Told>("told")}; }
  ~WithTold() { more_rows().clear(); }
  WithTold(const WithTold&) = delete;
  WithTold& operator=(const WithTold&) = delete;
};

VirtualHost localhost_host(const std::string& word, const std::string& users) {
  VirtualHost host;
  host.name = "localhost";
  host.aliases = {"*.localhost"};
  host.options["told"]["word"] = word;
  Files listed{files_folder()};
  listed.index.clear();
  listed.listing = Listing::on;
  host.mounts.push_back({"/", Files{files_folder()}});
  host.mounts.push_back({"/told/", Requests{"told"}});
  host.mounts.push_back({"/guarded/", listed});
  host.mounts.back().access = PasswordAccess{users};
  return host;
}

/// A site with the host localhost, which TLS clients name, and which has the row and files.
template <class Base>
class HostSite : WithTold, public Base {
 public:
  HostSite() { REQUIRE_FALSE(this->change({HostChange::Kind::add, host("first"), {}})); }

  VirtualHost host(const std::string& word) { return localhost_host(word, users_); }
  void change_to(const std::string& word) { REQUIRE_FALSE(this->change({HostChange::Kind::change, host(word), {}})); }
  void remove(Removal::WebSockets web_sockets = Removal::WebSockets::end, std::chrono::milliseconds grace = {}) {
    HostChange removal{HostChange::Kind::remove, {}, {web_sockets, grace}};
    removal.host.name = "LocalHost.";
    REQUIRE_FALSE(this->change(removal));
  }
  /// Waits until there are that many shared states. In memory only a change looks for hosts that nobody uses.
  void wait_for_states(int count) {
    wait_until([&] {
      HostChange visit{HostChange::Kind::add, {}, {}};
      visit.host.name = "visitor";
      visit.host.protocols = {"echo"};
      REQUIRE_FALSE(this->change(visit));
      visit.kind = HostChange::Kind::remove;
      REQUIRE_FALSE(this->change(visit));
      return told_states() == count;
    });
  }

 private:
  TemporaryFolder folder_;
  // htpasswd -nbBC 4 alice 'correct horse'
  std::string users_ = folder_.write("users", "alice:$2y$04$OP7Zk/eVj2tDPMRezDHYDOnp3UGEF6jPjmkUTrttqtwUWc5Yqi312\n");
};

std::string head_of(std::string_view method, std::string_view target, std::string_view fields = {}) {
  return base::concat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n", fields, "\r\n");
}

std::string upgrade_of_host(std::string_view protocol) {
  std::string request = upgrade_request(protocol);
  const std::size_t at = request.find("Host: ");
  return request.replace(at, request.find("\r\n", at) - at, "Host: localhost");
}

/// The head, and the body that its Content-Length promises.
std::string read_answer(Wire& wire) {
  const std::string head = wire.read_until("\r\n\r\n");
  const std::size_t at = head.find("Content-Length: ");
  return head + (at != std::string::npos ? wire.read(std::stoul(head.substr(at + 16))) : std::string());
}

std::string ask(Wire& wire, const std::string& request) {
  wire.send(request);
  const std::string answer = read_answer(wire);
  return answer.substr(9, 3) + " " + answer.substr(answer.find("\r\n\r\n") + 4);
}

/// Opens a conversation of localhost.
struct Conversation {
  explicit Conversation(Wire& of) : wire(of) {
    wire.send(upgrade_of_host("told"));
    CHECK(wire.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  }
  std::string next() {
    for (;;) {
      const std::string bytes = wire.take_some();
      if (bytes.empty()) return "end";
      for (const std::string& word : reader.read(bytes)) return word;
    }
  }
  std::string says() {
    wire.send(text("?"));
    return next();
  }
  Wire& wire;
  FrameReader reader;
};

const std::string ask_told = head_of("GET", "/told/");

}  // namespace

#define ALL_HOST_SITES \
  HostSite<MemorySite>, HostSite<TlsMemorySite>, HostSite<SocketSite>, HostSite<UnixSite>, HostSite<TlsSocketSite>

TEST_CASE_TEMPLATE("hosts: a change is for later requests, and an open conversation goes on with the host that it has", Site,
                   ALL_HOST_SITES) {
  Site site;
  CHECK(told_states() == 2);  // of the host for all others, too
  const auto old = site.connect();
  Conversation talk(*old);
  CHECK(talk.says() == "text localhost first");
  const auto kept = site.connect();
  CHECK(ask(*kept, ask_told) == "200 localhost first 0");
  site.change_to("second");
  CHECK(talk.says() == "text localhost first");
  CHECK(ask(*kept, ask_told) == "200 localhost second 0");  // on the same connection
  const auto late = site.connect();
  Conversation later(*late);
  CHECK(later.says() == "text localhost second");
  CHECK(told_states() == 3);
  old->send(close_frame(1000));
  CHECK(talk.next().starts_with("close 1000"));
  site.wait_for_states(2);
  CHECK(later.says() == "text localhost second");
}

TEST_CASE_TEMPLATE("hosts: a host that cannot start leaves the old one as it was", Site, ALL_HOST_SITES) {
  Site site;
  const auto wire = site.connect();
  const Error error = site.change({HostChange::Kind::change, site.host("fail"), {}});
  CHECK(error.message.find("protocol 'told' could not start") != std::string::npos);
  CHECK(ask(*wire, ask_told) == "200 localhost first 0");
  CHECK(told_states() == 2);
}

TEST_CASE_TEMPLATE("hosts: a host that is removed sends its conversations away, or keeps them", Site, ALL_HOST_SITES) {
  Site site;
  const auto wire = site.connect();
  Conversation talk(*wire);
  const auto kept = site.connect();
  CHECK(ask(*kept, head_of("GET", "/small")) == "200 small");
  site.remove();
  CHECK(talk.next() == "close 1001 host is removed");
  wire->send(close_frame(1001));
  CHECK(ask(*kept, ask_told).starts_with("404 "));  // the host for all others has it now
  site.wait_for_states(1);

  REQUIRE_FALSE(site.change({HostChange::Kind::add, site.host("again"), {}}));
  const auto other = site.connect();
  Conversation stays(*other);
  site.remove(Removal::WebSockets::keep);
  CHECK(stays.says() == "text localhost again");
  CHECK(ask(*kept, ask_told).starts_with("404 "));
  CHECK(told_states() == 2);
  other->finish();
  site.wait_for_states(1);
}

TEST_CASE_TEMPLATE("hosts: conversations of a host that is removed live on for its grace", Site, HostSite<SocketSite>,
                   HostSite<UnixSite>, HostSite<TlsSocketSite>) {
  Site site;
  const auto wire = site.connect();
  Conversation talk(*wire);
  const auto kept = site.connect();
  CHECK(ask(*kept, ask_told) == "200 localhost first 0");
  const std::chrono::milliseconds grace(300);
  const auto begin = std::chrono::steady_clock::now();
  site.remove(Removal::WebSockets::end, grace);
  CHECK(ask(*kept, ask_told).starts_with("404 "));  // requests do not
  REQUIRE_FALSE(site.change({HostChange::Kind::add, site.host("second"), {}}));
  const auto late = site.connect();
  Conversation later(*late);
  CHECK(talk.next() == "close 1001 host is removed");
  CHECK(std::chrono::steady_clock::now() - begin >= grace - std::chrono::milliseconds(10));  // the loop's clock is a coarse one
  wire->send(close_frame(1001));
  CHECK(later.says() == "text localhost second");  // it has the name alone in common
  site.wait_for_states(2);

  site.remove(Removal::WebSockets::end, std::chrono::hours(1));
  CHECK(later.says() == "text localhost second");
  CHECK(told_states() == 2);
  late->send(close_frame(1000));  // before the grace ends
  CHECK(later.next().starts_with("close 1000"));
  site.wait_for_states(1);
}

TEST_CASE("hosts: a server ends before the grace of a host that was removed does") {
  HostSite<SocketSite> site;
  const auto wire = site.connect();
  Conversation talk(*wire);
  site.remove(Removal::WebSockets::end, std::chrono::hours(24 * 365 * 100));
  CHECK(talk.says() == "text localhost first");
  site.stop(base::Time{60'000});
  CHECK(talk.next() == "close 1001 server is stopping");
  wire->send(close_frame(1001));
  site.join();
}

TEST_CASE_TEMPLATE("hosts: an upload, a response and a handshake under way end as they began", Site, ALL_HOST_SITES) {
  Site site;
  const auto upload = site.connect();
  upload->send(head_of("POST", "/told/", "Content-Length: 8\r\n") + "half");
  const auto download = site.connect();
  download->send(head_of("GET", "/big"));
  const std::string head = download->read_until("\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200"));
  const auto upgrade = site.connect();
  const std::string request = upgrade_of_host("told");
  upgrade->send(request.substr(0, request.size() - 2));
  site.change_to("second");
  upgrade->send(request.substr(request.size() - 2));
  CHECK(upgrade->read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
  upload->send("half");
  const std::string answer = read_answer(*upload);
  CHECK(answer.ends_with("\r\n\r\nlocalhost first 8"));
  site.remove();
  CHECK((download->read(3'000'000) == big_file()));
  download->finish();
  CHECK(download->read_all().empty());
  upgrade->finish();
  site.wait_for_states(1);
}

TEST_CASE_TEMPLATE("hosts: a request that waits for a password or a listing is served by the host that it came to", Site,
                   ALL_HOST_SITES) {
  Site site;
  const std::string guarded =
      head_of("GET", "/guarded/", base::concat("Authorization: Basic ", "YWxpY2U6Y29ycmVjdCBob3JzZQ==", "\r\n"));
  for (int i = 0; i < 20; ++i) {
    const auto wire = site.connect();
    wire->send(guarded);
    if (i % 2 == 0) site.change_to("next");
    else site.remove();
    const std::string answer = read_answer(*wire);
    // The request may have come behind the change: then nothing is here.
    const bool fits = answer.starts_with("HTTP/1.1 200") || (i % 2 == 1 && answer.starts_with("HTTP/1.1 404"));
    CHECK_MESSAGE(fits, answer);
    wire->finish();
    if (i % 2 == 1) REQUIRE_FALSE(site.change({HostChange::Kind::add, site.host("again"), {}}));
  }
  site.wait_for_states(2);
}

TEST_CASE_TEMPLATE("hosts: connections to a server behind end with the host that is a proxy for it", Site, HostSite<SocketSite>) {
  SocketSite behind;
  {  // it keeps the file open
    const auto wire = behind.connect();
    wire->send(head_of("HEAD", "/big"));
    CHECK(wire->read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
  }
  behind.wait_for_connections(0);
  Site site;
  const std::string address = io::peer_address(behind.address()).text();
  VirtualHost front;
  front.name = "front.example";
  front.protocols = {"told"};
  front.mounts.push_back({"/", Proxy{"http://" + address + "/"}});
  front.options["told"]["word"] = "front";
  REQUIRE_FALSE(site.change({HostChange::Kind::add, front, {}}));
  CHECK(told_states() == 3);
  const auto ask_front = [](std::string_view target) {
    return base::concat("GET ", target, " HTTP/1.1\r\nHost: front.example\r\n\r\n");
  };
  const auto kept = site.connect();
  CHECK(ask(*kept, ask_front("/small")) == "200 small");
  behind.wait_for_connections(1);  // it is kept for the next request
  const auto slow = site.connect();
  slow->send(ask_front("/big"));
  const std::string head = slow->read_until("\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 200"));
  HostChange removal{HostChange::Kind::remove, {}, {}};
  removal.host.name = "front.example";
  REQUIRE_FALSE(site.change(removal));
  CHECK((slow->read(3'000'000) == big_file()));
  site.wait_for_states(2);
  behind.wait_for_connections(0);
}
