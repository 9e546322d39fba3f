#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h1.h"
#include "io/connector.h"
#include "io/executor.h"
#include "io/resolver.h"
#include "link/memory_link.h"
#include "server/router.h"
#include "server/worker.h"
#include "session/failing_allocator.h"
#include "session/frames.h"
#include "session/rows.h"
#include "session/site.h"
#include "session/wire.h"
#include "unit/io/turns.h"
#include "unit/proxy/proxy_bench.h"

// The session tests with the n-th allocation failing, for every n until a run needs no more.

namespace wharf::test {
namespace {

/// Takes a body in pieces, responds with its size. As in C, no exception passes through it.
struct Counter {
  struct Responder {
    Exchange exchange;
    std::size_t size = 0;
    void request() noexcept {}
    void body(std::string_view piece) noexcept { size += piece.size(); }
    void body_end() noexcept { exchange.respond(200, "text/plain", std::to_string(size)); }
  };
};

/// Responds in pieces with a body that came whole.
struct Whole {
  static void request(Exchange exchange) {
    const std::string body(exchange.body());
    exchange.begin(200, "text/plain");
    exchange.write(body);
    exchange.end();
  }
};

struct Back {
  Pipe pipe;
  void data(std::string_view bytes) { pipe.write(bytes); }
};
struct Leaves {
  static void request(Exchange exchange) {
    if (!exchange.upgrade<Back>("back/1")) exchange.respond(426);
  }
};

/// The server's sessions behind pipes in memory, with a log that takes no memory.
class Site {
 public:
  explicit Site(server::Outside* outside = nullptr) {
    for (const wharf_row& row : {wharf_row(protocol<Echo>("echo")), wharf_row(protocol<Counter>("counter")),
                                 wharf_row(protocol<Whole>("whole")), wharf_row(protocol<Leaves>("leaves"))})
      if (const Error error = rows_.add(row)) throw std::runtime_error(error.message);
    for (const char* name : {"counter", "whole", "leaves"})
      hosts_.front().mounts.push_back({"/" + std::string(name) + "/", Requests{name}});
    Files files{files_folder()};
    files.listing = Listing::on;
    hosts_.front().mounts.push_back({"/", files});
    mailbox_.open([] {});
    auto router = server::Router::start(rows_, hosts_, {limits_.ws, limits_.http}, home_, outside);
    if (!router) throw std::runtime_error(router.error().message);
    router_ = std::move(*router);
    http_.emplace(*router_, limits_.http, log_);
  }

  std::unique_ptr<session::MemoryLink> link() { return std::make_unique<session::MemoryLink>(pool_, limits_.loop.output, now_); }
  session::HttpContext& http() { return *http_; }

 private:
  server::RoomLimits limits_ = room_limits();
  base::Log log_{base::LogLevel::debug, [](base::LogLevel, std::string_view) {}};
  server::RowList rows_;
  std::vector<VirtualHost> hosts_{1};
  base::Mailbox mailbox_;
  session::Handles handles_{mailbox_};
  base::Time now_{1'000'000};
  session::Home home_{log_, handles_, [this] { return now_; }};
  base::ChunkPool pool_;
  std::unique_ptr<server::Router> router_;
  std::optional<session::HttpContext> http_;
};

/// What a client sends, part by part; each arrives in a turn of its own.
using Script = std::vector<std::string>;

std::string request(std::string_view line, std::string_view fields, std::string_view body = {}) {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string deflated(codec::Opcode opcode, std::string_view message) {
  codec::DeflatePool pool;
  const codec::DeflateSettings settings{&pool, {}, 0};
  codec::WsEncoder encoder;
  encoder.deflate_with(settings, 12, codec::DeflateContext::forgotten);
  codec::WsOutFrame out;
  if (encoder.encode(opcode, codec::WsPart::whole, message, out) != codec::WsEncoder::Fault::none)
    throw std::runtime_error("not encoded");
  std::string bytes = frame(out.opcode, out.payload);
  bytes[0] = static_cast<char>(bytes[0] | 0x40);
  return bytes;
}

std::string handshake(std::string_view extensions) {
  std::string handshake = upgrade_request("echo");
  handshake.insert(handshake.size() - 2, extensions);
  return handshake;
}

/// If no allocation fails, the server sends `expected` somewhere.
struct Told {
  const char* name;
  Script script;
  std::string expected;
};

std::vector<Told> all_scripts() {
  const std::string get = request("GET /small", "");
  const std::string long_text(5000, 'a');
  const std::string message = deflated(codec::Opcode::text, long_text);
  return {
      {"GET of a file", {get, get.substr(0, 20), get.substr(20) + get}, "small"},
      {"GET of a long file", {request("GET /big", "")}, "200 OK"},
      {"GET of what is not there", {request("GET /none", "")}, "404"},
      {"no request", {"nonsense\r\n\r\n"}, "400"},
      {"a body in pieces", {request("POST /counter/", "Content-Length: 10\r\n", "12345"), "67890" + get}, "10"},
      {"a body in chunks", {request("POST /whole/", "Transfer-Encoding: chunked\r\n", "5\r\nhe"), "llo\r\n0\r\n\r\n"}, "hello"},
      {"a WebSocket",
       {upgrade_request("echo"), text("hello") + ping("p"), frame(codec::Opcode::text, "a", Fin::more),
        frame(codec::Opcode::continuation, long_text), binary(long_text).substr(0, 3000), close_frame(1000)},
       "hello"},
      {"a compressed WebSocket",
       {handshake("Sec-WebSocket-Extensions: permessage-deflate\r\n"), message + message, close_frame(1000)},
       "101"},
      {"a compressed WebSocket without context",
       {handshake("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"),
        message.substr(0, 10), message.substr(10), close_frame(1000)},
       "101"},
      {"a pipe", {request("GET /leaves/", "Upgrade: back/1\r\nConnection: Upgrade\r\n", "early"), "late"}, "earlylate"},
  };
}

/// Plays the script with the n-th allocation failing. Returns what the server sent, and whether one failed.
std::pair<std::string, bool> play(Site& site, const Script& script, std::size_t nth) {
  auto link = site.link();
  Shortage shortage(nth);
  link->open(std::make_unique<session::H1>(*link, site.http()));
  for (const std::string& part : script) {
    link->arrive(part);
    shortage([&] { link->run(); });
  }
  link->arrive_end();
  shortage([&] { link->run(); });
  std::string sent = link->take();
  link->abort();
  shortage([&] { link->run(); });
  return {std::move(sent), shortage.came()};
}

/// A proxy with one connection for all, and a server behind it that accepts every connection and responds to everything.
class Relay {
 public:
  Relay(std::string answer, std::size_t nth) : answer_(std::move(answer)), nth_(nth) {}

  server::ProxyBench::Link& asks(std::string_view fields) {
    auto& client = bench_.client();
    client.arrive(server::asks("GET", fields));
    return client;
  }
  /// With the n-th allocation failing, until nobody has anything more to do.
  void play() {
    armed([this] { bench_.run(); });
    for (bool busy = true; busy;) busy = connects() || answers();
  }
  void answer_with(std::string_view answer) { answer_ = answer; }
  void never_again() { nth_ = 0; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] server::ProxyBench& bench() { return bench_; }

 private:
  static Proxy one_connection() {
    Proxy proxy = server::ProxyBench::to();
    proxy.most_connections = 1;
    return proxy;
  }
  template <class Call>
  void armed(Call&& call) {
    if (nth_ == 0) return call();
    until_failure = nth_;
    call();
    failed_ = until_failure == 0;
    nth_ = std::exchange(until_failure, 0);
  }
  bool connects() {
    if (bench_.outside.attempts.empty()) return false;
    const server::TestOutside::Attempt attempt = std::move(bench_.outside.attempts.front());
    bench_.outside.attempts.pop_front();
    auto& link = bench_.new_link();
    upstream_.push_back(&link);
    armed([this, &link, &attempt] { bench_.connect(link, attempt); });
    return true;
  }
  bool answers() {
    for (server::ProxyBench::Link* const link : upstream_) {
      if (link->closed() || link->take().empty()) continue;
      link->arrive(answer_);
      armed([this] { bench_.run(); });
      return true;
    }
    return false;
  }

  server::ProxyBench bench_{one_connection()};
  std::vector<server::ProxyBench::Link*> upstream_;
  std::string answer_;
  std::size_t nth_;
  bool failed_ = false;
};

}  // namespace

TEST_CASE("memory short: whichever allocation fails costs one connection, and nothing is left behind") {
  for (const Told& told : all_scripts()) {
    CAPTURE(std::string(told.name));
    Site site;
    CHECK(play(site, told.script, 0).first.find(told.expected) != std::string::npos);
    std::size_t nth = 1;
    for (bool failed = true; failed; ++nth) {
      CAPTURE(nth);
      REQUIRE(nth < 10'000);
      failed = play(site, told.script, nth).second;
      for (int i = 0; i < 16; ++i) play(site, told.script, nth);  // libcrypto keeps so many faults of each thread
      const std::size_t before = live_bytes();
      play(site, told.script, nth);
      CHECK(live_bytes() == before);
      CHECK(play(site, told.script, 0).first.find(told.expected) != std::string::npos);  // others are served
    }
    MESSAGE(std::string(told.name) << ": " << nth - 1 << " allocations");
  }
}

TEST_CASE("memory short: whichever allocation of a listing on another thread fails, a client that leaves does no harm") {
  bool failed = true;
  for (std::size_t nth = 1; failed; ++nth) {
    CAPTURE(nth);
    server::TestOutside busy;
    Site site(&busy);
    failed = play(site, {request("GET /", "")}, nth).second;
    CHECK(play(site, {request("GET /small", "")}, 0).first.find("small") != std::string::npos);
  }
}

TEST_CASE("memory short: two wait for a listing: whichever allocation of their responses fails, neither waits for ever") {
  bool failed = true;
  for (std::size_t nth = 1; failed; ++nth) {
    CAPTURE(nth);
    server::TestOutside busy;
    Site site(&busy);
    std::vector<std::unique_ptr<session::MemoryLink>> links;
    for (int i = 0; i < 2; ++i) {
      links.push_back(site.link());
      links.back()->open(std::make_unique<session::H1>(*links.back(), site.http()));
      links.back()->receive(request("GET /", ""));
    }
    Shortage shortage(nth);
    busy.do_task();
    try {
      shortage([&busy] { busy.tell(); });
    } catch (const std::bad_alloc&) {  // as a loop does
    }
    failed = shortage.came();
    for (const auto& link : links) {
      link->run();
      CHECK((link->was_aborted() || link->take().find("200 OK") != std::string::npos));
      link->abort();
      link->run();
    }
  }
}

TEST_CASE("memory short: whichever allocation of a connection of our own that is under way fails, one is told") {
  bool failed = true;
  for (std::size_t nth = 1; failed; ++nth) {
    CAPTURE(nth);
    Turns turns;
    const io::Address nobodys = io::take_as_numbers("127.0.0.1", "1").addresses.front();
    bool told = false;
    const auto attempt = io::Connector::start(
        turns.loop(), {nobodys, nobodys}, base::Time{600'000}, [](session::Link&) { return nullptr; },
        [&told](std::string_view) { told = true; });
    Shortage shortage(nth);
    for (int i = 0; i < 10; ++i) shortage([&] { turns.one(); });
    failed = shortage.came();
    CHECK(turns.until([&told] { return told; }));
  }
}

TEST_CASE("memory short: whichever allocation of a connection of our own fails, one is told, and no descriptor is left") {
  std::size_t failures = 0;
  for (std::size_t nth = 1; failures + 1 == nth; ++nth) {
    CAPTURE(nth);
    Turns turns;
    io::Executor executor({.threads = 1});
    io::Resolver resolver(turns.loop(), executor);
    const std::size_t before = open_descriptors();
    const auto told = std::make_shared<int>(0);
    std::unique_ptr<server::Attempt> attempt;
    until_failure = nth;
    try {
      attempt = io::Connector::start(
          turns.loop(), resolver, {"127.0.0.1", "1", ""}, base::Time{600'000}, [](session::Link&) { return nullptr; },
          [told](std::string_view) { ++*told; });
    } catch (const std::bad_alloc&) {
      ++*told;
    }
    if (std::exchange(until_failure, 0) == 0) ++failures;
    REQUIRE(turns.until([&told] { return *told == 1; }));
    turns.one();
    CHECK(told.use_count() == 1);  // nothing is under way any more
    CHECK(open_descriptors() == before);
  }
}

TEST_CASE("memory short: whichever allocation of a look-up fails, the next one for that name is done") {
  bool failed = true;
  for (std::size_t nth = 1; failed; ++nth) {
    CAPTURE(nth);
    io::Executor executor({.threads = 1});
    Turns turns;
    io::Resolver resolver(turns.loop(), executor, [](const std::string&, const std::string&) { return io::Found{{}, "asked"}; });
    io::Resolver::Query first;
    io::Resolver::Query second;
    until_failure = nth;
    try {
      static_cast<void>(resolver.look_up(first, {"a name that is long enough.example", "80"}, [](const io::Found&) {}));
    } catch (const std::bad_alloc&) {
    }
    failed = std::exchange(until_failure, 0) == 0;
    std::string told;
    REQUIRE(resolver.look_up(second, {"a name that is long enough.example", "80"},
                             [&told](const io::Found& found) { told = found.failure; }));
    REQUIRE(turns.until([&told] { return !told.empty(); }));
    CHECK(told == "asked");
  }
}

TEST_CASE("memory short: whichever allocation of proxied requests fails, everybody hears, and the next one is served") {
  struct Exchanged {
    std::string_view fields;
    std::string_view answer;
  };
  for (const Exchanged& each :
       {Exchanged{"", "HTTP/1.1 103 x\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
        Exchanged{"", "HTTP/1.0 200 OK\r\nSet-Cookie: a=b; Path=/base/\r\nContent-Length: 5\r\n\r\nhello"},
        Exchanged{"Upgrade: toy\r\nConnection: Upgrade\r\n",
                  "HTTP/1.1 101 x\r\nUpgrade: toy\r\nConnection: Upgrade\r\n\r\nhello"}}) {
    CAPTURE(std::string(each.answer));
    bool failed = true;
    for (std::size_t nth = 1; failed; ++nth) {
      CAPTURE(nth);
      REQUIRE(nth < 10'000);
      Relay relay(std::string(each.answer), nth);
      const std::vector<server::ProxyBench::Link*> clients{&relay.asks(each.fields), &relay.asks(each.fields)};
      relay.play();
      failed = relay.failed();
      relay.never_again();
      for (int i = 0; i < 2; ++i) {
        relay.bench().advance(70'000);
        relay.play();
      }
      for (server::ProxyBench::Link* const client : clients) {
        const std::string got = client->take();
        const bool left_alone = got.starts_with("HTTP/1.1 101 ") && !got.ends_with("hello");
        CHECK((client->closed() || (!got.empty() && !left_alone)));
        relay.bench().reset(*client);
      }
      relay.answer_with(server::small_answer);
      auto& last = relay.asks("");
      relay.play();
      CHECK(last.take().ends_with("hello"));
    }
  }
}

}  // namespace wharf::test
