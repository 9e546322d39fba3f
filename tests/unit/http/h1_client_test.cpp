#include "http/h1_client.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "unit/http/h1_client_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using codec::BodyFraming;
using session::Flow;

constexpr std::string_view hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view hello_told = "begins 200 5, piece hello, ends, idle";
constexpr std::string_view with_length = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
constexpr std::string_view in_chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string many(std::string_view text, std::size_t count) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

/// The calls for these bytes, cut at `at`, and for the end behind them.
std::string told_of(std::string_view method, std::string_view bytes, std::size_t at) {
  ClientBench bench;
  bench.ask(ClientBench::get(method));
  bench.take();
  bench.say(bytes.substr(0, at));
  bench.say(bytes.substr(at));
  std::string told = bench.take();
  if (bench.stage() == "idle" || bench.stage() == "gone") return told;
  bench.link.receive_end();
  return base::concat(told, told.empty() ? "" : ", ", "end, ", bench.take());
}

void check_told(std::string_view method, std::string_view bytes, std::string_view expected) {
  CAPTURE(bytes.substr(0, 100));
  const std::size_t step = bytes.size() > 300 ? 37 : 1;
  for (std::size_t at = 0; at <= bytes.size(); at += step) {
    const std::string told = told_of(method, bytes, at);
    CHECK_MESSAGE(told == expected, "cut at " << at);
    if (told != expected) return;
  }
}

/// A body begins, and `sent` of the response comes.
void begin_body(ClientBench& bench, std::string_view sent, Flow flow = Flow::go) {
  bench.ask();
  bench.flow = flow;
  bench.say(sent);
  bench.take();
}

}  // namespace

// ---- Requests ----

TEST_CASE("h1 client: a head has what the request says, and its framing") {
  using session::OutgoingRequest;
  const std::string start = "PUT /a?b HTTP/1.1\r\nHost: a\r\nX-B: c d\r\n";
  OutgoingRequest request{.method = "PUT", .target = "/a?b", .fields = {{"Host", "a"}, {"X-B", "c d"}}};
  CHECK(session::request_head(request) == start + "\r\n");
  CHECK(session::request_head(request, std::string(1'000, 'x')) == start + "\r\n");
  request.body = BodyFraming::length;
  CHECK(session::request_head(request) == start + "Content-Length: 0\r\n\r\n");
  request.content_length = 18'446'744'073'709'551'615U;
  request.persistence = OutgoingRequest::Persistence::once;
  CHECK(session::request_head(request) == start + "Content-Length: 18446744073709551615\r\nConnection: close\r\n\r\n");
  request.body = BodyFraming::chunked;
  CHECK(session::request_head(request) == start + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  request.body = BodyFraming::none;
  request.upgrade = "toy, other/2";
  CHECK(session::request_head(request) == start + "Upgrade: toy, other/2\r\nConnection: Upgrade\r\n\r\n");
}

TEST_CASE("h1 client: fields that frame, or could split the head, are left out (RFC 9112 section 11.1)") {
  ClientBench::Request request = ClientBench::get();
  for (const auto& [name, value] : {std::pair{"Content-Length", "3"}, std::pair{"transfer-encoding", "chunked"},
                                    std::pair{"Connection", "close"}, std::pair{"Keep-Alive", "1"}, std::pair{"A", "b\r\nC: d"},
                                    std::pair{"A\r\nC", "d"}, std::pair{"A b", "c"}, std::pair{"", "c"}, std::pair{"Kept", "e"}})
    request.fields.push_back({name, value});
  CHECK(session::request_head(request) == "GET / HTTP/1.1\r\nHost: a\r\nKept: e\r\n\r\n");
}

TEST_CASE("h1 client: one request after the other, each framing of a body, small and large pieces") {
  ClientBench bench;
  CHECK(bench.take() == "connected, idle");
  CHECK_FALSE(bench.client == nullptr);
  bench.ask();
  CHECK(bench.link.take() == "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  bench.say(hello);
  CHECK(bench.take() == hello_told);
  const std::string large(40'000, 'b');
  bench.ask(ClientBench::post(BodyFraming::length, 40'003));
  CHECK(bench.client->write_body("abc") == Flow::go);
  CHECK(bench.client->write_body("") == Flow::go);
  CHECK(bench.client->write_body(large) == Flow::go);
  bench.client->end_request();
  bench.link.run();
  CHECK(bench.link.take() == "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40003\r\n\r\nabc" + large);
  bench.say(hello);
  CHECK(bench.take() == hello_told);
  bench.ask(ClientBench::post(BodyFraming::chunked));
  CHECK(bench.client->write_body("abc") == Flow::go);
  CHECK(bench.client->write_body("") == Flow::go);  // would end the body
  CHECK(bench.client->write_body(large) == Flow::go);
  bench.client->end_request();
  bench.client->end_request();  // once is enough
  bench.link.run();
  CHECK(bench.link.take() ==
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n9c40\r\n" + large + "\r\n0\r\n\r\n");
  bench.say(hello);
  CHECK(bench.take() == hello_told);
  CHECK(bench.stage() == "idle");
}

TEST_CASE("h1 client: the caller hears when the server takes no more, and when it does again") {
  ClientBench bench;
  bench.link.set_window(0);
  bench.ask(ClientBench::post(BodyFraming::chunked));
  bench.take();
  std::size_t sent = 0;
  while (sent < 1'000'000 && bench.client->write_body(std::string(10'000, 'a')) == Flow::go) sent += 10'000;
  CHECK(sent < 100'000);
  bench.link.run();
  CHECK(bench.take().empty());
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  CHECK(bench.take() == "room");
  bench.client->cancel();
  CHECK(bench.client->write_body("a") == Flow::closed);
}

TEST_CASE("h1 client: a request that is the last of its connection, though the server would go on") {
  ClientBench bench;
  ClientBench::Request request = ClientBench::get();
  request.persistence = ClientBench::Request::Persistence::once;
  bench.ask(request);
  bench.take();
  bench.say(hello);
  CHECK(bench.take() == "begins 200 5, piece hello, ends");
  CHECK(bench.stage() == "gone");
}

// ---- Responses, cut at every place ----

TEST_CASE("h1 client: every framing of a response, cut at every place (RFC 9112 section 6.3)") {
  check_told("GET", hello, hello_told);
  check_told("GET", "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", "begins 404 0, ends, idle");
  check_told("GET", base::concat(in_chunks, "0\r\n\r\n"), "begins 200, ends, idle");
  check_told("GET", base::concat(in_chunks, "3\r\nabc\r\n5;e=1\r\ndefgh\r\n0\r\nX-T: 1\r\n\r\n"),
             "begins 200, piece abcdefgh, ends, idle");
  check_told("GET", "HTTP/1.1 204 x\r\n\r\n", "begins 204, ends, idle");
  check_told("GET", "HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n", "begins 304, ends, idle");
  check_told("HEAD", "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n", "begins 200 9, ends, idle");
  check_told("HEAD", in_chunks, "begins 200, ends, idle");
  check_told("HEAD", "HTTP/1.1 200 x\r\n\r\n", "begins 200, ends, idle");
  check_told("GET", "HTTP/1.1 200 x\r\n\r\nhello", "begins 200, piece hello, end, ends");
  check_told("GET", "HTTP/1.0 200 x\r\n\r\n", "begins 200, end, ends");
  check_told("GET", "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 y\r\nLink: z\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 1\r\n\r\n!",
             "interim 100, interim 103, begins 200 1, piece !, ends, idle");
  check_told("GET", "HTTP/1.1 999\r\nContent-Length: 1\r\n\r\n!", "begins 999 1, piece !, ends, idle");
}

TEST_CASE("h1 client: the response decides whether the connection goes on (RFC 9112 section 9.3)") {
  check_told("GET", "HTTP/1.1 200 x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n!", "begins 200 1, piece !, ends");
  check_told("GET", "HTTP/1.0 200 x\r\nContent-Length: 1\r\n\r\n!", "begins 200 1, piece !, ends");
  check_told("GET", "HTTP/1.0 200 x\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n!", "begins 200 1, piece !, ends, idle");
}

TEST_CASE("h1 client: trailer fields are dropped, even those that a client may not send (RFC 9112 section 7.1.2)") {
  check_told("GET", base::concat(in_chunks, "1\r\na\r\n0\r\nExpires: x\r\nSet-Cookie: a=b\r\n\r\n"),
             "begins 200, piece a, ends, idle");
}

TEST_CASE("h1 client: bytes that are no response, cut at every place") {
  for (const std::string& bytes :
       {std::string("HTTP/2 200\r\n\r\n"), std::string("SSH-2.0-OpenSSH\r\n"), std::string("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), base::concat("HTTP/1.1 200 OK\r\n", many("A: b\r\n", 201))})
    check_told("GET", bytes, "fails malformed");
  check_told("GET", many("HTTP/1.1 102 x\r\n\r\n", 17), many("interim 102, ", 16) + "fails malformed");
  check_told("GET", "HTTP/1.1 101 OK\r\nUpgrade: toy\r\nConnection: Upgrade\r\n\r\n", "switches, fails malformed");
  check_told("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
             "fails malformed");  // HEAD does not hide it
}

TEST_CASE("h1 client: a response that breaks off, cut at every place (RFC 9112 section 8)") {
  check_told("GET", "", "end, fails closed");
  for (const std::string_view bytes : {"H", "HTTP/1.1 200 OK\r\nA: b\r\n"}) check_told("GET", bytes, "end, fails cut");
  check_told("GET", "HTTP/1.1 100 x\r\n\r\n", "interim 100, end, fails cut");
  check_told("GET", base::concat(with_length, "abc"), "begins 200 100, piece abc, end, fails cut");
  check_told("GET", base::concat(in_chunks, "5\r\nabc"), "begins 200, piece abc, end, fails cut");
  check_told("GET", base::concat(in_chunks, "3\r\nabc\r\n"), "begins 200, piece abc, end, fails cut");
  check_told("GET", base::concat(in_chunks, "3\r\nabcde"), "begins 200, piece abc, fails malformed");
  check_told("GET", base::concat(in_chunks, "x"), "begins 200, fails malformed");
}

TEST_CASE("h1 client: a response that lasts until the end is cut short if a reset comes instead") {
  ClientBench bench;
  begin_body(bench, "HTTP/1.1 200 OK\r\n\r\nabc");
  bench.link.abort();
  bench.link.run();
  CHECK(bench.take() == "fails cut");
}

TEST_CASE("h1 client: an upgrade; bytes behind it go to another session, cut at every place (RFC 9110 section 7.8)") {
  const std::string bytes = "HTTP/1.1 101 x\r\nUpgrade: toy\r\nConnection: Upgrade\r\n\r\ntoys";
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    ClientBench bench;
    bench.ask();
    bench.take();
    bench.upgrade = session::ResponseReceiver::Upgrade::taken;
    bench.say(bytes.substr(0, at));
    bench.say(bytes.substr(at));
    CHECK(bench.take() == "switches");
    CHECK(bench.stage() == "gone");
    CHECK_FALSE(bench.link.closed());
  }
}

TEST_CASE("h1 client: the head of a response has a limit, and so has the number of interim ones for each request") {
  const std::string start = "HTTP/1.1 200 OK\r\nA: ";
  const std::string end = "\r\nContent-Length: 0\r\n\r\n";
  for (const std::size_t over : {0U, 1U}) {
    for (const std::size_t step : {7'000U, 70'000U}) {
      const std::string bytes = start + std::string(64 * 1024 - start.size() - end.size() + over, 'a') + end;
      ClientBench bench;
      bench.ask();
      bench.take();
      for (std::size_t at = 0; at < bytes.size(); at += step) bench.say(bytes.substr(at, step));
      CHECK(bench.take() == (over == 0 ? "begins 200 0, ends, idle" : "fails malformed"));
    }
  }
  ClientBench bench;
  for (int i = 0; i < 2; ++i) {
    bench.ask();
    bench.take();
    bench.say(many("HTTP/1.1 102 x\r\n\r\n", 16) + std::string(hello));
    CHECK(bench.take() == many("interim 102, ", 16) + std::string(hello_told));
  }
  bench.ask();
  bench.take();
  bench.say(many("HTTP/1.1 102 x\r\n\r\n", 17));
  CHECK(bench.take().ends_with("fails malformed"));
  CHECK(bench.log == "it sent more interim responses than the limit");
}

// ---- How fast it comes ----

TEST_CASE("h1 client: a receiver that holds gets no more until it resumes, and no piece is large") {
  ClientBench bench;
  bench.ask();
  bench.flow = Flow::hold;
  bench.say(base::concat("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", std::string(100'000, 'a')));
  std::size_t pieces = 0;
  for (; bench.stage() == "body"; ++pieces) {
    CHECK_FALSE(bench.link.reading());
    CHECK(bench.take().size() < 33'000);
    bench.client->resume_response();
    bench.link.run();
  }
  CHECK(pieces >= 3);
  CHECK(bench.stage() == "idle");
  CHECK(bench.link.reading());
}

TEST_CASE("h1 client: a response that ends at the piece at which its receiver holds does not hold the next") {
  ClientBench bench;
  begin_body(bench, with_length, Flow::hold);
  bench.say(std::string(100, 'a'));
  CHECK(bench.stage() == "idle");
  CHECK(bench.link.reading());
}

TEST_CASE("h1 client: it reads no further ahead than may have to be kept") {
  ClientBench bench;
  bench.ask();
  bench.flow = Flow::hold;
  bench.say(base::concat("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", std::string(1'000'000, 'a')));
  CHECK(bench.link.unread() >= 1'000'000 - std::size_t{64} * 1024);
}

TEST_CASE("h1 client: the time for each response is counted from the end of its request") {
  ClientBench bench;
  bench.ask();
  bench.advance(59'999);
  bench.say(hello);
  bench.ask(ClientBench::post(BodyFraming::length, 1));
  bench.take();
  bench.advance(100'000);
  CHECK(bench.client->write_body("a") == Flow::go);
  bench.client->end_request();
  bench.advance(59'999);
  bench.say("HTTP/1.1 102 x\r\n\r\n");  // an interim response is not the response
  CHECK(bench.take() == "interim 102");
  bench.advance(1);
  CHECK(bench.take() == "fails late");
  CHECK(bench.log == "it took too long to respond");
}

TEST_CASE("h1 client: a server that falls silent within a response") {
  ClientBench bench;
  begin_body(bench, base::concat(with_length, "abc"));
  bench.advance(200'000);
  bench.say("d");
  bench.advance(299'999);
  CHECK(bench.take() == "piece d");
  bench.advance(1);
  CHECK(bench.take() == "fails cut");
}

TEST_CASE("h1 client: silence counts from the moment when its receiver wants more again") {
  ClientBench bench;
  begin_body(bench, base::concat(with_length, "abc"), Flow::hold);
  bench.advance(300'000);
  bench.advance(290'000);
  CHECK(bench.stage() == "body");
  bench.client->resume_response();
  bench.link.run();
  bench.advance(299'999);
  CHECK(bench.stage() == "body");
  bench.advance(1);
  CHECK(bench.take() == "fails cut");
}

// ---- From one request to the next ----

TEST_CASE("h1 client: bytes behind a response are not passed on, and end the connection") {
  for (const std::string& response :
       {std::string(hello), base::concat(in_chunks, "0\r\n\r\n"), std::string("HTTP/1.1 204 x\r\n\r\n")}) {
    ClientBench bench;
    bench.ask();
    bench.say(response + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    CHECK(bench.take().ends_with("ends, idle, idle_ended"));
    CHECK(bench.stage() == "gone");
  }
}

TEST_CASE("h1 client: a connection on which bytes have come already is not usable") {
  for (const bool ends : {true, false}) {
    ClientBench bench;
    CHECK(bench.client->usable());
    if (ends) bench.link.arrive_end();
    else bench.link.arrive("HTTP/1.1 408 x\r\n\r\n");
    CHECK_FALSE(bench.client->usable());
    bench.link.run();
    CHECK(bench.take().ends_with("idle_ended"));
    CHECK(bench.stage() == "gone");
  }
}

TEST_CASE("h1 client: after a response before the end of its request, none follows on the connection") {
  ClientBench bench;
  bench.ask(ClientBench::post(BodyFraming::length, 10));
  CHECK(bench.client->write_body("abc") == Flow::go);
  bench.take();
  bench.say(hello);
  CHECK(bench.take() == "begins 200 5, piece hello, ends");
  CHECK(bench.stage() == "gone");
}

TEST_CASE("h1 client: both bodies under way at once") {
  ClientBench bench;
  bench.ask(ClientBench::post(BodyFraming::length, 4));
  CHECK(bench.client->write_body("ab") == Flow::go);
  bench.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nAB");
  bench.client->write_body("cd");
  bench.client->end_request();
  bench.link.run();
  CHECK(bench.link.take().ends_with("\r\n\r\nabcd"));
  bench.say("CD");
  CHECK(bench.take().ends_with("begins 200 4, piece ABCD, ends, idle"));
}

TEST_CASE("h1 client: it is idle for a while, counted anew after each request, or not at all if its owner has enough") {
  ClientBench bench;
  CHECK(bench.client->has_waited());
  bench.advance(29'999);
  bench.ask();
  bench.say(hello);
  bench.advance(29'999);
  CHECK(bench.stage() == "idle");
  bench.take();
  bench.advance(1);
  CHECK(bench.take() == "idle_ended");
  CHECK(bench.stage() == "gone");
  ClientBench full;
  full.ask();
  full.take();
  full.keeps = false;
  full.say(hello);
  CHECK(full.take() == hello_told);
  CHECK(full.stage() == "gone");
}

TEST_CASE("h1 client: a connection was used up to the moment at which the server had said it would close it") {
  struct Case {
    std::string_view says;
    std::int64_t kept;  // milliseconds
  };
  for (const Case& one : {Case{"Keep-Alive: timeout=5, max=100\r\n", 4'000}, Case{"Keep-Alive: timeout=2\r\n", 1'000},
                          Case{"Keep-Alive: timeout=31\r\n", 30'000}, Case{"Keep-Alive: timeout=18446744073709551615\r\n", 30'000},
                          Case{"Keep-Alive: max=5\r\n", 30'000}}) {
    CAPTURE(one.says);
    ClientBench bench;
    bench.ask();
    bench.say(base::concat("HTTP/1.1 200 OK\r\n", one.says, "Content-Length: 0\r\n\r\n"));
    bench.advance(one.kept - 1);
    CHECK(bench.stage() == "idle");
    bench.advance(1);
    CHECK(bench.stage() == "gone");
  }
  for (const std::string_view says : {"Keep-Alive: timeout=0\r\n", "Keep-Alive: timeout=1\r\n"}) {
    ClientBench bench;
    bench.ask();
    bench.take();
    bench.say(base::concat("HTTP/1.1 200 OK\r\n", says, "Content-Length: 0\r\n\r\n"));
    CHECK(bench.take() == "begins 200 0, ends");
    CHECK(bench.stage() == "gone");
  }
  ClientBench bench;  // each response says it anew
  bench.ask();
  bench.say("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n");
  bench.ask();
  bench.say(hello);
  bench.advance(29'999);
  CHECK(bench.stage() == "idle");
}

TEST_CASE("h1 client: the server stops while a response is under way") {
  ClientBench bench;
  begin_body(bench, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
  bench.link.server_stops();
  bench.link.run();
  CHECK(bench.stage() == "body");
  bench.say("lo");
  CHECK(bench.take() == "piece lo, ends");
  CHECK(bench.stage() == "gone");
}

TEST_CASE("h1 client: its owner hears of the end of a client that it was asked to keep, and of no other") {
  ClientBench never_started;
  never_started.take();
  {
    session::MemoryLink link(never_started.pool, never_started.output_limits, never_started.now);
    link.abort();
    link.open(never_started.another(link));
  }
  CHECK(never_started.take().empty());
  ClientBench within_the_end;
  begin_body(within_the_end, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
  within_the_end.within = [&within_the_end] {
    if (within_the_end.ends == 0) return;
    CHECK(within_the_end.stage() == "free");
    throw std::bad_alloc();
  };
  within_the_end.say("lo");
  CHECK(within_the_end.take() == "piece lo, ends");
  CHECK(within_the_end.stage() == "gone");
}
