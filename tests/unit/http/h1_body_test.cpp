#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/h1.h"
#include "unit/http/h1_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;

/// Reads the body and writes down what comes; then responds with it, or does what the test says.
struct Reader final : session::Responder {
  Reader(session::Exchange& of, std::vector<std::string>& into) : exchange(of), story(into) {}
  void body(std::string_view piece) override {
    text += piece;
    if (on_piece) on_piece(*this);
  }
  void body_end() override {
    story.push_back("body " + text);
    if (answers) exchange.respond(session::text_response(200, text));
  }
  void ended(const session::ExchangeEnd& end) override {
    story.push_back("ended " + std::to_string(end.status) + (end.complete ? " complete" : " cut"));
  }

  session::Exchange& exchange;
  std::vector<std::string>& story;
  std::string text;
  bool answers = true;
  std::function<void(Reader&)> on_piece;
};

struct BodyBench : H1Bench {
  explicit BodyBench(const session::HttpLimits& http = {}) : H1Bench(http) {
    handler.answer = [this](session::Exchange& exchange) {
      auto made = std::make_unique<Reader>(exchange, story);
      reader = made.get();
      reader->on_piece = on_piece;
      exchange.set_responder(std::move(made));
      exchange.read_body();
    };
  }
  ~BodyBench() {  // while the reader's target still exists
    link.abort();
    link.run();
  }
  BodyBench(const BodyBench&) = delete;
  BodyBench& operator=(const BodyBench&) = delete;

  std::vector<std::string> story;
  std::function<void(Reader&)> on_piece;
  Reader* reader = nullptr;
};

using Story = std::vector<std::string>;

std::string post(std::string_view fields, std::string_view body) {
  return "POST /a HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace

TEST_CASE("h1 bodies: of a known length and in chunks, at every split, and the next request behind it") {
  const std::string next = get("/b");
  for (const std::string& request :
       {post("Content-Length: 5\r\n", "hello"), post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
        post("Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n")}) {
    const std::string all_bytes = request + next;
    for (std::size_t cut = 0; cut <= all_bytes.size(); ++cut) {
      CAPTURE(cut);
      BodyBench bench;
      bench.link.receive(all_bytes.substr(0, cut));
      bench.link.receive(all_bytes.substr(cut));
      const auto all = answers(bench.link.take());
      REQUIRE(all.size() == 2);
      CHECK(all[0].body == "hello\n");
      CHECK(all[1].body == "\n");
      CHECK(bench.story == Story{"body hello", "ended 200 complete", "body ", "ended 200 complete"});
      CHECK_FALSE(bench.link.closed());
    }
  }
}

TEST_CASE("h1 bodies: a client that waits for 100 is told to go on once, when the body is asked for") {
  BodyBench bench;
  bench.link.receive(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
  CHECK(bench.link.take() == "HTTP/1.1 100 Continue\r\n\r\n");
  bench.link.receive("h");
  CHECK(bench.link.take().empty());
  bench.link.receive("i");
  CHECK(answers(bench.link.take())[0].body == "hi\n");

  BodyBench quick;  // the body came along: nobody waits
  quick.link.receive(post("Content-Length: 2\r\nexpect: 100-Continue\r\n", "hi"));
  CHECK(quick.link.take().find("hi\n") != std::string::npos);
}

TEST_CASE("h1 bodies: a body that came along with its head, whole or in part, gets no 100 (RFC 9110 section 10.1.1)") {
  const std::string length = post("Content-Length: 2\r\nExpect: 100-continue\r\n", "hi");
  const std::string chunks = post("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", "2\r\nhi\r\n0\r\n\r\n");
  for (const std::string& request : {length, chunks}) {
    const std::size_t head = request.find("\r\n\r\n") + 4;
    for (std::size_t cut = 1; cut <= request.size(); ++cut) {
      CAPTURE(cut);
      BodyBench bench;
      bench.link.receive(request.substr(0, cut));
      bench.link.receive(request.substr(cut));
      const std::string told = bench.link.take();
      CHECK((told.find("100 Continue") != std::string::npos) == (cut == head));
      CHECK(told.find("hi\n") != std::string::npos);
      CHECK_FALSE(bench.link.closed());
    }
  }
}

TEST_CASE("h1 bodies: one that arrived while the handler thought about it gets no 100") {
  BodyBench bench;
  bench.handler.answer = [&bench](session::Exchange& exchange) {
    auto made = std::make_unique<Reader>(exchange, bench.story);
    bench.reader = made.get();
    exchange.set_responder(std::move(made));
  };
  bench.link.receive(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
  bench.link.receive("hi");
  bench.reader->exchange.read_body();
  bench.link.run();
  CHECK(answers(bench.link.take()).at(0).body == "hi\n");
}

TEST_CASE("h1 bodies: the 100 to a request behind another one follows the response to that (RFC 9112 section 9.3.2)") {
  BodyBench bench;
  session::Exchange* first = nullptr;
  const auto reads = bench.handler.answer;
  bench.handler.answer = [&](session::Exchange& exchange) {
    if (exchange.request().method == "POST") return reads(exchange);
    first = &exchange;
    auto made = std::make_unique<Reader>(exchange, bench.story);
    made->answers = false;
    exchange.set_responder(std::move(made));
  };
  bench.link.receive(get("/slow") + post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
  CHECK(bench.link.take().empty());
  first->respond(session::text_response(200, "slow"));
  bench.link.run();
  CHECK(bench.link.take().ends_with("\r\n\r\nslow\nHTTP/1.1 100 Continue\r\n\r\n"));
}

TEST_CASE("h1 bodies: the body and the end of input that come while a request waits are there when it goes on") {
  for (const std::string_view expects : {"", "Expect: 100-continue\r\n"}) {
    BodyBench bench;
    session::Exchange* waiting = nullptr;
    const auto reads = bench.handler.answer;
    bench.handler.answer = [&](session::Exchange& exchange) {
      waiting = &exchange;
      exchange.suspend(std::make_unique<ScriptedVisit>(reads));
    };
    bench.link.receive(post(base::concat("Content-Length: 2\r\n", expects), ""));
    bench.link.receive("hi");
    bench.link.receive_end();
    CHECK(bench.link.take().empty());
    waiting->resume();
    bench.link.run();
    CHECK(answers(bench.link.take()).at(0).body == "hi\n");
    CHECK(bench.link.closed());
  }
}

TEST_CASE("h1 bodies: a response begun before a long body that nobody reads says that it ends the connection") {
  BodyBench bench;
  bench.handler.answer = [&bench](session::Exchange& exchange) {
    exchange.set_responder(std::make_unique<Reader>(exchange, bench.story));
    exchange.begin(session::text_response(200, ""), 2);
    exchange.write("no");
    exchange.end();
  };
  bench.link.receive(post("Content-Length: 65537\r\n", ""));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.link.closed());

  BodyBench short_enough;
  short_enough.handler.answer = bench.handler.answer;
  short_enough.link.receive(post("Content-Length: 65536\r\n", ""));
  CHECK_FALSE(answers(short_enough.link.take()).at(0).has("Connection: close"));
  CHECK_FALSE(short_enough.link.closed());
}

TEST_CASE("h1 bodies: a response begun while a long body is read leaves the connection to the next request") {
  BodyBench bench;
  session::Exchange* answered = nullptr;
  bench.handler.answer = [&](session::Exchange& exchange) {
    exchange.set_responder(std::make_unique<Reader>(exchange, bench.story));
    exchange.read_body();
    exchange.begin(session::text_response(200, ""), 2);
    answered = &exchange;
  };
  bench.link.receive(post("Content-Length: 200000\r\n", ""));
  for (int part = 0; part < 4; ++part) bench.link.receive(std::string(50'000, 'x'));
  REQUIRE(answered != nullptr);
  answered->write("ok");
  answered->end();
  bench.link.run();
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK_FALSE(all[0].has("Connection: close"));
  CHECK_FALSE(bench.link.closed());
}

TEST_CASE("h1 bodies: every expectation counts, in one line or in several (RFC 9110 section 10.1.1)") {
  for (const std::string_view fields :
       {"Expect: 100-continue, other\r\n", "Expect: other, 100-continue\r\n", "Expect: 100-continue\r\nExpect: other\r\n",
        "Expect: other\r\nExpect: 100-continue\r\n", "Expect:\r\nexpect: other\r\n"}) {
    CAPTURE(fields);
    BodyBench bench;
    bench.link.receive(post("Content-Length: 2\r\n" + std::string(fields), "hi"));
    const auto all = answers(bench.link.take());
    REQUIRE(all.size() == 1);
    CHECK(all[0].status == 417);
    CHECK(bench.link.closed());
    CHECK(bench.handler.requests.empty());
  }
  for (const std::string_view fields : {"Expect: 100-continue, 100-continue\r\n", "Expect: , 100-Continue ,\r\n",
                                        "Expect:\r\nExpect: 100-continue\r\n", "Expect: 100-continue\r\nExpect:\r\n"}) {
    CAPTURE(fields);
    BodyBench bench;
    bench.link.receive(post("Content-Length: 2\r\n" + std::string(fields), ""));
    CHECK(bench.link.take() == "HTTP/1.1 100 Continue\r\n\r\n");
  }
}

TEST_CASE("h1 bodies: a request with an empty Expect gets no 100") {
  for (const std::string_view fields : {"Expect:\r\n", "Expect: \r\n", "Expect: ,\r\n", "Expect:\r\nExpect:\r\n"}) {
    CAPTURE(fields);
    BodyBench bench;
    bench.link.receive(post("Content-Length: 2\r\n" + std::string(fields), ""));
    CHECK(bench.link.take().empty());
    bench.link.receive("hi");
    CHECK(answers(bench.link.take()).at(0).body == "hi\n");
    CHECK_FALSE(bench.link.closed());

    H1Bench refusing;  // after a response before the body came, the connection goes on
    refusing.link.receive(post("Content-Length: 2\r\n" + std::string(fields), ""));
    CHECK_FALSE(answers(refusing.link.take()).at(0).has("Connection: close"));
    refusing.link.receive("hi" + get("/b"));
    CHECK(answers(refusing.link.take()).at(0).body == "GET /b\n");
  }
}

TEST_CASE("h1 bodies: what a client of HTTP/1.0 expects is not looked at (RFC 9110 section 10.1.1)") {
  for (const std::string_view expectation : {"100-continue", "more"}) {
    CAPTURE(expectation);
    BodyBench bench;
    bench.link.receive("POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: " + std::string(expectation) + "\r\n\r\n");
    CHECK(bench.link.take().empty());
    bench.link.receive("hi");
    CHECK(answers(bench.link.take()).at(0).body == "hi\n");
  }
}

TEST_CASE("h1 bodies: refused before it was sent, the connection ends, since the client may send it all the same") {
  H1Bench bench;
  bench.link.receive(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.link.closed());
}

TEST_CASE("h1 bodies: a short body that nobody wants is dropped, and the next request gets its response") {
  for (const std::string& request :
       {post("Content-Length: 5\r\n", "hello"), post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")}) {
    const std::string bytes = request + get("/b");
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      H1Bench bench;
      bench.link.receive(bytes.substr(0, cut));
      bench.link.receive(bytes.substr(cut));
      CHECK(bench.handler.requests == std::vector<std::string>{"POST /a", "GET /b"});
      CHECK_FALSE(bench.link.closed());
    }
  }
}

TEST_CASE("h1 bodies: a stop does not wait for the rest of a body that nobody wants") {
  H1Bench bench;
  bench.link.receive(post("Content-Length: 5\r\n", "he"));
  REQUIRE_FALSE(bench.link.closed());
  bench.link.server_stops();
  CHECK(bench.link.closed());
  CHECK(answers(bench.link.take()).size() == 1);
}

TEST_CASE("h1 bodies: a long body that nobody wants ends the connection after the response") {
  H1Bench bench;
  bench.link.receive(post("Content-Length: 65537\r\n", "hello"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].has("Connection: close"));
  CHECK(bench.link.closed());

  H1Bench exact;
  exact.link.receive(post("Content-Length: 65536\r\n", std::string(65536, 'x') + get("/b")));
  CHECK(exact.handler.requests == std::vector<std::string>{"POST /a", "GET /b"});

  H1Bench chunks;  // how long it is shows only as it comes
  chunks.link.receive(post("Transfer-Encoding: chunked\r\n", "10001\r\n" + std::string(65537, 'x') + "\r\n0\r\n\r\n" + get("/b")));
  CHECK(chunks.handler.requests == std::vector<std::string>{"POST /a"});
  CHECK(chunks.link.closed());
}

TEST_CASE("h1 bodies: bytes behind a broken body are never taken for a request") {
  H1Bench dropping;
  dropping.link.receive(post("Transfer-Encoding: chunked\r\n", "5\r\nhelloX" + get("/smuggled")));
  CHECK(dropping.handler.requests == std::vector<std::string>{"POST /a"});
  CHECK(dropping.link.closed());

  BodyBench reading;
  reading.link.receive(post("Transfer-Encoding: chunked\r\n", "-5\r\nhello" + get("/smuggled")));
  const auto all = answers(reading.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].status == 400);
  CHECK(reading.story == Story{"ended 400 complete"});
  CHECK(reading.link.closed());
}

TEST_CASE("h1 bodies: the end of input within a body is 400, for a client that can still read it (RFC 9112 section 8)") {
  BodyBench bench;
  bench.link.receive(post("Content-Length: 5\r\n", "he"));
  bench.link.receive_end();
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].status == 400);
  CHECK(bench.story == Story{"ended 400 complete"});
  CHECK(bench.link.closed());
}

TEST_CASE("h1 bodies: after a half-close behind a whole request, the response still comes") {
  BodyBench bench;
  bench.link.receive(post("Content-Length: 5\r\n", "hello"));
  bench.link.receive_end();
  CHECK(answers(bench.link.take())[0].body == "hello\n");
  CHECK(bench.link.closed());
}

TEST_CASE("h1 bodies: what follows in a body whose responder cut the connection does not count, not even as a fault") {
  BodyBench bench;
  bench.on_piece = [](Reader& reader) { reader.exchange.abort(); };
  bench.link.receive(post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\nno chunk\r\n"));
  CHECK(bench.link.was_aborted());
  CHECK(bench.story == Story{"ended 0 cut"});
}

TEST_CASE("h1 bodies: a responder that pauses gets no more until it resumes") {
  BodyBench bench;
  bench.on_piece = [](Reader& reader) { reader.exchange.pause_body(); };
  bench.link.receive(post("Content-Length: 10\r\n", "hello"));
  CHECK_FALSE(bench.link.reading());
  bench.link.receive("world" + get("/b"));
  CHECK(bench.reader->text == "hello");
  bench.advance(1'000'000);  // it is the responder's time, not the client's
  CHECK_FALSE(bench.link.closed());
  bench.reader->on_piece = nullptr;
  bench.reader->exchange.resume_body();
  bench.link.run();
  CHECK(answers(bench.link.take())[0].body == "helloworld\n");
}

TEST_CASE("h1 bodies: a responder that pauses at the last piece of a known length needs no resume to hear of the end") {
  BodyBench bench;
  bench.on_piece = [](Reader& reader) { reader.exchange.pause_body(); };
  bench.link.receive(post("Content-Length: 5\r\n", "hello") + get("/b"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 2);
  CHECK(all[0].body == "hello\n");
}

TEST_CASE("h1 bodies: 100 leaves by itself, whether the responder takes the body at once or has paused it") {
  for (const bool pauses : {false, true}) {
    CAPTURE(pauses);
    BodyBench bench;
    session::Exchange* asked = nullptr;
    bench.handler.answer = [&](session::Exchange& exchange) {
      asked = &exchange;
      if (pauses) exchange.pause_body();
    };
    bench.link.receive(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
    REQUIRE_FALSE(bench.link.scheduled());
    asked->read_body();
    CHECK(bench.link.scheduled());
    bench.link.run();
    CHECK(bench.link.take() == "HTTP/1.1 100 Continue\r\n\r\n");
  }
}

TEST_CASE("h1 bodies: after a response during the body, the rest is dropped and the next request served") {
  BodyBench bench;
  bench.on_piece = [](Reader& reader) {
    if (reader.text.size() == 2) reader.exchange.respond(session::text_response(403, "enough"));
  };
  bench.link.receive(post("Content-Length: 6\r\n", "he"));
  CHECK(bench.story == Story{"ended 403 complete"});
  bench.link.receive("lloo" + get("/b"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 2);
  CHECK(all[0].status == 403);
  CHECK(all[1].status == 200);
}

TEST_CASE("h1 bodies: a responder that responded from outside hears no more of the body, not even its end") {
  for (const std::string_view more : {"l", "llo"}) {
    CAPTURE(more);
    BodyBench bench;
    bench.link.set_window(0);  // so that the link has no room before the body goes on
    bench.link.receive(post("Content-Length: 5\r\n", "he"));
    bench.reader->exchange.respond(session::text_response(403, std::string(bench.limits.low_water, 'x')));
    bench.link.receive(more);
    CHECK(bench.story.empty());
    CHECK(bench.reader->text == "he");
    bench.advance(25'000);  // the body is not late: it is not read while the client has not taken the response
    CHECK_FALSE(bench.link.closed());
    bench.link.set_window(session::MemoryLink::unlimited);
    bench.link.run();
    CHECK(bench.story == Story{"ended 403 complete"});
    bench.link.receive(std::string("llo").substr(more.size()) + get("/b"));
    const auto all = answers(bench.link.take());
    REQUIRE(all.size() == 2);
    CHECK(all[0].status == 403);
    CHECK(all[1].status == 200);
    CHECK(bench.story == Story{"ended 403 complete", "body ", "ended 200 complete"});
  }
}

TEST_CASE("h1 bodies: when a body has come, its deadline is over, and that of the response begins") {
  BodyBench bench;
  bench.link.receive(post("Content-Length: 5\r\n", "he"));
  bench.reader->answers = false;
  bench.link.receive("llo");
  bench.advance(29'999);
  CHECK(bench.link.take().empty());
  bench.advance(1);
  CHECK(answers(bench.link.take())[0].status == 503);
}

TEST_CASE("h1 bodies: silence within a body is 408, and so is a trickle (RFC 9110 section 15.5.9)") {
  BodyBench silent;
  silent.link.receive(post("Content-Length: 5\r\n", "he"));
  silent.advance(19'999);
  CHECK_FALSE(silent.link.closed());
  silent.advance(1);
  CHECK(answers(silent.link.take())[0].status == 408);
  CHECK(silent.link.closed());

  BodyBench trickle;
  trickle.link.receive(post("Content-Length: 50000\r\n", ""));
  int seconds = 0;
  for (; seconds < 100 && !trickle.link.closed(); ++seconds) {
    trickle.link.receive("x");
    trickle.advance(1'000);
  }
  CHECK(seconds == 21);  // 20 s of grace, and the time that 20 bytes add
  CHECK(answers(trickle.link.take())[0].status == 408);

  BodyBench steady;  // 600 bytes a second is slow, but fast enough
  steady.link.receive(post("Content-Length: 50000\r\n", ""));
  for (int i = 0; i < 80; ++i) {
    steady.link.receive(std::string(600, 'x'));
    steady.advance(1'000);
  }
  CHECK_FALSE(steady.link.closed());

  H1Bench dropped;  // even if nobody reads it
  dropped.link.receive(post("Content-Length: 5\r\n", "he"));
  dropped.advance(20'000);
  CHECK(dropped.link.closed());
}
