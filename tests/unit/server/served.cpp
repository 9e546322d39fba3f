#include "unit/server/served.h"

#include <doctest/doctest.h>

#include <cstdlib>

namespace wharf::server {

std::string Answer::field(std::string_view name) const {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const std::size_t found = head.find(start);
  if (found == std::string::npos) return "none";
  const std::size_t begin = found + start.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

wharf_row plain_row(const char* name) {
  wharf_row row{};
  row.size = sizeof row;
  row.name = name;
  return row;
}

Served::Served(std::vector<VirtualHost> hosts, std::vector<wharf_row> rows, const Limits& limits, UnknownHosts unknown)
    : clients_(limits, fronts_, home.log) {
  for (const wharf_row& row : rows) {
    const Error error = rows_.add(row);
    REQUIRE_MESSAGE(!error, error.message);
  }
  auto router = Router::start(rows_, hosts, {}, home.home, nullptr, {}, &clients_, unknown);
  REQUIRE(router);
  router_ = std::move(*router);
  context_ = std::make_unique<session::HttpContext>(*router_, session::HttpLimits{}, home.log);
}

Served::~Served() = default;

std::unique_ptr<session::MemoryLink> Served::open(
    const std::function<std::unique_ptr<session::Session>(session::Link&, session::HttpContext&)>& made) {
  auto link = std::make_unique<session::MemoryLink>(pool_, output_, home.now);
  link->open(made(*link, *context_));
  return link;
}

std::unique_ptr<session::MemoryLink> Served::connect() {
  return open([](session::Link& link, session::HttpContext& context) { return std::make_unique<session::H1>(link, context); });
}

Answer Served::ask(std::string_view request, const session::TlsFacts* tls) {
  const auto link = connect();
  if (tls != nullptr) link->set_tls(*tls);
  link->receive(request);
  Answer answer;
  answer.body = link->take();
  answer.closed = link->closed();
  const std::size_t end = answer.body.find("\r\n\r\n");
  REQUIRE(end != std::string::npos);
  answer.head = answer.body.substr(0, end + 4);
  answer.body.erase(0, end + 4);
  REQUIRE(answer.head.starts_with("HTTP/1.1 "));
  answer.status = std::atoi(answer.head.c_str() + 9);
  link->abort();
  link->run();
  return answer;
}

std::string Served::head(std::string_view method, std::string_view target, std::string_view host) {
  return base::concat(method, " ", target, " HTTP/1.1\r\nHost: ", host, "\r\n\r\n");
}

}  // namespace wharf::server
