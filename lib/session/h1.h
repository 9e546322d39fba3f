#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "codec/http_head.h"
#include "session/exchange.h"
#include "session/link.h"
#include "session/session.h"

namespace wharf::session {

struct HttpLimits {
  codec::HeadLimits head;
  base::Time head_time{10'000};  ///< from the first byte of a request, or from the connection's begin, to the end of its head
  base::Time idle{60'000};       ///< from an answer to the first byte of the next request
};

/// What the HTTP/1 sessions of one loop share. Outlives them.
struct HttpContext {
  Handler& handler;
  HttpLimits limits;
  codec::RequestParser scratch;  // for heads that arrive in one piece
};

/// HTTP/1.1 and 1.0 on a link, server's side (RFC 9112): requests one after the other, each answered before the next is looked at.
class H1 final : public Session, private Exchange {
 public:
  H1(Link& link, HttpContext& context);
  ~H1() override;
  H1(const H1&) = delete;
  H1& operator=(const H1&) = delete;

  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  void shut_down() override;

 private:
  struct Incoming;  // a head of which a part has arrived

  [[nodiscard]] const codec::RequestHead& request() const override { return *request_; }
  [[nodiscard]] Link& link() override { return link_; }
  void respond(Response response) override;
  void tunnel(std::string_view protocol, const std::vector<std::pair<std::string, std::string>>& fields) override;

  std::size_t take_head(std::span<char> bytes);
  std::size_t take_more_head(std::span<char> bytes);
  void handle(const codec::RequestHead& head);
  void refuse(const codec::HeadError& error);
  void write_head(const Response& response, std::uint64_t size);
  void continue_body();
  void answered();
  void wait_for_room();
  void set_deadline(base::Time when);

  Link& link_;
  HttpContext& context_;
  std::unique_ptr<Incoming> incoming_;
  std::unique_ptr<BodySource> source_;
  const codec::RequestHead* request_ = nullptr;  // while its handler runs
  std::uint64_t source_left_ = 0;
  base::Time deadline_ = base::never;
  bool answering_ = false;
  bool waiting_ = false;  // for room, with requests that have arrived already
  bool tunnelled_ = false;
  bool keep_alive_ = true;
  bool without_body_ = false;  // the answer to HEAD
  bool explicit_keep_alive_ = false;
  bool shutting_down_ = false;
};

}  // namespace wharf::session
