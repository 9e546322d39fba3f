#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h1.h"
#include "unit/http/h1_bench.h"

namespace {

using namespace wharf;
using namespace wharf::test;
using Story = std::vector<std::string>;

struct Later final : session::Responder {
  Later(session::Exchange& of, Story& into) : exchange(of), story(into) {}
  void drained() override { story.emplace_back("drained"); }
  void tick() override {
    story.emplace_back("tick");
    if (on_tick) on_tick(exchange);
  }
  void ended(const session::ExchangeEnd& end) override {
    story.push_back("ended " + std::to_string(end.status) + " " + std::to_string(end.body_bytes) +
                    (end.complete ? " complete" : " cut"));
  }

  session::Exchange& exchange;
  Story& story;
  std::function<void(session::Exchange&)> on_tick;
};

struct AnswerBench : H1Bench {
  explicit AnswerBench(const session::HttpLimits& http = {}, const session::OutputLimits& output = {}) : H1Bench(http, output) {
    handler.answer = [this](session::Exchange& exchange) {
      auto made = std::make_unique<Later>(exchange, story);
      later = made.get();
      exchange.set_responder(std::move(made));
      if (at_once) at_once(exchange);
    };
  }
  ~AnswerBench() {  // while the responder's target still exists
    link.abort();
    link.run();
  }
  AnswerBench(const AnswerBench&) = delete;
  AnswerBench& operator=(const AnswerBench&) = delete;

  session::Exchange& exchange() { return later->exchange; }

  Story story;
  Later* later = nullptr;
  std::function<void(session::Exchange&)> at_once;
};

session::Response plain(int status = 200) {
  session::Response response;
  response.status = status;
  return response;
}

/// The response without its date.
std::string taken(H1Bench& bench) {
  std::string text = bench.link.take();
  const std::size_t at = text.find("Date: ");
  if (at != std::string::npos) text.erase(at, text.find("\r\n", at) + 2 - at);
  return text;
}

}  // namespace

TEST_CASE("h1 responses: in chunks if the length is not known (RFC 9112 section 7.1)") {
  AnswerBench bench;
  bench.link.receive(get("/a") + get("/b"));
  CHECK(bench.exchange().begin(plain(), std::nullopt) == session::Flow::go);
  CHECK(bench.exchange().write("hello") == session::Flow::go);
  CHECK(bench.exchange().write("") == session::Flow::go);
  CHECK(bench.exchange().write(std::string(26, 'x')) == session::Flow::go);
  bench.exchange().end();
  bench.link.run();
  CHECK(taken(bench).starts_with(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\nxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n"));
  CHECK(bench.story == Story{"ended 200 31 complete"});
  CHECK(bench.handler.requests == Story{"GET /a", "GET /b"});
}

TEST_CASE("h1 responses: chunks have their end even if the connection ends behind them (RFC 9112 section 7.1)") {
  AnswerBench bench;
  bench.link.receive("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  bench.exchange().begin(plain(), std::nullopt);
  bench.exchange().write("hello");
  bench.exchange().end();
  bench.link.run();
  CHECK(taken(bench) == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  CHECK(bench.link.closed());
}

TEST_CASE("h1 responses: until the connection closes for HTTP/1.0, even if it asked to keep it") {
  AnswerBench bench;
  bench.link.receive("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  bench.exchange().begin(plain(), std::nullopt);
  bench.exchange().write("hello");
  bench.exchange().end();
  bench.link.run();
  CHECK(taken(bench) == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
  CHECK(bench.link.closed());
}

TEST_CASE("h1 responses: no chunks for HTTP/1.0, nor in the head of a response to HEAD") {
  AnswerBench bench;
  bench.link.receive("HEAD /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  bench.exchange().begin(plain(), std::nullopt);
  bench.exchange().end();
  bench.link.run();
  CHECK(taken(bench) == "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("h1 responses: of a length that was promised") {
  AnswerBench bench;
  bench.link.receive(get("/a"));
  bench.exchange().begin(plain(201), 5);
  bench.exchange().write("he");
  bench.exchange().write("llo");
  bench.exchange().end();
  bench.link.run();
  CHECK(taken(bench) == "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello");
  CHECK(bench.story == Story{"ended 201 5 complete"});
}

TEST_CASE("h1 responses: more or less than was promised cuts the connection and is logged") {
  for (const std::string_view piece : {"hell", "hello!"}) {
    AnswerBench bench;
    bench.link.receive(get("/a"));
    bench.exchange().begin(plain(), 5);
    bench.exchange().write(piece);
    if (bench.story.empty()) bench.exchange().end();
    bench.link.run();
    CHECK(bench.link.was_aborted());
    REQUIRE(bench.log_lines.size() == 1);
    CHECK(bench.log_lines[0].find("the length it began with") != std::string::npos);
    CHECK(bench.story.size() == 1);
    CHECK(bench.story[0].ends_with(" cut"));
  }
}

TEST_CASE("h1 responses: HEAD, 204, 205 and 304 have no body, whatever is written") {
  for (const auto& [method, status] :
       std::vector<std::pair<std::string, int>>{{"HEAD", 200}, {"GET", 204}, {"GET", 205}, {"GET", 304}}) {
    AnswerBench bench;
    bench.link.receive(method + " /a HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.exchange().begin(plain(status), std::nullopt);
    bench.exchange().write("hello");
    bench.exchange().end();
    bench.link.run();
    const std::string answer = taken(bench);
    CHECK(answer.ends_with("\r\n\r\n"));
    CHECK(answer.find("hello") == answer.npos);
    CHECK((answer.find("chunked") != answer.npos) == (method == "HEAD"));
    CHECK((answer.find("Content-Length: 0\r\n") != answer.npos) == (status == 205));
    CHECK_FALSE(bench.link.closed());
  }
}

TEST_CASE("h1 responses: a slow client holds a writer, drained follows, and the hard cap cuts") {
  AnswerBench bench({}, {1000, 4000, 20'000});
  bench.link.set_window(0);
  bench.link.receive(get("/a"));
  bench.exchange().begin(plain(), std::nullopt);
  CHECK(bench.exchange().write(std::string(3000, 'x')) == session::Flow::go);
  CHECK(bench.exchange().write(std::string(3000, 'x')) == session::Flow::hold);
  bench.link.run();
  CHECK(bench.story.empty());
  bench.link.set_window(session::MemoryLink::unlimited);
  bench.link.run();
  CHECK(bench.story == Story{"drained"});
  bench.link.set_window(0);
  session::Flow flow = session::Flow::go;
  for (int i = 0; i < 30 && flow != session::Flow::closed; ++i) flow = bench.exchange().write(std::string(1000, 'x'));
  CHECK(flow == session::Flow::closed);
  bench.link.run();
  CHECK(bench.link.was_aborted());
  CHECK(bench.log_lines.size() == 1);
}

TEST_CASE("h1 responses: a piece longer than the hard cap cuts nobody; only the queue before it counts") {
  AnswerBench bench({}, {1000, 4000, 20'000});
  bench.link.set_window(0);
  bench.link.receive(get("/a"));
  bench.exchange().begin(plain(), std::nullopt);
  CHECK(bench.exchange().write(std::string(50'000, 'x')) == session::Flow::hold);
  bench.link.run();
  CHECK_FALSE(bench.link.was_aborted());
  CHECK(bench.exchange().write("x") == session::Flow::closed);
  bench.link.run();
  CHECK(bench.link.was_aborted());
}

TEST_CASE("h1 responses: none in time is 503, and the responder is destroyed (RFC 9110 section 15.6.4)") {
  AnswerBench bench;
  bench.link.receive(get("/a"));
  bench.advance(29'999);
  CHECK(bench.link.take().empty());
  bench.advance(1);
  CHECK(answers(bench.link.take())[0].status == 503);
  CHECK(bench.story == Story{"ended 503 26 complete"});
  bench.link.receive(get("/b"));  // the connection goes on
  CHECK(bench.handler.requests.size() == 2);

  AnswerBench patient;
  patient.at_once = [](session::Exchange& exchange) { exchange.answer_within(base::never); };
  patient.link.receive(get("/a"));
  patient.advance(1'000'000);
  CHECK(patient.story.empty());

  AnswerBench begun;  // a response that has begun may take its time
  begun.link.receive(get("/a"));
  begun.exchange().begin(plain(), std::nullopt);
  begun.advance(1'000'000);
  CHECK(begun.story.empty());
}

TEST_CASE("h1 responses: the deadline was kept after a response from a source, and went off in each turn once it had passed") {
  AnswerBench bench;
  bench.link.set_window(0);
  bench.link.receive(get("/a"));
  bench.exchange().respond(sourced(std::make_unique<Source>(1'000'000)));
  bench.advance(30'000);
  CHECK(bench.link.due() == base::never);
}

TEST_CASE("h1 responses: ticks come until the exchange is over, and may respond") {
  AnswerBench bench;
  bench.at_once = [](session::Exchange& exchange) { exchange.tick_every(base::Time{100}); };
  bench.link.receive(get("/a"));
  bench.advance(100);
  bench.advance(100);
  CHECK(bench.story == Story{"tick", "tick"});
  bench.later->on_tick = [](session::Exchange& exchange) { exchange.respond(session::text_response(200, "done")); };
  bench.advance(100);
  CHECK(bench.story == Story{"tick", "tick", "tick", "ended 200 5 complete"});
  bench.advance(1'000);
  CHECK(bench.story.size() == 4);
}

TEST_CASE("h1 responses: the peer is gone before: ended, once, not complete") {
  AnswerBench bench;
  bench.link.receive(get("/a"));
  bench.link.abort();
  bench.link.run();
  CHECK(bench.story == Story{"ended 0 0 cut"});
}

TEST_CASE("h1 responses: when the server stops, the response is finished and the connection closed") {
  AnswerBench bench;
  bench.link.receive(get("/a"));
  bench.link.server_stops();
  CHECK_FALSE(bench.link.closed());
  bench.exchange().respond(session::text_response(200, "bye"));
  bench.link.run();
  CHECK(answers(bench.link.take())[0].has("Connection: close"));
  CHECK(bench.link.closed());
}

TEST_CASE("h1 responses: a second one does nothing") {
  AnswerBench bench;
  bench.at_once = [](session::Exchange& exchange) {
    exchange.respond(session::text_response(200, "one"));
    exchange.respond(session::text_response(200, "two"));
    CHECK(exchange.begin({}, std::nullopt) == session::Flow::closed);
    exchange.switch_to("x", {}, [](session::Link&) -> std::unique_ptr<session::Session> { throw std::logic_error("not asked"); });
  };
  bench.link.receive(get("/a"));
  const auto all = answers(bench.link.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].body == "one\n");
}

TEST_CASE("h1 responses: a request that waited goes on, on a fresh stack, once, with its head") {
  H1Bench bench;
  session::Exchange* waiting = nullptr;
  Story seen;
  bench.handler.answer = [&](session::Exchange& exchange) {
    waiting = &exchange;
    exchange.suspend(std::make_unique<ScriptedVisit>([&seen](session::Exchange& again) {
      seen.push_back(again.visit() == nullptr ? std::string(again.request().field("X")) : "still waiting");
      again.respond(session::text_response(200, "at last"));
    }));
  };
  bench.link.receive("GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
  REQUIRE(waiting->visit() != nullptr);
  waiting->resume();
  waiting->resume();
  CHECK(seen.empty());
  bench.link.run();
  CHECK(seen == Story{"y"});
  CHECK(answers(bench.link.take())[0].body == "at last\n");
  bench.link.receive(get("/b"));
  CHECK(bench.link.take().empty());  // and waits like the one before
  waiting->respond(session::text_response(200, "at once"));
  waiting->resume();
  bench.link.run();
  CHECK(seen == Story{"y"});
}

TEST_CASE("h1 responses: a request is still there, whole, when its bytes have gone") {
  AnswerBench bench;
  bench.link.receive("GET http://a/x?y HTTP/1.1\r\nHost: a\r\nEmpty:\r\nLast: z\r\n\r\n");
  const codec::RequestHead& head = bench.exchange().request();
  bench.link.receive(std::string(2000, '#'));
  CHECK(head.method == "GET");
  CHECK(head.target == "http://a/x?y");
  CHECK(head.host == "a");
  CHECK(head.field("Empty").empty());
  CHECK(head.field("Last") == "z");
}

TEST_CASE("h1 responses: the connection itself writes framing fields, and adds those of the mount") {
  const codec::PreparedFields of_response{{"C", "d"}};
  const codec::PreparedFields of_mount{{"E", "f"}};
  H1Bench bench;
  bench.handler.answer = [&](session::Exchange& exchange) {
    session::Response response = plain();
    response.fields = {{"content-length", "7"}, {"Transfer-Encoding", "chunked"}, {"Connection", "x"}, {"A", "b"}};
    response.prepared = of_response;
    exchange.add_fields(of_mount);
    response.content = "hello";
    exchange.respond(std::move(response));
  };
  bench.link.receive(get("/a"));
  CHECK(taken(bench) == "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nE: f\r\nContent-Length: 5\r\n\r\nhello");
}

namespace {

constexpr std::uint64_t megabyte = 1024 * 1024;

/// A link that takes as much of a file as it is given. run() does what one turn of the loop would, and returns how much was taken.
class FileLink final : public session::Link {
 public:
  FileLink(base::ChunkPool& pool, const session::OutputLimits& limits) : Link(pool, limits) {}

  void open(std::unique_ptr<session::Session> first) { begin(std::move(first)); }
  std::uint64_t receive(std::string bytes) {
    deliver(bytes);
    return std::exchange(sent_, 0);
  }
  std::uint64_t run() {
    ++turn_;
    if (std::exchange(scheduled_, false)) settle();
    return std::exchange(sent_, 0);
  }
  [[nodiscard]] bool scheduled() const { return scheduled_; }

  std::optional<std::size_t> send_file(int file, std::uint64_t offset, std::size_t size) override {
    CHECK(file == 7);
    CHECK(offset == place_);
    flush();
    place_ += size;
    sent_ += size;
    return size;
  }
  void flush() override { out().consume(out().size()); }
  void set_deadline(base::Time) override {}
  [[nodiscard]] base::Time now() const override { return base::Time{0}; }
  [[nodiscard]] std::string address() const override { return "files"; }

 private:
  [[nodiscard]] std::uint32_t turn_number() const override { return turn_; }
  void schedule() override { scheduled_ = true; }
  void input_wanted_changed() override {}
  void wind_up() override {}
  void output_ended() override {}

  std::uint64_t place_ = 0;
  std::uint64_t sent_ = 0;
  std::uint32_t turn_ = 0;
  bool scheduled_ = false;
};

/// A body that lies in file 7 as a whole.
class FileSource final : public session::BodySource {
 public:
  explicit FileSource(std::uint64_t size) : size_(size) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  std::size_t read(base::OutQueue&, std::size_t) override {
    FAIL("it is sent without copying");
    return 0;
  }
  [[nodiscard]] std::optional<session::FilePart> file_part(std::uint64_t& size) override {
    size = size_ - place_;
    return session::FilePart{7, place_};
  }
  void skip(std::uint64_t size) override { place_ += size; }

 private:
  std::uint64_t size_;
  std::uint64_t place_ = 0;
};

}  // namespace

TEST_CASE("h1 responses: a file that the carrier would take at once leaves others their turn after every 2 MiB") {
  ScriptedHandler handler;
  base::ChunkPool pool;
  const session::OutputLimits limits;
  base::Log log{base::LogLevel::quiet, nullptr};
  session::HttpContext context{handler, {}, log};
  FileLink link(pool, limits);
  link.open(std::make_unique<session::H1>(link, context));
  handler.answer = [](session::Exchange& exchange) { exchange.respond(sourced(std::make_unique<FileSource>(9 * megabyte + 1))); };
  const std::uint64_t at_first = link.receive(get("/a"));
  CHECK(at_first >= 2 * megabyte);
  CHECK(at_first <= 4 * megabyte);  // with the response, and once more because the link has room then
  std::uint64_t left = 9 * megabyte + 1 - at_first;
  while (left > 0) {
    CAPTURE(left);
    REQUIRE(link.scheduled());
    const std::uint64_t sent = link.run();
    CHECK(sent == std::min(left, 2 * megabyte));
    left -= sent;
  }
  CHECK(link.run() == 0);
}
