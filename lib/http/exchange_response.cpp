// The response of an exchange.
#include <algorithm>
#include <utility>

#include "http/exchange_core.h"

namespace wharf::session {
namespace {

/// The bytes of one file that one turn of the loop may send.
constexpr std::uint64_t file_bytes_per_turn = 2 * 1024 * 1024;

}  // namespace

Response text_response(int status, std::string_view line) {
  Response response;
  response.status = status;
  response.fields.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body.append(line).append("\n");
  return response;
}

/// RFC 9110 section 6.4.1.
bool ExchangeCore::has_body(int status) const {
  const bool is_head = request_ != nullptr && request_->method == "HEAD";
  return !is_head && status >= 200 && status != 204 && status != 205 && status != 304;
}

void ExchangeCore::sent_head(const Response& response, Content content, std::optional<std::uint64_t> length) {
  send_head(response, content, length);
  end_.status = response.status;
  content_ = content;
  answer_left_ = length.value_or(0);
  link_.touch();
}

/// Before a response that does not wait for the body: whether the connection can go on after it (RFC 9112 section 9.3). A responder
/// that still reads the body may stop at any time, long after the head has been sent.
void ExchangeCore::forgo_body() {
  if (intake_ == Intake::complete) return;
  if (intake_ == Intake::expected || body_left().bytes > context_.limits.dropped_body) make_last(Reason::body_unwanted);
}

void ExchangeCore::respond(Response&& response) {
  if (answered() || !open()) return;
  forgo_body();
  const std::string_view content = response.content.data() != nullptr ? response.content : std::string_view(response.body);
  const std::uint64_t whole = response.source ? response.source->size() : content.size();
  const std::uint64_t size = response.status == 205 ? 0 : whole;  // RFC 9110 section 15.3.6
  const bool tells_length = response.status >= 200 && response.status != 204 && (response.status != 304 || size != 0);
  sent_head(response, tells_length ? Content::sized : Content::none, tells_length ? std::optional(size) : std::nullopt);
  if (!has_body(response.status)) return answer_complete();
  if (response.source) {
    answer_ = Answer::from_source;
    answer_due_ = base::never;
    source_ = std::move(response.source);
    return continue_source();
  }
  link_.out().append(content);
  end_.body_bytes = content.size();
  answer_complete();
}

/// Fills the queue up to the high-water mark and waits for room.
void ExchangeCore::continue_source() {
  const std::size_t high_water = link_.limits().high_water;
  while (answer_left_ > 0 && link_.out().size() < high_water && !link_.ending()) {
    if (send_file_part()) return;
    if (answer_left_ == 0) break;
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(answer_left_, high_water - link_.out().size()));
    const std::size_t size = source_->read(link_.out(), most);
    if (size == 0) return reset(Reason::response_broken);  // the length is promised
    answer_left_ -= size;
    end_.body_bytes += size;
  }
  if (answer_left_ > 0) return link_.want_room();
  source_.reset();
  answer_complete();
}

/// Sends from a file without copying, if the carrier can. True: that is all for now.
bool ExchangeCore::send_file_part() {
  std::uint64_t in_file = 0;
  for (std::uint64_t sent = 0; answer_left_ > 0;) {
    const std::optional<FilePart> part = source_->file_part(in_file);
    if (!part) return false;
    const std::uint64_t most = std::min({answer_left_, in_file, file_bytes_per_turn - sent});
    const auto taken =
        most == 0 ? std::optional<std::size_t>(0) : link_.send_file(part->file, part->offset, static_cast<std::size_t>(most));
    if (!taken) return false;
    if (*taken == 0) {
      link_.want_room();
      return true;
    }
    source_->skip(*taken);
    sent += *taken;
    answer_left_ -= *taken;
    end_.body_bytes += *taken;
  }
  return false;
}

/// After something was queued.
Flow ExchangeCore::flow_of_link() {
  link_.touch();
  if (!link_.overfull()) return Flow::go;
  pending_.add(Pending::drain);
  link_.want_room();
  return Flow::hold;
}

Flow ExchangeCore::inform(int status, const Fields& fields) {
  if (answered() || !open() || link_.ending()) return Flow::closed;
  if (!request_->takes_interim() || status < 102 || status > 199) return Flow::go;
  send_interim(status, fields);
  return flow_of_link();
}

Flow ExchangeCore::begin(Response response, std::optional<std::uint64_t> length) {
  if (answered() || !open()) return Flow::closed;
  if (response.status == 205) length = 0;
  if (intake_ != Intake::reading) forgo_body();  // otherwise the responder may take all of it, and respond meanwhile
  const bool bare = response.status < 200 || response.status == 204 || response.status == 304;
  const Content content = bare ? Content::none : length ? Content::sized : Content::open;
  sent_head(response, content, bare ? std::nullopt : length);
  answer_ = has_body(response.status) ? Answer::in_pieces : Answer::without_body;
  answer_due_ = base::never;
  return Flow::go;
}

Flow ExchangeCore::write(std::string_view piece) {
  if (!open() || link_.ending()) return Flow::closed;
  if (answer_ == Answer::without_body) return Flow::go;
  if (answer_ != Answer::in_pieces) return Flow::closed;
  if (content_ == Content::sized && piece.size() > answer_left_) {
    fault("a response is longer than the length it began with");
    return Flow::closed;
  }
  if (piece.empty()) return Flow::go;
  if (link_.beyond_cap()) {
    fault("more than output_hard_cap of a response was queued when more came; heed what write() returns");
    return Flow::closed;
  }
  if (content_ == Content::sized) answer_left_ -= piece.size();
  send_piece(piece);
  end_.body_bytes += piece.size();
  return flow_of_link();
}

void ExchangeCore::end() {
  if (!open() || link_.ending()) return;
  if (answer_ == Answer::in_pieces) {
    if (content_ == Content::sized && answer_left_ != 0) return fault("a response is shorter than the length it began with");
    if (content_ == Content::open) send_end();
  } else if (answer_ != Answer::without_body) {
    return;
  }
  link_.touch();
  answer_complete();
}

void ExchangeCore::abort() {
  if (!open() || answer_ == Answer::complete) return;
  reset(Reason::response_broken);
}

/// The handler broke its promise.
void ExchangeCore::fault(std::string_view what) {
  context_.log.error(base::LogKind("broken responses"), link_.address(), ": ", what, "; the connection is cut");
  reset(Reason::response_broken);
}

void ExchangeCore::answer_complete() {
  answer_ = Answer::complete;
  answer_due_ = base::never;
  end_.complete = true;
  if (calls_ > 0) return;  // the caller handles the end
  if (!responder_) return over();
  intake_changed();  // nobody wants the rest of the body any more; over() drops it, when the client has taken the response
  set_deadline(body_due());
  link_.want_room();
}

void ExchangeCore::switch_to(std::string_view protocol, const Fields& fields, const SessionMaker& next) {
  if (answered() || !open()) return;
  try {
    const int status = send_switch(protocol, fields);
    link_.resume_input();  // held for the requests behind this one
    answer_ = Answer::complete;
    end_ = {status, 0, true};
    stage_ = Stage::switched;
    if (forwarding_) link_.set_peer(forwarding_->client);  // the connection is this client's alone from here on
    link_.become(next(link_));
    for (const auto& observer : observers_) observer->switched(link_);
  } catch (...) {  // the next session was not made, and the client may have got a part of the response
    link_.abort();
    throw;
  }
}

}  // namespace wharf::session
