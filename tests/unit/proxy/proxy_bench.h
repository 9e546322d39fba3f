#pragma once
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/sheltered.h"
#include "http/h1.h"
#include "link/memory_link.h"
#include "proxy/mount.h"
#include "unit/link/test_outside.h"

namespace wharf::server {

/// A proxy mount at /app/ between clients and servers that the test plays. Nothing happens by itself but in run().
class ProxyBench final : private session::Handler {
 public:
  using Link = session::MemoryLink;

  static Proxy to(std::string where = "http://up.example:8080/base/") {
    Proxy proxy;
    proxy.to = std::move(where);
    return proxy;
  }

  explicit ProxyBench(const Proxy& proxy = to(), const ProxyLimits& proxy_limits = {}, const session::HttpLimits& http = {})
      : context(*this, http, log) {
    auto opened = ProxyMount::open(proxy, "/app/", &outside, &log, proxy_limits);
    REQUIRE_MESSAGE(opened, opened.error());
    mount = std::move(*opened);
  }
  ~ProxyBench() {
    for (const auto& link : links_) link->abort();
    run();
  }
  ProxyBench(const ProxyBench&) = delete;
  ProxyBench& operator=(const ProxyBench&) = delete;

  /// A client connects.
  Link& client() {
    Link& link = new_link();
    link.open(std::make_unique<session::H1>(link, context));
    return link;
  }
  /// The server takes the connection that has been asked for first.
  Link& accept() {
    REQUIRE_FALSE(outside.attempts.empty());
    const TestOutside::Attempt attempt = std::move(outside.attempts.front());
    outside.attempts.pop_front();
    Link& link = new_link();
    connect(link, attempt);
    return link;
  }
  /// The same for a link and an attempt that are there already, as the loop does it.
  void connect(Link& link, const TestOutside::Attempt& attempt) {
    std::unique_ptr<session::Session> first;
    bool asked = false;
    base::sheltered(log, "the begin of a connection", [&] {
      first = attempt.connected(link);
      asked = true;
    });
    link.open(std::move(first));
    if (!asked) base::sheltered(log, "a connection of our own", [&attempt] { attempt.failed("no memory"); });
    run();
  }
  /// One that nobody speaks on yet.
  Link& new_link() { return *links_.emplace_back(std::make_unique<Link>(pool, limits, now)); }
  /// The connection that was made last.
  Link& last() { return *links_.back(); }
  void refuse(std::string_view reason = "connection refused") {
    REQUIRE_FALSE(outside.attempts.empty());
    const TestOutside::Attempt attempt = std::move(outside.attempts.front());
    outside.attempts.pop_front();
    attempt.failed(reason);
    run();
  }

  /// The peer of a link sends, and everybody has a turn.
  void send(Link& link, std::string_view bytes) {
    link.receive(bytes);
    run();
  }
  void end(Link& link) {
    link.receive_end();
    run();
  }
  /// The peer of a link is gone without a word.
  void reset(Link& link) {
    link.abort();
    run();
  }
  /// The peer of a link takes that much more.
  void take_in(Link& link, std::size_t bytes) {
    link.set_window(bytes);
    run();
  }
  void run() {
    for (bool busy = true; busy;) {
      for (std::size_t i = 0; i < links_.size(); ++i) links_[i]->run();
      busy = outside.end_turn();
      for (const auto& link : links_) busy = busy || link->scheduled();
    }
  }
  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    run();
  }

  base::ChunkPool pool;
  session::OutputLimits limits;
  base::Time now{1'000'000};
  std::vector<std::string> log_lines;
  base::Log log{base::LogLevel::info, [this](base::LogLevel level, std::string_view text) {
                  log_lines.push_back(base::concat(base::name_of(level), ": ", text));
                }};
  session::HttpContext context;
  TestOutside outside{now};
  std::unique_ptr<ProxyMount> mount;

 private:
  void handle(session::Exchange& exchange) override { mount->serve(exchange); }

  std::vector<std::unique_ptr<Link>> links_;
};

/// A request for /app/x with that many fields and a body behind it.
inline std::string asks(std::string_view method = "GET", std::string_view fields = {}, std::string_view body = {}) {
  return base::concat(method, " /app/x HTTP/1.1\r\nHost: site.example\r\n", fields, "\r\n", body);
}

/// The request upstream for /app/x: `fields` are before and `more` behind the fields that the proxy adds.
inline std::string asked(std::string_view method = "GET", std::string_view fields = {}, std::string_view more = {}) {
  return base::concat(method, " /base/x HTTP/1.1\r\nHost: site.example\r\n", fields,
                      "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: site.example\r\n"
                      "X-Forwarded-Prefix: /app\r\nVia: 1.1 wharf\r\n",
                      more, "\r\n");
}

/// Takes the bytes that a client was sent, without the Date fields.
inline std::string received(ProxyBench::Link& link) {
  std::string bytes = link.take();
  for (std::size_t at = bytes.find("Date: "); at != bytes.npos; at = bytes.find("Date: ", at))
    bytes.erase(at, bytes.find("\r\n", at) + 2 - at);
  return bytes;
}

/// The rest of that behind interim responses.
inline std::string answered(ProxyBench::Link& link) {
  std::string bytes = received(link);
  while (bytes.starts_with("HTTP/1.1 1")) bytes.erase(0, bytes.find("\r\n\r\n") + 4);
  return bytes;
}

inline constexpr std::string_view small_answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

}  // namespace wharf::server
