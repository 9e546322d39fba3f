#include "protocol/row_exchange.h"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/mailbox.h"
#include "protocol/handles.h"
#include "protocol/services.h"
#include "unit/http/h1_bench.h"
#include "wharf/protocol.hpp"

namespace {

using namespace wharf;
using namespace wharf::test;
using Story = std::vector<std::string>;

/// What the rows below have to do, and did.
struct Script {
  Story story;
  std::function<void(Exchange)> request;
  std::function<void(Exchange, std::string_view)> body;
  std::function<void(Exchange)> body_end;
};
Script* script = nullptr;  // of the test that runs

struct Whole {
  static void request(Exchange exchange) { script->request(exchange); }
};

struct Streamed {
  struct Responder {
    Exchange exchange;
    void request() {
      script->story.emplace_back("request");
      if (script->request) script->request(exchange);
    }
    void body(std::string_view piece) {
      script->story.push_back("body " + std::string(piece));
      if (script->body) script->body(exchange, piece);
    }
    void body_end() {
      script->story.emplace_back("body end");
      if (script->body_end) script->body_end(exchange);
    }
    void drained() { script->story.emplace_back("drained"); }
    void tick() { script->story.emplace_back("tick"); }
    void closing(bool complete) { script->story.emplace_back(complete ? "closing complete" : "closing cut"); }
    ~Responder() { script->story.emplace_back("destroyed"); }
  };
};

/// One row behind an HTTP/1 session.
struct RowBench : H1Bench {
  explicit RowBench(const Protocol& row) {
    script = &told;
    protocol.row = row;
    protocol.http = *row.http;
    handler.answer = [this](session::Exchange& exchange) { session::RowExchange::serve(exchange, protocol, {"/m/", {}}); };
    mailbox.open([] {});
  }
  ~RowBench() {
    link.abort();
    link.run();
    script = nullptr;
  }
  RowBench(const RowBench&) = delete;
  RowBench& operator=(const RowBench&) = delete;

  Answer ask(std::string_view request) {
    link.receive(request);
    std::string bytes = link.take();
    return take_answer(bytes);
  }

  Script told;
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  session::Home home{log, handles, [this] { return now; }};
  session::Protocol protocol{session::service_table(), home};
};

}  // namespace

TEST_CASE("rows: a request with its whole body, and a response at once") {
  RowBench bench(protocol<Whole>("whole"));
  bench.told.request = [](Exchange exchange) {
    CHECK(exchange.method() == "POST");
    CHECK(exchange.path() == "/m/a%20b");
    CHECK(exchange.query() == "c=d");
    CHECK(exchange.request().decoded_path() == "/m/a b");
    CHECK(exchange.request().path_below_mount() == "/a b");
    CHECK(exchange.request().target() == "/m/a%20b?c=d");
    CHECK(exchange.field("host") == "h");
    CHECK_FALSE(exchange.field("none"));
    CHECK(exchange.request().field_at(0)->name == "Host");
    CHECK(exchange.request().field_at(1)->value == "5");
    CHECK_FALSE(exchange.request().field_at(2));
    CHECK_FALSE(exchange.request().tls("version"));
    CHECK_FALSE(exchange.request().user());
    CHECK(exchange.request().address() == "192.0.2.1:4711");
    CHECK(exchange.add_field("X-A", "b"));
    CHECK_FALSE(exchange.add_field("X A", "b"));
    CHECK_FALSE(exchange.add_field("X-B", "b\r\nc"));
    CHECK_FALSE(exchange.add_field("content-length", "1"));
    CHECK(exchange.respond(201, "text/plain", "got " + std::string(exchange.body())) == Flow::go);
    CHECK(exchange.respond(200) == Flow::closed);
    CHECK_FALSE(exchange.add_field("X-C", "late"));
  };
  const std::string request = "POST /m/a%20b?c=d HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    bench.link.receive(request.substr(0, cut));
    const Answer answer = bench.ask(request.substr(cut));
    CHECK(answer.status == 201);
    CHECK(answer.body == "got hello");
    CHECK(answer.has("X-A: b"));
    CHECK(answer.has("Content-Type: text/plain"));
  }
  CHECK(bench.log_lines.size() == request.size() + 1);  // the second responses
}

TEST_CASE("rows: a body beyond the limit is 413, by its length or as it comes, and the row does not see it") {
  RowBench bench(protocol<Whole>("whole").body_limit(4));
  bench.told.request = [](Exchange exchange) { exchange.respond(200); };
  CHECK(bench.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nhell").status == 200);
  CHECK(bench.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").status == 413);
  CHECK(bench.ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").status == 413);
  CHECK(bench.ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n0\r\n\r\n").status == 200);
  RowBench standard(protocol<Whole>("whole"));
  CHECK(standard.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n").status == 413);
}

TEST_CASE("rows: an exception is 500, is logged, and the connection goes on") {
  RowBench bench(protocol<Whole>("whole"));
  bench.told.request = [](Exchange) { throw std::runtime_error("on purpose"); };
  CHECK(bench.ask(get("/")).status == 500);
  REQUIRE(bench.log_lines.size() == 1);
  CHECK(bench.log_lines[0].find("on purpose") != std::string::npos);
  bench.told.request = [](Exchange exchange) {
    exchange.respond(200, "text/plain", "fine");
    throw std::runtime_error("too late");
  };
  CHECK(bench.ask(get("/")).body == "fine");  // it was whole already
  CHECK(bench.log_lines.size() == 2);
  CHECK_FALSE(bench.link.closed());
}

TEST_CASE("rows: a response from another thread, by a handle that knows when the exchange is over") {
  RowBench bench(protocol<Whole>("whole"));
  std::optional<ExchangeHandle<>> handle;
  bench.told.request = [&handle](Exchange exchange) { handle = exchange.handle(); };
  bench.link.receive(get("/"));
  CHECK(bench.link.take().empty());
  CHECK(handle->post([](Exchange exchange) { exchange.respond(200, "text/plain", "later"); }));
  bench.mailbox.run();
  bench.link.run();
  std::string bytes = bench.link.take();
  CHECK(take_answer(bytes).body == "later");
  bool ran = false;
  CHECK(handle->post([&ran](Exchange) { ran = true; }));
  bench.mailbox.run();
  CHECK_FALSE(ran);
}

TEST_CASE("rows: a responder hears of a streamed body and of its own end") {
  RowBench bench(protocol<Streamed>("streamed"));
  bench.told.body_end = [](Exchange exchange) { exchange.respond(200, "text/plain", "done"); };
  CHECK(bench.ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n").body ==
        "done");
  CHECK(bench.told.story == Story{"request", "body he", "body llo", "body end", "closing complete", "destroyed"});
  bench.told.story.clear();
  CHECK(bench.ask(get("/")).body == "done");
  CHECK(bench.told.story == Story{"request", "body end", "closing complete", "destroyed"});
}

TEST_CASE("rows: a responder whose client leaves") {
  RowBench bench(protocol<Streamed>("streamed"));
  bench.link.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  bench.link.abort();
  bench.link.run();
  CHECK(bench.told.story == Story{"request", "body he", "closing cut", "destroyed"});
}

TEST_CASE("rows: refused at its head, a body is not asked for") {
  RowBench bench(protocol<Streamed>("streamed"));
  bench.told.request = [](Exchange exchange) { exchange.respond(403, "text/plain", "no"); };
  CHECK(bench.ask("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").status == 403);
  CHECK(bench.told.story == Story{"request", "closing complete", "destroyed"});
  CHECK(bench.link.closed());
}

TEST_CASE("rows: a field with a control character other than tab in its value is refused (RFC 9110 section 5.5)") {
  RowBench bench(protocol<Whole>("whole"));
  bench.told.request = [](Exchange exchange) {
    for (int c = 0; c < 256; ++c) {
      CAPTURE(c);
      const bool allowed = (c >= 0x20 && c != 0x7F) || c == '\t';
      const std::string value = "a" + std::string(1, static_cast<char>(c)) + "b";
      CHECK(exchange.add_field("X-" + std::to_string(c), value) == allowed);
    }
    CHECK_FALSE(exchange.add_field("X-End", "a\x1B"));
    CHECK(exchange.add_field("X-Empty", ""));
    exchange.respond(200);
  };
  const Answer answer = bench.ask(get("/"));
  CHECK(answer.status == 200);
  CHECK(answer.has("X-9: a\tb"));
  CHECK(
      answer.has("X-255: a\xFF"
                 "b"));
  CHECK(answer.has("X-Empty: "));
  for (const char* name : {"X-0:", "X-8:", "X-10:", "X-13:", "X-31:", "X-127:", "X-End:"})
    CHECK(answer.head.find(name) == std::string::npos);
}

TEST_CASE("rows: behind abort() the responder hears of its end alone") {
  using Ask = void (*)(RowBench&);
  const Ask asks[] = {
      [](RowBench& bench) { bench.link.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get("/")); },
      [](RowBench& bench) {
        bench.link.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
      },
      [](RowBench& bench) { bench.link.receive(get("/") + get("/")); },
  };
  for (const bool begins : {false, true}) {
    const auto cut = [begins](Exchange exchange) {
      if (begins) exchange.begin(200, "text/plain");
      exchange.every(std::chrono::milliseconds(10));
      exchange.abort();
    };
    for (const Ask ask : asks) {
      RowBench bench(protocol<Streamed>("streamed"));
      bench.told.request = cut;
      ask(bench);
      CHECK(bench.told.story == Story{"request", "closing cut", "destroyed"});
      CHECK(bench.link.was_aborted());
    }
    for (const Ask ask : {asks[0], asks[1]}) {
      RowBench bench(protocol<Streamed>("streamed"));
      bench.told.body = [cut](Exchange exchange, std::string_view) { cut(exchange); };
      ask(bench);
      CHECK(bench.told.story == Story{"request", "body hello", "closing cut", "destroyed"});
      CHECK(bench.link.was_aborted());
    }
  }
}

TEST_CASE("rows: after an exception that cut its response the responder hears only of the end") {
  for (const std::string& request : {std::string("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"), get("/")}) {
    RowBench bench(protocol<Streamed>("streamed"));
    bench.told.request = [](Exchange exchange) {
      exchange.begin(200, "text/plain", 5);
      throw std::runtime_error("on purpose");
    };
    bench.link.receive(request);
    CHECK(bench.link.was_aborted());
    REQUIRE(bench.log_lines.size() == 1);
    CHECK(bench.log_lines[0].find("on purpose") != std::string::npos);
    for (const std::string& event : bench.told.story) CHECK((event == "request" || event == "closing cut" || event == "destroyed"));
  }
  RowBench bench(protocol<Streamed>("streamed"));
  bench.told.request = [](Exchange exchange) { exchange.begin(200, "text/plain", 5); };
  bench.told.body = [](Exchange, std::string_view) { throw std::runtime_error("on purpose"); };
  bench.link.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(bench.link.was_aborted());
  CHECK(bench.log_lines.size() == 1);
  CHECK(bench.told.story == Story{"request", "body hello", "closing cut", "destroyed"});
}

TEST_CASE("rows: a response in pieces may begin before the body has come") {
  RowBench bench(protocol<Streamed>("streamed"));
  bench.told.request = [](Exchange exchange) { exchange.begin(200, "text/plain", 5); };
  bench.told.body = [](Exchange exchange, std::string_view piece) { exchange.write(piece); };
  bench.told.body_end = [](Exchange exchange) { exchange.end(); };
  bench.link.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  CHECK(bench.link.take().ends_with("\r\n\r\nhe"));
  bench.link.receive("llo");
  CHECK(bench.link.take() == "llo");
  CHECK(bench.told.story == Story{"request", "body he", "body llo", "body end", "closing complete", "destroyed"});
}

TEST_CASE("rows: server-sent events") {
  RowBench bench(protocol<Streamed>("streamed"));
  bench.told.request = [](Exchange exchange) {
    const EventStream events(exchange);
    events.retry_after(std::chrono::seconds(2));
    events.send("one\ntwo\r\nthree", "news\nx: y", "7");
    events.comment("still\nhere");
    exchange.every(std::chrono::milliseconds(100));
  };
  bench.link.receive("GET / HTTP/1.0\r\n\r\n");
  const std::string bytes = bench.link.take();
  CHECK(bytes.find("Content-Type: text/event-stream\r\n") != bytes.npos);
  CHECK(bytes.ends_with("\r\n\r\nretry: 2000\n\nevent: news\nid: 7\ndata: one\ndata: two\ndata: three\n\n: still\n\n"));
  bench.advance(100);
  CHECK(bench.told.story.back() == "tick");
}
