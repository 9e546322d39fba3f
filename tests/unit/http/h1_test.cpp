#include "http/h1.h"

#include <doctest/doctest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "unit/http/h1_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using Requests = std::vector<std::string>;

std::string no_date(std::string head) {
  const std::size_t at = head.find("Date: ");
  if (at != head.npos) head.erase(at, head.find("\r\n", at) + 2 - at);
  return head;
}

}  // namespace

TEST_CASE("h1: a response has status, date, the handler's fields and its length") {
  H1Bench bench;
  bench.link.receive(get("/a"));
  std::string bytes = bench.link.take();
  CHECK(no_date(bytes) == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 7\r\n\r\nGET /a\n");
  CHECK(no_date(bytes).size() == bytes.size() - 37);  // "Date: " with its 29 characters
  CHECK(bench.link.write_calls() == 1);
}

TEST_CASE("h1: keep-alive: one request after the other on the same link") {
  H1Bench bench;
  for (int i = 0; i < 50; ++i) {
    bench.link.receive(get("/" + std::to_string(i)));
    const auto all = answers(bench.link.take());
    REQUIRE(all.size() == 1);
    CHECK(all[0].body == "GET /" + std::to_string(i) + "\n");
    CHECK_FALSE(bench.link.closed());
  }
}

TEST_CASE("h1: pipelined requests get their responses in order and in one write, wherever they are cut") {
  std::string requests;
  for (int i = 0; i < 5; ++i) requests += get("/" + std::to_string(i));
  for (std::size_t cut = 0; cut <= requests.size(); ++cut) {
    H1Bench bench;
    bench.link.receive(requests.substr(0, cut));
    bench.link.receive(requests.substr(cut));
    const auto all = answers(bench.link.take());
    REQUIRE(all.size() == 5);
    for (int i = 0; i < 5; ++i) CHECK(all[static_cast<std::size_t>(i)].body == "GET /" + std::to_string(i) + "\n");
    CHECK(bench.link.write_calls() <= 2);
  }
}

TEST_CASE("h1: a response that takes longer holds the requests behind it") {
  H1Bench bench;
  session::Exchange* waiting = nullptr;
  bench.handler.answer = [&waiting](session::Exchange& exchange) { waiting = &exchange; };
  bench.link.receive(get("/slow") + get("/next"));
  CHECK(bench.handler.requests == Requests{"GET /slow"});
  CHECK_FALSE(bench.link.reading());
  bench.link.receive(get("/third"));
  bench.advance(29'999);
  CHECK_FALSE(bench.link.closed());
  bench.handler.answer = nullptr;
  waiting->respond(session::text_response(200, "at last"));
  bench.link.run();
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 3);
  CHECK(all[0].body == "at last\n");
  CHECK(all[1].body == "GET /next\n");
  CHECK(all[2].body == "GET /third\n");
}

TEST_CASE("h1: HEAD gets the head of the response and no body, from a text and from a source") {
  H1Bench bench;
  bench.link.receive("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n");
  bench.handler.answer = [](session::Exchange& exchange) { exchange.respond(sourced(std::make_unique<Source>(100'000))); };
  bench.link.receive("HEAD /b HTTP/1.1\r\nHost: a\r\n\r\n");
  std::string bytes = bench.link.take();
  CHECK(take_answer(bytes, "HEAD").has("Content-Length: 8"));
  CHECK(take_answer(bytes, "HEAD").has("Content-Length: 100000"));
  CHECK(bytes.empty());
  CHECK_FALSE(bench.link.closed());
}

TEST_CASE("h1: HTTP/1.0 closes after the response unless asked to keep the connection") {
  H1Bench closes;
  closes.link.receive("GET / HTTP/1.0\r\n\r\n");
  const auto last = answers(closes.link.take());
  REQUIRE(last.size() == 1);
  CHECK(last[0].has("Connection: close"));
  CHECK(closes.link.closed());
  H1Bench stays;
  stays.link.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto first = answers(stays.link.take());
  REQUIRE(first.size() == 1);
  CHECK(first[0].has("Connection: keep-alive"));
  CHECK_FALSE(stays.link.closed());
}

TEST_CASE("h1: Connection: close ends the link after the response, and later bytes are ignored") {
  H1Bench bench;
  bench.link.receive("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get("/b"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.handler.requests == Requests{"GET /a"});
  CHECK(bench.link.closed());
}

TEST_CASE("h1: a bad head gets its status, and the link ends") {
  H1Bench bench;
  bench.link.receive(get("/good") + "GET / HTTP/1.1\r\nHost : a\r\n\r\n" + get("/after"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 2);
  CHECK(all[0].status == 200);
  CHECK(all[1].status == 400);
  CHECK(all[1].has("Connection: close"));
  CHECK(bench.handler.requests == Requests{"GET /good"});
  CHECK(bench.link.closed());
}

TEST_CASE("h1: an unknown expectation is 417, and the connection ends (RFC 9110 section 10.1.1)") {
  H1Bench bench;
  bench.link.receive("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: the-unexpected\r\n\r\n");
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].status == 417);
  CHECK(bench.link.closed());
  CHECK(bench.handler.requests.empty());
}

TEST_CASE("h1: 417 has no content in response to HEAD (RFC 9110 section 9.3.2)") {
  H1Bench bench;
  bench.link.receive("HEAD /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: the-unexpected\r\n\r\n");
  std::string bytes = bench.link.take();
  CHECK(bytes.ends_with("\r\n\r\n"));
  const Answer answer = take_answer(bytes, "HEAD");
  CHECK(answer.status == 417);
  CHECK(answer.has("Connection: close"));
  CHECK(bytes.empty());
  CHECK(bench.link.closed());
  CHECK(bench.handler.requests.empty());
}

TEST_CASE("h1: fields whose value has a control character other than tab are left out (RFC 9110 section 5.5)") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const bool allowed = (c >= 0x20 && c != 0x7F) || c == '\t';
    const std::string value = "a" + std::string(1, static_cast<char>(c)) + "b";
    H1Bench bench;
    bench.handler.answer = [&value](session::Exchange& exchange) {
      session::Response response = session::text_response(200, "x");
      response.fields.emplace_back("X-Some", value);
      response.fields.emplace_back("X-Good", "c");
      exchange.respond(std::move(response));
    };
    bench.link.receive(get("/"));
    const auto all = answers(bench.link.take());
    REQUIRE(all.size() == 1);
    CHECK(all[0].has("X-Some: " + value) == allowed);
    CHECK((all[0].head.find("X-Some") != std::string::npos) == allowed);
    CHECK(all[0].has("X-Good: c"));
  }
}

TEST_CASE("h1: fields that would split the response are left out") {
  H1Bench bench;
  bench.handler.answer = [](session::Exchange& exchange) {
    session::Response response = session::text_response(200, "x");
    response.fields.emplace_back("X-Bad", "a\r\nSet-Cookie: b");
    response.fields.emplace_back("X-Good", "c");
    exchange.respond(std::move(response));
  };
  bench.link.receive(get("/"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].head.find("Set-Cookie") == std::string::npos);
  CHECK(all[0].has("X-Good: c"));
}

TEST_CASE("h1: the Date of a response that has its own stays, and is the only one (RFC 9110 section 6.6.1)") {
  for (const std::string_view name : {"Date", "date", "DATE"}) {
    H1Bench bench;
    bench.handler.answer = [name](session::Exchange& exchange) {
      session::Response response = session::text_response(200, "x");
      response.fields.emplace_back(name, "Sun, 06 Nov 1994 08:49:37 GMT");
      exchange.respond(std::move(response));
    };
    bench.link.receive(get("/"));
    const auto all = answers(bench.link.take());
    REQUIRE(all.size() == 1);
    CHECK(all[0].has(std::string(name) + ": Sun, 06 Nov 1994 08:49:37 GMT"));
    CHECK(no_date(all[0].head).find("Date: ") == std::string::npos);
    CHECK((name == "Date" || all[0].head.find("Date: ") == std::string::npos));
  }
}

TEST_CASE("h1: responses of 204 have no length") {
  H1Bench bench;
  bench.handler.answer = [](session::Exchange& exchange) {
    session::Response response;
    response.status = 204;
    exchange.respond(std::move(response));
  };
  bench.link.receive(get("/") + get("/"));
  CHECK(bench.link.take().find("Content-Length") == std::string::npos);
  CHECK(bench.handler.requests.size() == 2);
}

TEST_CASE("h1: a head without a limit may come in pieces") {
  session::HttpLimits unlimited;
  unlimited.head.head = std::numeric_limits<std::size_t>::max();
  for (const std::size_t size : {1U, 2U, 3U, 4U, 5U}) {
    CAPTURE(size);
    H1Bench bench(unlimited);
    const std::string bytes = get("/a") + get("/b");
    for (std::size_t at = 0; at < bytes.size(); at += size) bench.link.receive(bytes.substr(at, size));
    CHECK(bench.handler.requests == Requests{"GET /a", "GET /b"});
    CHECK(answers(bench.link.take()).size() == 2);
  }
}

// ---- Deadlines ----

TEST_CASE("h1: a connection that sends nothing is closed after 10 seconds, without a word") {
  H1Bench bench;
  bench.advance(9'999);
  CHECK_FALSE(bench.link.closed());
  bench.advance(1);
  CHECK(bench.link.closed());
  CHECK(bench.link.take().empty());
}

TEST_CASE("h1: a head that takes longer than 10 seconds is 408, even if bytes keep coming (RFC 9110 section 15.5.9)") {
  H1Bench bench;
  const std::string slow = "GET / HTTP/1.1\r\nX-Slow: " + std::string(100, 'x');
  for (int i = 0; i < 9; ++i) {
    bench.link.receive(slow.substr(static_cast<std::size_t>(i) * 5, 5));
    bench.advance(1'000);
  }
  bench.advance(999);
  CHECK_FALSE(bench.link.closed());
  bench.advance(1);
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].status == 408);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.link.closed());
  CHECK(bench.handler.requests.empty());
}

TEST_CASE("h1: the first head has 10 seconds from the beginning of the connection, whenever its first byte comes") {
  H1Bench bench;
  bench.advance(5'000);
  bench.link.receive("GET ");
  bench.advance(4'999);
  CHECK(bench.link.take().empty());
  bench.advance(1);
  CHECK(answers(bench.link.take()).at(0).status == 408);
}

TEST_CASE("h1: between requests a link may rest for 75 seconds, so that a balancer with 60 ends it first") {
  H1Bench bench;
  bench.link.receive(get("/a"));
  bench.link.take();
  bench.advance(74'999);
  CHECK_FALSE(bench.link.closed());
  bench.link.receive(get("/b"));
  CHECK(answers(bench.link.take()).size() == 1);
  bench.advance(74'999);
  CHECK_FALSE(bench.link.closed());
  bench.advance(1);
  CHECK(bench.link.closed());
  CHECK(bench.link.take().empty());
}

TEST_CASE("h1: the head of a later request has 10 seconds too") {
  H1Bench bench;
  bench.link.receive(get("/a"));
  bench.link.take();
  bench.advance(30'000);
  bench.link.receive("GET ");
  bench.advance(9'999);
  CHECK_FALSE(bench.link.closed());
  bench.advance(1);
  CHECK(answers(bench.link.take()).at(0).status == 408);
}

TEST_CASE("h1: an empty line behind a request was taken for the begin of another, which got 408 (RFC 9112 section 2.2)") {
  for (const std::string_view line : {"\r\n", "\r"}) {
    H1Bench bench;
    bench.link.receive(get("/a") + std::string(line));
    bench.link.take();
    CHECK(bench.link.is_idle());
    bench.advance(74'999);
    CHECK_FALSE(bench.link.closed());
    bench.advance(1);
    CHECK(bench.link.closed());
    CHECK(bench.link.take().empty());
    H1Bench next;
    next.link.receive(get("/a") + "\r\n");
    next.advance(30'000);
    next.link.receive("G");
    CHECK_FALSE(next.link.is_idle());
    next.link.take();
    next.advance(10'000);
    CHECK(answers(next.link.take()).at(0).status == 408);
  }
}

TEST_CASE("h1: a peer that still reads its response is not idle") {
  H1Bench bench;
  bench.link.set_window(10);
  bench.link.receive(get("/a"));
  bench.advance(75'000);
  CHECK_FALSE(bench.link.closed());
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  CHECK_FALSE(bench.link.closed());
  bench.advance(75'000);
  CHECK(bench.link.closed());
}

// ---- Output ----

TEST_CASE("h1: a body from a source is pulled as the peer takes it") {
  H1Bench bench;
  bench.handler.answer = [](session::Exchange& exchange) { exchange.respond(sourced(std::make_unique<Source>(1'000'000))); };
  bench.link.set_window(0);
  bench.link.receive(get("/big") + get("/next"));
  CHECK(bench.link.out().size() <= bench.limits.high_water + 1000);
  std::string bytes;
  bench.handler.answer = nullptr;
  for (int i = 0; i < 2000 && bench.handler.requests.size() < 2; ++i) {
    bench.link.set_window(5'000);
    bench.link.run();
    CHECK(bench.link.out().size() <= bench.limits.high_water + 1000);
    bytes += bench.link.take();
  }
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  bytes += bench.link.take();
  const auto all = answers(bytes);
  REQUIRE(all.size() == 2);
  CHECK(all[0].body == std::string(1'000'000, 'b'));
  CHECK(all[1].body == "GET /next\n");
}

TEST_CASE("h1: a source that runs short breaks the connection, for the length was promised") {
  for (const std::size_t available : {std::size_t{0}, std::size_t{150'000}}) {
    H1Bench bench;
    bench.handler.answer = [available](session::Exchange& exchange) {
      exchange.respond(sourced(std::make_unique<Source>(200'000, available)));
    };
    bench.link.receive(get("/big"));
    bench.link.run();
    CHECK(bench.link.was_aborted());
    CHECK(bench.link.take().size() < 200'000);
  }
}

TEST_CASE("h1: a peer that sends requests and does not read the responses is held, and goes on when it reads") {
  H1Bench bench;
  bench.link.set_window(0);
  std::string requests;
  for (int i = 0; i < 5'000; ++i) requests += get("/" + std::to_string(i));
  bench.link.receive(requests);
  CHECK_FALSE(bench.link.reading());
  CHECK(bench.link.out().size() <= bench.limits.high_water + 1'000);
  const std::size_t before = bench.handler.requests.size();
  CHECK(before < 1'000);
  bench.advance(3'000);
  CHECK(bench.handler.requests.size() == before);

  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 5'000);
  CHECK(all.back().body == "GET /4999\n");
  CHECK(bench.link.reading());
}

TEST_CASE("h1: of requests that arrive together, 16 are served in each turn") {
  H1Bench bench;
  std::map<std::size_t, int> by_turn;  // each turn ends with a write
  bench.handler.answer = [&](session::Exchange& exchange) {
    ++by_turn[bench.link.write_calls()];
    exchange.respond(session::text_response(200, bench.handler.requests.back()));
  };
  std::string requests;
  for (int i = 0; i < 4'000; ++i) requests += get("/" + std::to_string(i));
  bench.link.receive(requests);
  CHECK(by_turn.size() >= 250);
  for (const auto& [turn, count] : by_turn) CHECK(count <= 16);
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 4'000);
  for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i].body == "GET /" + std::to_string(i) + "\n");
  CHECK(bench.link.reading());
}

// ---- The end ----

TEST_CASE("h1: when the peer ends, requests that it has sent are served first") {
  H1Bench bench;
  bench.link.receive(get("/a") + get("/b"));
  bench.link.receive_end();
  CHECK(answers(bench.link.take()).size() == 2);
  CHECK(bench.link.closed());
}

TEST_CASE("h1: a peer that ends while its response is being made still gets it") {
  H1Bench bench;
  session::Exchange* waiting = nullptr;
  bench.handler.answer = [&waiting](session::Exchange& exchange) { waiting = &exchange; };
  bench.link.receive(get("/slow"));
  bench.link.receive_end();
  CHECK_FALSE(bench.link.closed());
  waiting->respond(session::text_response(200, "at last"));
  bench.link.run();
  bench.link.run();
  CHECK(answers(bench.link.take()).size() == 1);
  CHECK(bench.link.closed());
}

TEST_CASE("h1: a head that the end of input cuts off is no request (RFC 9112 section 8)") {
  H1Bench bench;
  bench.link.receive("GET / HTTP/1.1\r\nHost: a\r\n");
  bench.link.receive_end();
  CHECK(bench.handler.requests.empty());
  CHECK(bench.link.closed());
}

TEST_CASE("h1: a stop ends an idle link at once, and one in the middle of a response after it") {
  H1Bench idle;
  idle.link.receive(get("/a"));
  idle.link.server_stops();
  CHECK(idle.link.closed());

  H1Bench busy;
  busy.handler.answer = [](session::Exchange& exchange) { exchange.respond(sourced(std::make_unique<Source>(300'000))); };
  busy.link.set_window(1'000);
  busy.link.receive(get("/big") + get("/not-begun"));
  busy.link.server_stops();
  CHECK_FALSE(busy.link.closed());
  busy.link.set_window(session::MemoryLink::unlimited);
  busy.link.run();
  const auto all = answers(busy.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].body.size() == 300'000);
  CHECK(busy.handler.requests == Requests{"GET /big"});
  CHECK(busy.link.closed());
}

TEST_CASE("h1: a response that begins after the stop says that it is the last") {
  H1Bench bench;
  session::Exchange* waiting = nullptr;
  bench.handler.answer = [&waiting](session::Exchange& exchange) { waiting = &exchange; };
  bench.link.receive(get("/slow"));
  bench.link.server_stops();
  waiting->respond(session::text_response(200, "at last"));
  bench.link.run();
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.link.closed());
}
