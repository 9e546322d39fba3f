#include "unit/files/mounted.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "codec/http/target.h"

namespace wharf::server {

FileLimits settled_at_once() {
  FileLimits limits;
  limits.settling = std::chrono::milliseconds(0);
  return limits;
}

Mounted::Mounted(const Files& files, const FileLimits& limits, TestOutside* thread, OpenFolder::Resolution resolution)
    : shared(limits, thread), thread_(thread), context_(*this, session::HttpLimits{}, log_) {
  auto mount = FileMount::open(files, shared, resolution);
  REQUIRE_MESSAGE(mount, mount.error());
  mount_ = std::move(*mount);
}

Mounted::~Mounted() = default;

void Mounted::next_turn() {
  now += base::Time{1};
  if (thread_ != nullptr) thread_->end_turn();
}

void Mounted::handle(session::Exchange& exchange) {
  const auto path = codec::percent_decode(exchange.request().path);
  if (!path) return exchange.respond(session::text_response(400, "The path has a broken percent-encoding."));
  mount_->serve(exchange, *path);
}

std::unique_ptr<session::MemoryLink> Mounted::connect() {
  auto link = std::make_unique<session::MemoryLink>(pool_, output_, now);
  link->open(std::make_unique<session::H1>(*link, context_));
  return link;
}

Answer Mounted::answer_on(session::MemoryLink& link) {
  Answer answer;
  answer.body = link.take();
  answer.closed = link.closed();
  const std::size_t end = answer.body.find("\r\n\r\n");
  if (end == std::string::npos) return answer;
  answer.head = answer.body.substr(0, end + 4);
  answer.body.erase(0, end + 4);
  REQUIRE(answer.head.starts_with("HTTP/1.1 "));
  answer.status = std::atoi(answer.head.c_str() + 9);
  return answer;
}

Answer Mounted::ask(std::string_view request) {
  const auto link = connect();
  link->receive(request);
  for (int turn = 0; turn < 1000 && link->scheduled(); ++turn) link->run();
  Answer answer = answer_on(*link);
  REQUIRE(answer.status != 0);
  link->abort();
  link->run();
  return answer;
}

std::string Mounted::head(std::string_view method, std::string_view target, std::string_view fields) {
  return base::concat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n", fields, "\r\n");
}

}  // namespace wharf::server
