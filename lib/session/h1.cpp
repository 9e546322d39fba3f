#include "session/h1.h"

#include <algorithm>
#include <ctime>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "codec/http_date.h"
#include "codec/http_response.h"

namespace wharf::session {

namespace {
constexpr int requests_per_turn = 16;
}  // namespace

struct H1::Incoming {
  codec::RequestParser parser;
  std::string bytes;
};

Response text_response(int status, std::string_view line) {
  Response response;
  response.status = status;
  response.fields.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body.append(line).append("\n");
  return response;
}

H1::H1(Link& link, HttpContext& context) : link_(link), context_(context) {}
H1::~H1() = default;

// ---- Requests ----

void H1::start() { set_deadline(link_.now() + context_.limits.head_time); }

void H1::set_deadline(base::Time when) {
  deadline_ = when;
  link_.set_deadline(when);
}

std::size_t H1::input(std::span<char> bytes) {
  std::span<char> rest = bytes;
  for (int requests = 0; !rest.empty() && !answering_ && !waiting_ && !tunnelled_ && !link_.ending(); ++requests) {
    if (requests == requests_per_turn) wait_for_room();
    else rest = rest.subspan(incoming_ ? take_more_head(rest) : take_head(rest));
  }
  return bytes.size() - rest.size();
}

std::size_t H1::take_head(std::span<char> bytes) {
  codec::RequestParser& parser = context_.scratch;
  parser.reset();
  switch (parser.parse({bytes.data(), bytes.size()})) {
    case codec::RequestParser::State::done: {
      const std::size_t used = parser.size();
      handle(parser.head());
      return used;
    }
    case codec::RequestParser::State::failed: refuse(parser.error()); break;
    case codec::RequestParser::State::more:
      incoming_ = std::make_unique<Incoming>(Incoming{codec::RequestParser(context_.limits.head), {bytes.data(), bytes.size()}});
      incoming_->parser.parse(incoming_->bytes);
      set_deadline(std::min(deadline_, link_.now() + context_.limits.head_time));
  }
  return bytes.size();
}

std::size_t H1::take_more_head(std::span<char> bytes) {
  const std::size_t before = incoming_->bytes.size();
  const std::size_t room = context_.limits.head.head + 4 - before;  // and the skipped empty line; beyond it the parser fails
  incoming_->bytes.append(bytes.data(), std::min(bytes.size(), room));
  switch (incoming_->parser.parse(incoming_->bytes)) {
    case codec::RequestParser::State::done: {
      const std::unique_ptr<Incoming> whole = std::move(incoming_);
      handle(whole->parser.head());
      return whole->parser.size() - before;
    }
    case codec::RequestParser::State::failed: refuse(incoming_->parser.error()); break;
    case codec::RequestParser::State::more: break;
  }
  return std::min(bytes.size(), room);
}

void H1::handle(const codec::RequestHead& head) {
  answering_ = true;
  request_ = &head;
  without_body_ = head.method == "HEAD";
  explicit_keep_alive_ = head.version == codec::HttpVersion::http10;
  const bool body_follows =
      head.body == codec::BodyFraming::chunked || (head.body == codec::BodyFraming::length && head.content_length > 0);
  keep_alive_ = head.keep_alive && !body_follows && !shutting_down_;  // a body is not read, so nothing behind it can be
  set_deadline(base::never);
  context_.handler.handle(*this);
  request_ = nullptr;
  if (answering_) link_.hold_input();
}

void H1::refuse(const codec::HeadError& error) {
  keep_alive_ = false;
  answering_ = true;
  without_body_ = false;
  set_deadline(base::never);
  respond(text_response(error.status, error.reason));
}

void H1::end_of_input() {
  if (!answering_) return link_.finish();
  keep_alive_ = false;
}

void H1::deadline() {
  if (incoming_) refuse({408, "The request's head took too long."});
  else if (!link_.out().empty()) set_deadline(link_.now() + context_.limits.idle);  // it is still reading the last answer
  else link_.finish();
}

void H1::shut_down() {
  shutting_down_ = true;
  keep_alive_ = false;
  if (!answering_) link_.finish();
}

// ---- Answers ----

void H1::write_head(const Response& response, std::uint64_t size) {
  codec::ResponseHead head(response.status);
  head.field("Date", codec::HttpDate(std::time(nullptr)).text());
  bool offers_upgrade = false;
  for (const auto& [name, value] : response.fields) {
    head.field(name, value);
    offers_upgrade = offers_upgrade || base::equal_ignoring_case(name, "Upgrade");
  }
  if (response.status >= 200 && response.status != 204) head.field("Content-Length", size);
  if (offers_upgrade) head.field("Connection", "Upgrade");  // RFC 9110 section 7.8
  if (!keep_alive_) head.field("Connection", "close");
  else if (explicit_keep_alive_) head.field("Connection", "keep-alive");
  link_.out().append(std::move(head).finish());
}

void H1::respond(Response response) {
  write_head(response, response.source ? response.source->size() : response.body.size());
  if (!without_body_ && response.source) {
    source_ = std::move(response.source);
    source_left_ = source_->size();
    return continue_body();
  }
  if (!without_body_) link_.out().append(response.body);
  link_.touch();
  answered();
}

/// Fills the queue up to the high-water mark and waits for room.
void H1::continue_body() {
  const std::size_t high_water = link_.limits().high_water;
  while (source_left_ > 0 && link_.out().size() < high_water) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(source_left_, high_water - link_.out().size()));
    const std::size_t size = source_->read(link_.out(), most);
    if (size == 0) return link_.abort();  // the length is promised; only a broken connection tells that it was not kept
    source_left_ -= size;
  }
  link_.touch();
  if (source_left_ > 0) return link_.want_room();
  source_.reset();
  answered();
}

void H1::tunnel(std::string_view protocol, const std::vector<std::pair<std::string, std::string>>& fields) {
  codec::ResponseHead head(101);
  head.field("Upgrade", protocol);
  head.field("Connection", "Upgrade");
  for (const auto& [name, value] : fields) head.field(name, value);
  link_.out().append(std::move(head).finish());
  link_.touch();
  answering_ = false;
  tunnelled_ = true;
}

void H1::answered() {
  answering_ = false;
  if (!keep_alive_) return link_.finish();
  set_deadline(link_.now() + context_.limits.idle);
  if (!request_) link_.resume_input();  // it was held for an answer that took longer than its handler
  if (link_.overfull()) wait_for_room();
}

/// A peer that asks and asks and does not read the answers, or leaves nobody else a turn: the rest of its requests can wait.
void H1::wait_for_room() {
  waiting_ = true;
  link_.hold_input();
  link_.want_room();
}

void H1::room() {
  if (source_) return continue_body();
  waiting_ = false;
  link_.resume_input();
}

}  // namespace wharf::session
