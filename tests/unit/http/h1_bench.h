#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h1.h"
#include "link/memory_link.h"

namespace wharf::test {

/// A visit that goes on with this.
struct ScriptedVisit final : session::Visit {
  explicit ScriptedVisit(std::function<void(session::Exchange&)> what) : answer(std::move(what)) {}
  void go_on(session::Exchange& exchange) override { answer(exchange); }
  std::function<void(session::Exchange&)> answer;
};

/// A handler that writes down each request, and responds with "METHOD TARGET" or as the test says.
class ScriptedHandler final : public session::Handler {
 public:
  void handle(session::Exchange& exchange) override {
    const codec::RequestHead& head = exchange.request();
    requests.push_back(std::string(head.method) + " " + std::string(head.target));
    if (answer) answer(exchange);
    else exchange.respond(session::text_response(200, requests.back()));
  }

  std::vector<std::string> requests;
  std::function<void(session::Exchange&)> answer;
};

/// A body of that many 'b', given in parts; there are only `available` of them.
class Source final : public session::BodySource {
 public:
  explicit Source(std::size_t size) : Source(size, size) {}
  Source(std::size_t size, std::size_t available) : size_(size), available_(available) {}
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  std::size_t read(base::OutQueue& out, std::size_t most) override {
    const std::size_t part = std::min({most, available_, std::size_t{7000}});
    out.append(std::string(part, 'b'));
    available_ -= part;
    return part;
  }

 private:
  std::size_t size_;
  std::size_t available_;
};

inline session::Response sourced(std::unique_ptr<session::BodySource> source) {
  session::Response response;
  response.source = std::move(source);
  return response;
}

/// An HTTP/1 session in memory.
struct H1Bench {
  explicit H1Bench(const session::HttpLimits& http = {}, const session::OutputLimits& output = {})
      : limits(output), context(handler, http, log) {
    link.open(std::make_unique<session::H1>(link, context));
  }

  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    link.run();
  }

  base::ChunkPool pool;
  session::OutputLimits limits;
  base::Time now{1'000'000};
  std::vector<std::string> log_lines;
  base::Log log{base::LogLevel::debug,
                [this](base::LogLevel, std::string_view text) { log_lines.emplace_back(text); },
                {.peers = 0, .program = 0, .now = {}}};
  ScriptedHandler handler;
  session::HttpContext context;
  session::MemoryLink link{pool, limits, now};
};

/// One response as a client sees it.
struct Answer {
  int status = 0;
  std::string head;
  std::string body;

  [[nodiscard]] bool has(std::string_view line) const { return head.find("\r\n" + std::string(line) + "\r\n") != head.npos; }
};

/// Takes the first response from the front of `bytes`: whole by its Content-Length. `method` is that of the request. Status 0:
/// there is no whole response.
inline Answer take_answer(std::string& bytes, std::string_view method = "GET") {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == bytes.npos) return {};
  Answer answer{std::stoi(bytes.substr(9, 3)), bytes.substr(0, end + 2), {}};
  std::size_t length = 0;
  if (const std::size_t at = answer.head.find("Content-Length: "); at != answer.head.npos && method != "HEAD")
    length = std::stoul(answer.head.substr(at + 16));
  if (bytes.size() < end + 4 + length) return {};
  answer.body = bytes.substr(end + 4, length);
  bytes.erase(0, end + 4 + length);
  return answer;
}

/// All whole responses to GETs in `bytes`.
inline std::vector<Answer> answers(std::string bytes) {
  std::vector<Answer> all;
  for (Answer answer = take_answer(bytes); answer.status != 0; answer = take_answer(bytes)) all.push_back(std::move(answer));
  return all;
}

inline std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

}  // namespace wharf::test
