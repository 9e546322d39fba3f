#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/site.h"
#include "session/wire.h"

// How a connection begins, on every carrier: a PROXY header, and what tells TLS, HTTP and raw protocols apart.

namespace {

using namespace wharf;
using namespace wharf::test;

/// Says first what its request knows of its client.
struct Where {
  Peer peer;
  void opened(const Request& request) {
    std::string text(request.address());
    (text += " ") += request.scheme();
    (text += " ") += request.tls("version").value_or("plain");
    (text += " ") += request.proxy("version").value_or("-");
    peer.send_text(text);
  }
  void message(Kind kind, std::string_view data) { peer.send(kind, data); }
};

/// A raw protocol: what comes, with what is known of TLS before it.
struct Told {
  explicit Told(Pipe its_pipe) : pipe(its_pipe) { pipe.write(std::string(pipe.tls("version").value_or("plain")) + ":"); }
  Pipe pipe;
  void data(std::string_view bytes) { pipe.write(bytes); }
};

struct WithRows {
  WithRows() { more_rows() = {protocol<Where>("where"), protocol<Told>("told")}; }
  ~WithRows() { more_rows().clear(); }
  WithRows(const WithRows&) = delete;
  WithRows& operator=(const WithRows&) = delete;
};

struct MemoryDoor : WithRows, MemorySite {
  explicit MemoryDoor(const Door& door) : MemorySite(door) {}
  static constexpr std::string_view own_address = "192.0.2.1:";
};
struct TcpDoor : WithRows, SocketSite {
  explicit TcpDoor(const Door& door) : SocketSite(room_limits(), Begin::at_once, SocketKind::tcp, door) {}
  static constexpr std::string_view own_address = "127.0.0.1:";
};
struct UnixDoor : WithRows, SocketSite {
  explicit UnixDoor(const Door& door) : SocketSite(room_limits(), Begin::at_once, SocketKind::unix_socket, door) {}
  static constexpr std::string_view own_address = "unix:";
};

#define WHARF_ALL_DOORS MemoryDoor, TcpDoor, UnixDoor

enum class Cut : std::uint8_t { nowhere, everywhere };

/// Begins with a header, which is sent together with what comes first. Cut everywhere, each byte of a connection's beginning is sent alone.
class Opening final : public Wire {
 public:
  Opening(std::unique_ptr<Wire> below, std::string_view header, Cut cut) : below_(std::move(below)), header_(header), cut_(cut) {}

  void send(std::string_view bytes) override {
    const std::string all = std::exchange(header_, {}).append(bytes);
    std::string_view rest = all;
    for (; cut_ == Cut::everywhere && !rest.empty() && left_ > 0; --left_, rest.remove_prefix(1)) below_->send(rest.substr(0, 1));
    if (!rest.empty()) below_->send(rest);
  }
  void finish() override { below_->finish(); }
  std::string read_some() override { return below_->read_some(); }

 private:
  std::unique_ptr<Wire> below_;
  std::string header_;
  Cut cut_;
  int left_ = 2'000;
};

template <class Site>
std::unique_ptr<Wire> opening(Site& site, std::string_view header = {}, Cut cut = Cut::nowhere) {
  return std::make_unique<Opening>(site.connect(), header, cut);
}

template <class Site>
std::unique_ptr<Wire> opening_by_tls(Site& site, std::string_view header = {}, Cut cut = Cut::nowhere) {
  return std::make_unique<TlsWire>(opening(site, header, cut));
}

/// What the row `where` says, and that messages come back.
std::string where(std::unique_ptr<Wire> wire, std::string_view early = {}) {
  WsTalk talk(*wire, "where", early);
  std::string said = talk.next();
  talk.send(text("hello"));
  CHECK(talk.next() == "text hello");
  return said;
}

constexpr std::string_view get = "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
constexpr std::string_view line = "PROXY TCP4 203.0.113.9 198.51.100.7 4711 443\r\n";
constexpr std::string_view by_tls{
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x23\xcb\0\x71\x09\xc6\x33\x64\x07\x12\x67\x01\xbb\x20\0\5\1\0\0\0\0\2\0\6a.test\xea\0\3vpc",
    51};
constexpr std::string_view check{"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16};

Door with_tls() {
  Door door;
  door.tls = Tls{};
  door.plain_http = PlainHttp::served;
  return door;
}

/// Whoever comes is a balancer.
Door balanced(Door door = {}) {
  door.proxy_header_from = {"192.0.2.0/24", "127.0.0.0/8", "unix"};
  return door;
}

/// Nobody is.
Door strange(Door door = {}) {
  door.proxy_header_from = {"198.51.100.0/24"};
  return door;
}

}  // namespace

TEST_CASE_TEMPLATE("openings: HTTP with TLS and without on one door, wherever they are cut", Site, WHARF_ALL_DOORS) {
  Site site(with_tls());
  const std::string own = "text " + std::string(Site::own_address);
  for (const Cut cut : {Cut::nowhere, Cut::everywhere}) {
    const std::string sealed = where(opening_by_tls(site, {}, cut));
    CHECK(sealed.starts_with(own));
    CHECK(sealed.ends_with(" https TLSv1.3 -"));
    CHECK(where(opening(site, {}, cut)).ends_with(" http plain -"));
  }
}

TEST_CASE_TEMPLATE("openings: a raw protocol for what is neither, with TLS and without", Site, WHARF_ALL_DOORS) {
  Door door = with_tls();
  door.raw = "told";
  door.raw_use = RawUse::fallback;
  Site site(door);
  for (const Cut cut : {Cut::nowhere, Cut::everywhere}) {
    const auto plain = opening(site, {}, cut);
    plain->send("hello\r\n");
    CHECK(plain->read(13) == "plain:hello\r\n");
    plain->finish();
    CHECK(plain->read_all().empty());
    const auto sealed = opening_by_tls(site, {}, cut);
    sealed->send("hello\r\n");
    CHECK(sealed->read(15) == "TLSv1.3:hello\r\n");
    CHECK(where(opening_by_tls(site, {}, cut)).ends_with(" https TLSv1.3 -"));
    CHECK(where(opening(site, {}, cut)).ends_with(" http plain -"));
  }
  const auto short_one = opening(site);
  short_one->send("G");
  short_one->finish();
  CHECK(short_one->read_all() == "plain:G");
}

TEST_CASE_TEMPLATE("openings: a client that ends in the middle of what would tell", Site, WHARF_ALL_DOORS) {
  Site site(with_tls());
  const auto silent = opening(site);
  silent->finish();
  CHECK(silent->read_all().empty());
  const auto begun = opening(site);
  begun->send("\x16\x03");
  begun->finish();
  CHECK(begun->read_all().empty());
  wait_until([&site] { return site.log().count("no TLS, the peer ended the connection") == 1; });
  CHECK(where(opening_by_tls(site)).ends_with(" https TLSv1.3 -"));
}

TEST_CASE_TEMPLATE("openings: a PROXY header names the client, before HTTP and before TLS, wherever it is cut", Site,
                   WHARF_ALL_DOORS) {
  Site site(balanced(with_tls()));
  const std::string own = "text " + std::string(Site::own_address);
  for (const Cut cut : {Cut::nowhere, Cut::everywhere}) {
    CHECK(where(opening(site, line, cut)) == "text 203.0.113.9:4711 http plain 1");
    CHECK(where(opening(site, by_tls, cut)) == "text 203.0.113.9:4711 https plain 2");
    CHECK(where(opening_by_tls(site, line, cut)) == "text 203.0.113.9:4711 https TLSv1.3 1");
    CHECK(where(opening_by_tls(site, by_tls, cut)) == "text 203.0.113.9:4711 https TLSv1.3 2");
    const std::string of_balancer = where(opening(site, check, cut));
    CHECK(of_balancer.starts_with(own));
    CHECK(of_balancer.ends_with(" http plain -"));
  }
}

TEST_CASE_TEMPLATE("openings: nothing that comes together with a PROXY header is lost", Site, WHARF_ALL_DOORS) {
  Site site(balanced());
  const auto wire = opening(site, by_tls);
  const std::string much(300'000, 'x');
  WsTalk talk(*wire, "where", text("early") + binary(much));
  CHECK(talk.next() == "text 203.0.113.9:4711 https plain 2");
  CHECK(talk.next() == "text early");
  CHECK(talk.next() == "binary 300000 bytes");
  CHECK((talk.payload() == much));
}

TEST_CASE_TEMPLATE("openings: a balancer without a PROXY header, or with half of one, is closed without a byte", Site,
                   WHARF_ALL_DOORS) {
  Site site(balanced(with_tls()));
  const auto none = opening(site);
  none->send(get);
  CHECK(none->read_all().empty());
  wait_until([&site] { return site.log().count("its PROXY header is not taken: there is none") == 1; });
  const auto half = opening(site);
  half->send(line.substr(0, 20));
  half->finish();
  CHECK(half->read_all().empty());
  wait_until([&site] { return site.log().count("its PROXY header is not taken: the connection ended within it") == 1; });
  const auto looks = opening(site);
  looks->finish();
  CHECK(looks->read_all().empty());
  CHECK(where(opening(site, line)) == "text 203.0.113.9:4711 http plain 1");
}

TEST_CASE_TEMPLATE("openings: a stranger is served with TLS and without, and may not send a PROXY header", Site, WHARF_ALL_DOORS) {
  Site site(strange(with_tls()));
  const std::string own = "text " + std::string(Site::own_address);
  for (const Cut cut : {Cut::nowhere, Cut::everywhere}) {
    CHECK(where(opening(site, {}, cut)).starts_with(own));
    CHECK(where(opening_by_tls(site, {}, cut)).starts_with(own));
  }
  for (const std::string_view header : {line, by_tls}) {
    const auto wire = opening(site, header);
    wire->send(get);
    CHECK(wire->read_all().starts_with("HTTP/1.1 400 "));
  }
  wait_until([&site] { return site.log().count("it sent a PROXY header and is none of the balancers") == 2; });
}
