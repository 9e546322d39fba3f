#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session/site.h"
#include "unit/http/h1_bench.h"
#include "wharf/server.hpp"

// Each field of wharf::Limits: its default is the documented one, and another value reaches its room and has its effect.

namespace {

using namespace wharf;
using namespace wharf::test;
using std::chrono::milliseconds;

int status_of(const Limits& limits, const std::string& request) {
  MemorySite site(room_limits(limits));
  const auto wire = site.connect();
  wire->send(request);
  return std::stoi(wire->read_until("\r\n\r\n").substr(9, 3));
}

/// A conversation, the clock `time` later.
struct Later {
  explicit Later(const Limits& limits) : site(room_limits(limits)), wire(site.connect()) {}
  void advance(std::int64_t time) {
    site.advance(time);
    wire->link().run();
  }
  [[nodiscard]] bool closed() const { return wire->link().closed(); }

  MemorySite site;
  std::unique_ptr<MemoryWire> wire;
};

/// Takes what it is sent, and says nothing.
struct Listener {
  Pipe pipe;
  void data(std::string_view /*bytes*/) {}
};

/// Responds with the request's body; below /row/ the path says with what.
struct Taker {
  static void request(Exchange exchange) {
    if (exchange.path() == "/row/stop") stop_deed()();
    else if (exchange.path() == "/row/pipe") CHECK(exchange.upgrade<Listener>("listen"));
    else if (exchange.path() != "/row/never") exchange.respond(200, "text/plain", exchange.body());
  }
};

/// One connection to the taker, in memory, and files beside it.
class Rows {
 public:
  explicit Rows(const Limits& limits) : parts_(room_limits(limits)) {
    REQUIRE_FALSE(parts_.rows.add(wharf_row(protocol<Taker>("taker"))));
    parts_.hosts.front().mounts.push_back({"/row/", Requests{"taker"}});
    mailbox_.open([] {});
    auto router = server::Router::start(parts_.rows, parts_.hosts, {parts_.limits.ws, parts_.limits.http}, home_);
    REQUIRE(router);
    router_ = std::move(*router);
    http_.emplace(*router_, parts_.limits.http, parts_.log);
    link_.open(std::make_unique<session::H1>(link_, *http_));
  }
  ~Rows() {
    link_.abort();
    link_.run();
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  /// Sends the bytes. Returns the statuses of the responses that came, like "200 503".
  std::string ask(std::string_view bytes) {
    link_.receive(bytes);
    return statuses();
  }
  /// The same after some time.
  std::string advance(std::int64_t time) {
    now_ += base::Time{time};
    link_.run();
    return statuses();
  }
  [[nodiscard]] bool closed() const { return link_.closed(); }

 private:
  std::string statuses() {
    std::string all;
    for (const Answer& answer : answers(link_.take())) all += (all.empty() ? "" : " ") + std::to_string(answer.status);
    return all;
  }

  SiteParts parts_;
  base::Mailbox mailbox_;
  session::Handles handles_{mailbox_};
  base::Time now_{1'000'000};
  session::Home home_{parts_.log, handles_, [this] { return now_; }};
  base::ChunkPool pool_;
  std::unique_ptr<server::Router> router_;
  std::optional<session::HttpContext> http_;
  session::MemoryLink link_{pool_, parts_.limits.loop.output, now_};
};

std::string post(std::string_view target, std::string_view fields, std::string_view body = {}) {
  return base::concat("POST ", target, " HTTP/1.1\r\nHost: a\r\n", fields, "\r\n", body);
}
std::string length(std::size_t size) { return base::concat("Content-Length: ", size, "\r\n"); }

/// The status of the response to a body in these chunks.
std::string status_of_chunks(const Limits& limits, std::string_view chunks) {
  return Rows(limits).ask(post("/row/", "Transfer-Encoding: chunked\r\n", chunks));
}

/// A whole server with the taker's row on a free port, as long as it lives.
class Served {
 public:
  explicit Served(const Limits& limits) : server_(options(limits)) {
    REQUIRE_FALSE(server_.add(protocol<Taker>("taker")));
    VirtualHost host;
    host.mounts.push_back({"/", Requests{"taker"}});
    REQUIRE_FALSE(server_.add(host));
    address = listen_anywhere(server_);
    stop_deed() = [this] { server_.stop(); };
  }
  ~Served() {
    running_.reset();
    stop_deed() = nullptr;
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  void run() { running_.emplace(server_); }

  io::Address address;
  Record log;

 private:
  ServerOptions options(const Limits& limits) {
    ServerOptions options;
    options.limits = limits;
    options.log = [this](Level, std::string_view line) { log.add(std::string(line)); };
    return options;
  }

  Server server_;
  std::optional<Running> running_;
};

/// The backlog of the socket of this process that listens there.
unsigned backlog_at(const io::Address& address) {
  for (int descriptor = 3; descriptor < 1024; ++descriptor) {
    io::Address own;
    if (getsockname(descriptor, own.get(), &own.size) != 0 || own.text() != address.text()) continue;
    tcp_info info{};
    socklen_t size = sizeof info;
    REQUIRE(getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    return info.tcpi_sacked;  // of a listening socket this field is its backlog
  }
  throw std::runtime_error("nobody listens at " + address.text());
}

}  // namespace

TEST_CASE("limits: the defaults are those that are documented") {
  const server::RoomLimits limits(Limits{}, 1);
  CHECK(limits.http.head.request_line == 8 * 1024);
  CHECK(limits.http.head.head == 16 * 1024);
  CHECK(limits.http.head.fields == 100);
  CHECK(limits.http.head_time == base::Time{10'000});
  CHECK(limits.http.idle == base::Time{75'000});
  CHECK(limits.http.chunk.extension == 1024);
  CHECK(limits.http.chunk.extensions == 16 * 1024);
  CHECK(limits.http.chunk.trailer == 8 * 1024);
  CHECK(limits.http.chunk.trailer_fields == 32);
  CHECK(limits.http.body_idle == base::Time{20'000});
  CHECK(limits.http.body_grace == base::Time{20'000});
  CHECK(limits.http.body_rate == 500);
  CHECK(limits.http.dropped_body == 64 * 1024);
  CHECK(limits.http.answer_time == base::Time{30'000});
  CHECK(limits.ws.pipe_idle == base::Time{600'000});
  CHECK(limits.ws.message == 1024 * 1024);
  CHECK(limits.ws.close_handshake == base::Time{5'000});
  CHECK(limits.ws.ping_after == base::Time{300'000});
  CHECK(limits.ws.pong_timeout == base::Time{20'000});
  CHECK(limits.loop.output.low_water == 16 * 1024);
  CHECK(limits.loop.output.high_water == 64 * 1024);
  CHECK(limits.loop.output.hard_cap == 4 * 1024 * 1024);
  CHECK(limits.loop.write_stall == base::Time{30'000});
  CHECK(limits.loop.write_progress == 1024);
  CHECK(Limits{}.stop_grace == milliseconds(4'000));
  CHECK(Limits{}.drain_time == milliseconds(4'000));
  CHECK(Limits{}.takeover_time == milliseconds(30'000));
  CHECK(Limits{}.connections == 0);
  CHECK(Limits{}.backlog == 511);
  CHECK((Limits{}.password_threads == 4 && Limits{}.file_threads == 4 && Limits{}.lookup_threads == 8 &&
         Limits{}.signing_threads == 2));
}

TEST_CASE("limits: request_line") {
  Limits limits;
  limits.request_line = 20;
  CHECK(status_of(limits, "GET /small HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
  CHECK(status_of(limits, "GET /small? HTTP/1.1\r\nHost: a\r\n\r\n") == 200);
  CHECK(status_of(limits, "GET /small?? HTTP/1.1\r\nHost: a\r\n\r\n") == 414);
}

TEST_CASE("limits: request_head") {
  Limits limits;
  const std::string request = get("/small");
  limits.request_head = request.size();
  CHECK(status_of(limits, request) == 200);
  limits.request_head = request.size() - 1;
  CHECK(status_of(limits, request) == 431);
}

TEST_CASE("limits: request_fields") {
  Limits limits;
  limits.request_fields = 2;
  CHECK(status_of(limits, "GET /small HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n") == 200);
  CHECK(status_of(limits, "GET /small HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\n\r\n") == 431);
}

TEST_CASE("limits: request_head_time") {
  Limits limits;
  limits.request_head_time = milliseconds(200);
  Later later(limits);
  later.wire->send("GET");
  later.advance(199);
  CHECK_FALSE(later.closed());
  later.advance(1);
  CHECK(later.wire->read_all().starts_with("HTTP/1.1 408 "));
}

TEST_CASE("limits: keep_alive_idle") {
  Limits limits;
  limits.keep_alive_idle = milliseconds(300);
  Later later(limits);
  later.wire->send(get("/small"));
  later.wire->read_until("small");
  later.advance(299);
  CHECK_FALSE(later.closed());
  later.advance(1);
  CHECK(later.closed());
}

TEST_CASE("limits: chunk_extension") {
  Limits limits;
  limits.chunk_extension = 4;
  CHECK(status_of_chunks(limits, "1;a=b\r\nx\r\n0\r\n\r\n") == "200");
  CHECK(status_of_chunks(limits, "1;a=bc\r\nx\r\n0\r\n\r\n") == "413");
}

TEST_CASE("limits: chunk_extensions") {
  Limits limits;
  limits.chunk_extensions = 8;
  CHECK(status_of_chunks(limits, "1;a=b\r\nx\r\n1;a=b\r\nx\r\n0\r\n\r\n") == "200");
  CHECK(status_of_chunks(limits, "1;a=b\r\nx\r\n1;a=b\r\nx\r\n0;c\r\n\r\n") == "413");
}

TEST_CASE("limits: trailer") {
  Limits limits;
  limits.trailer = 6;
  CHECK(status_of_chunks(limits, "0\r\nA: b\r\n\r\n") == "200");
  CHECK(status_of_chunks(limits, "0\r\nA: bc\r\n\r\n") == "431");
}

TEST_CASE("limits: trailer_fields") {
  Limits limits;
  limits.trailer_fields = 2;
  CHECK(status_of_chunks(limits, "0\r\nA: b\r\nC: d\r\n\r\n") == "200");
  CHECK(status_of_chunks(limits, "0\r\nA: b\r\nC: d\r\nE: f\r\n\r\n") == "431");
}

TEST_CASE("limits: body_idle") {
  Limits limits;
  limits.body_idle = milliseconds(300);
  Rows rows(limits);
  rows.ask(post("/row/", length(5), "he"));
  rows.advance(299);
  rows.ask("l");
  CHECK(rows.advance(299).empty());
  CHECK(rows.advance(1) == "408");
  CHECK(rows.closed());
}

TEST_CASE("limits: body_grace") {
  Limits limits;
  limits.body_grace = milliseconds(400);
  Rows rows(limits);
  rows.ask(post("/row/", length(5)));
  CHECK(rows.advance(399).empty());
  CHECK(rows.advance(1) == "408");
}

TEST_CASE("limits: body_rate") {
  Limits limits;
  limits.body_rate = 10;
  limits.body_grace = milliseconds(100);
  Rows rows(limits);
  rows.ask(post("/row/", length(5), "he"));
  CHECK(rows.advance(100 + 199).empty());
  CHECK(rows.advance(1) == "408");
}

TEST_CASE("limits: dropped_body") {
  Limits limits;
  limits.dropped_body = 10;
  Rows exact(limits);
  CHECK(exact.ask(post("/small", length(10), std::string(10, 'x')) + get("/small")) == "405 200");
  CHECK_FALSE(exact.closed());
  Rows longer(limits);
  CHECK(longer.ask(post("/small", length(11), std::string(11, 'x')) + get("/small")) == "405");
  CHECK(longer.closed());
}

TEST_CASE("limits: answer_time") {
  Limits limits;
  limits.answer_time = milliseconds(250);
  Rows rows(limits);
  rows.ask(get("/row/never"));
  CHECK(rows.advance(249).empty());
  CHECK(rows.advance(1) == "503");
}

TEST_CASE("limits: pipe_idle, and zero for none") {
  const std::string wish = "GET /row/pipe HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: listen\r\n\r\n";
  Limits limits;
  limits.pipe_idle = milliseconds(150);
  Rows rows(limits);
  CHECK(rows.ask(wish) == "101");
  rows.advance(149);
  rows.ask("x");
  rows.advance(149);
  CHECK_FALSE(rows.closed());
  rows.advance(1);
  CHECK(rows.closed());

  limits.pipe_idle = milliseconds(0);
  Rows patient(limits);
  CHECK(patient.ask(wish) == "101");
  patient.advance(1'000'000'000);
  CHECK_FALSE(patient.closed());
}

TEST_CASE("limits: message") {
  Limits limits;
  limits.message = 10;
  MemorySite site(room_limits(limits));
  const auto wire = site.connect();
  WsTalk talk(*wire, "echo", text("0123456789") + text("0123456789+"));
  CHECK(talk.next() == "text 0123456789");
  CHECK(talk.next().starts_with("close 1009 "));
}

TEST_CASE("limits: close_handshake") {
  Limits limits;
  limits.close_handshake = milliseconds(70);
  Later later(limits);
  WsTalk talk(*later.wire, "actor", text("close me"));
  CHECK(talk.next() == "close 4000 asked");
  later.advance(69);
  CHECK_FALSE(later.closed());
  later.advance(1);
  CHECK(later.closed());
}

TEST_CASE("limits: ping_after and pong_timeout, and zero for none") {
  Limits limits;
  limits.ping_after = milliseconds(90);
  limits.pong_timeout = milliseconds(30);
  Later later(limits);
  WsTalk talk(*later.wire, "echo");
  later.advance(89);
  CHECK(later.wire->link().take().empty());
  later.advance(1);
  CHECK(talk.next() == "ping ");
  later.advance(29);
  CHECK_FALSE(later.closed());
  later.advance(1);
  CHECK(later.wire->link().was_aborted());

  limits.pong_timeout = milliseconds(0);
  Later patient(limits);
  WsTalk with_patient(*patient.wire, "echo");
  patient.advance(90);
  CHECK(with_patient.next() == "ping ");
  patient.advance(1'000'000'000);
  CHECK_FALSE(patient.closed());

  limits.ping_after = milliseconds(0);
  Later quiet(limits);
  const WsTalk with_quiet(*quiet.wire, "echo");
  quiet.advance(1'000'000'000);
  CHECK(quiet.wire->link().take().empty());
  CHECK_FALSE(quiet.closed());
}

TEST_CASE("limits: output_high_water and output_low_water") {
  Limits limits;
  limits.output_high_water = 25'000;
  limits.output_low_water = 5'000;
  MemorySite site(room_limits(limits));
  const auto wire = site.connect();
  WsTalk talk(*wire, "actor");
  session::MemoryLink& link = wire->link();
  link.set_window(0);
  talk.send(text("flood 100"));
  CHECK(link.out().size() == 3 * 10'004);
  CHECK_FALSE(link.reading());
  link.set_window(25'000);
  link.run();
  CHECK(link.out().size() == 5'012);
  CHECK_FALSE(link.reading());
  link.set_window(12);
  link.run();
  CHECK(link.out().size() == 5'000 + 2 * 10'004);  // drained, and filled again
}

TEST_CASE("limits: output_hard_cap") {
  Limits limits;
  limits.output_hard_cap = 100'000;
  MemorySite site(room_limits(limits));
  for (const int messages : {10, 11}) {  // the last of ten goes beyond it
    const auto wire = site.connect();
    WsTalk talk(*wire, "actor");
    wire->link().set_window(0);
    talk.send(text("heedless " + std::to_string(messages)));
    CHECK(wire->link().was_aborted() == (messages == 11));
  }
  CHECK(site.log().count("the cap is 100000") == 1);
}

// ---- On sockets ----

TEST_CASE("limits: write_stall") {
  Limits limits;
  limits.write_stall = milliseconds(70);
  SocketSite site(room_limits(limits));
  SocketWire wire(site.address(), 32 * 1024);
  WsTalk talk(wire, "actor", text("flood 3000"));
  CHECK(talk.next() == "binary 10000 bytes");
  site.wait_for_connections(0);
  CHECK(site.log().count("cut, the peer took next to nothing for 70 ms with ") == 1);
}

TEST_CASE("limits: write_progress gets to the loop") {
  Limits limits;
  limits.write_progress = 77;
  SocketSite site(room_limits(limits));
  site.on_loop([](io::Loop& loop) { CHECK(loop.limits().write_progress == 77); });
}

TEST_CASE("limits: connections") {
  Limits limits;
  limits.connections = 1;
  Served served(limits);
  served.run();
  SocketWire first(served.address);
  first.send(get("/"));
  CHECK(first.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  first.send("G");  // so that it is not idle
  SocketWire second(served.address);
  second.send(get("/"));
  wait_until([&served] { return served.log.count("the limit of connections is reached (1 open)") == 1; });
  first.close();
  CHECK(second.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_CASE("limits: backlog") {
  Limits limits;
  limits.backlog = 9;
  const Served served(limits);
  CHECK(backlog_at(served.address) == 9);
}

TEST_CASE("limits: stop_grace") {
  Limits limits;
  limits.stop_grace = milliseconds(20);
  limits.answer_time = milliseconds(2'000);
  Served served(limits);
  served.run();
  SocketWire wire(served.address);
  wire.send(get("/row/stop"));
  CHECK(wire.read_all().empty());  // cut before its time to be answered was over
}
