// How an H1 session answers.
#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include "base/ascii.h"
#include "codec/http/date.h"
#include "codec/http/head_writer.h"
#include "http/h1.h"

namespace wharf::session {
namespace {

/// What one turn of the loop may send of one file.
constexpr std::uint64_t file_bytes_per_turn = 2 * 1024 * 1024;

/// Fields that say how this connection carries the answer: not a handler's business.
bool is_framing(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive"})
    if (base::equal_ignoring_case(name, own)) return true;
  return false;
}

}  // namespace

Response text_response(int status, std::string_view line) {
  Response response;
  response.status = status;
  response.fields.emplace_back("Content-Type", "text/plain; charset=utf-8");
  response.body.append(line).append("\n");
  return response;
}

std::string_view HttpContext::date_line() {
  if (const std::time_t now = std::time(nullptr); now != date_) {
    date_ = now;
    date_line_.assign("Date: ").append(codec::HttpDate(now).text()).append("\r\n");
  }
  return date_line_;
}

/// RFC 9110 section 6.4.1.
bool H1::has_body(int status) const { return !without_body_ && status >= 200 && status != 204 && status != 205 && status != 304; }

void H1::write_head(const Response& response, std::optional<std::uint64_t> length, Delimiting delimiting) {
  codec::ResponseHead head(response.status, std::move(context_.head_memory));
  bool offers_upgrade = false;
  bool dated = false;  // by the server that made the answer (RFC 9110 section 6.6.1)
  for (const auto& [name, value] : response.fields) {
    if (is_framing(name)) continue;
    head.field(name, value);
    offers_upgrade = offers_upgrade || base::equal_ignoring_case(name, "Upgrade");
    dated = dated || base::equal_ignoring_case(name, "Date");
  }
  if (!dated) head.lines(context_.date_line());
  head.lines(response.prepared);
  head.lines(lines_);
  if (length) head.field("Content-Length", *length);
  if (delimiting == Delimiting::chunks) head.field("Transfer-Encoding", "chunked");
  if (offers_upgrade) head.field("Connection", "Upgrade");  // RFC 9110 section 7.8
  if (!keep_alive_) head.field("Connection", "close");
  else if (request_ != nullptr && request_->version == codec::HttpVersion::http10) head.field("Connection", "keep-alive");
  std::string text = std::move(head).finish();
  link_.out().append(text);
  context_.head_memory = std::move(text);
  end_.status = response.status;
}

/// Before an answer that does not wait for the body: whether the connection can go on behind it (RFC 9112 section 9.3). Who still
/// reads the body may stop at any time, and by then the head has long been sent.
void H1::forgo_body() {
  if (intake_ == Intake::complete) return;
  if (awaits_continue_ || body_.left() > context_.limits.dropped_body) keep_alive_ = false;
}

void H1::respond(Response response) {
  if (answered() || !open_) return;
  forgo_body();
  const std::string_view content = response.content.data() != nullptr ? response.content : std::string_view(response.body);
  const std::uint64_t whole = response.source ? response.source->size() : content.size();
  const std::uint64_t size = response.status == 205 ? 0 : whole;  // RFC 9110 section 15.3.6
  const bool tells_length = response.status >= 200 && response.status != 204 && (response.status != 304 || size != 0);
  write_head(response, tells_length ? std::optional(size) : std::nullopt, Delimiting::length);
  link_.touch();
  if (!has_body(response.status)) return answer_complete();
  if (response.source) {
    answer_ = Answer::from_source;
    answer_due_ = base::never;
    source_ = std::move(response.source);
    answer_left_ = size;
    return continue_source();
  }
  link_.out().append(content);
  end_.body_bytes = content.size();
  answer_complete();
}

/// Fills the queue up to the high-water mark and waits for room.
void H1::continue_source() {
  const std::size_t high_water = link_.limits().high_water;
  while (answer_left_ > 0 && link_.out().size() < high_water && !link_.ending()) {
    if (send_file_part()) return;
    if (answer_left_ == 0) break;
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(answer_left_, high_water - link_.out().size()));
    const std::size_t size = source_->read(link_.out(), most);
    if (size == 0) {  // the length is promised; only a broken connection tells that it was not kept
      link_.flush();  // answers before this one
      return link_.abort();
    }
    answer_left_ -= size;
    end_.body_bytes += size;
  }
  link_.touch();
  if (answer_left_ > 0) return link_.want_room();
  source_.reset();
  answer_complete();
}

/// Sends from a file without copying, where the carrier can. True: that is all for now.
bool H1::send_file_part() {
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
      link_.touch();
      return true;
    }
    source_->skip(*taken);
    sent += *taken;
    answer_left_ -= *taken;
    end_.body_bytes += *taken;
  }
  return false;
}

Flow H1::inform(int status, const Fields& fields) {
  if (answered() || !open_ || link_.ending()) return Flow::closed;
  if (request_->version == codec::HttpVersion::http10 || status < 102 || status > 199) return Flow::go;
  codec::ResponseHead head(status, std::move(context_.head_memory));
  for (const auto& [name, value] : fields)
    if (!is_framing(name)) head.field(name, value);
  std::string text = std::move(head).finish();
  link_.out().append(text);
  context_.head_memory = std::move(text);
  link_.touch();
  if (!link_.overfull()) return Flow::go;
  drain_owed_ = true;
  link_.want_room();
  return Flow::hold;
}

Flow H1::begin(Response response, std::optional<std::uint64_t> length) {
  if (answered() || !open_) return Flow::closed;
  const bool body = has_body(response.status);
  if (response.status == 205) length = 0;
  delimiting_ = length ? Delimiting::length : Delimiting::chunks;
  if (!length && request_->version == codec::HttpVersion::http10) {
    delimiting_ = Delimiting::close;
    if (body) keep_alive_ = false;
  }
  if (intake_ != Intake::reading) forgo_body();  // else the responder may well take all of it, and answer meanwhile
  const bool bare = response.status < 200 || response.status == 204 || response.status == 304;
  write_head(response, bare ? std::nullopt : length, bare ? Delimiting::length : delimiting_);
  answer_ = Answer::in_pieces;
  answer_due_ = base::never;
  answer_left_ = length.value_or(0);
  without_body_ = !body;
  link_.touch();
  return Flow::go;
}

Flow H1::write(std::string_view piece) {
  if (answer_ != Answer::in_pieces || !open_ || link_.ending()) return Flow::closed;
  if (delimiting_ == Delimiting::length) {
    if (piece.size() > answer_left_ && !without_body_) {
      fault("an answer is longer than the length it was begun with");
      return Flow::closed;
    }
    answer_left_ -= std::min<std::uint64_t>(piece.size(), answer_left_);
  }
  if (piece.empty() || without_body_) return Flow::go;
  if (link_.beyond_cap()) {
    fault("more of an answer was queued already than output_hard_cap when there was more of it; heed what write() returns");
    return Flow::closed;
  }
  base::OutQueue& out = link_.out();
  if (delimiting_ == Delimiting::chunks) {
    std::array<char, codec::max_chunk_header> header{};
    out.append({header.data(), codec::write_chunk_header(header.data(), piece.size())});
  }
  out.append(piece);
  if (delimiting_ == Delimiting::chunks) out.append("\r\n");
  end_.body_bytes += piece.size();
  link_.touch();
  if (!link_.overfull()) return Flow::go;
  drain_owed_ = true;
  link_.want_room();
  return Flow::hold;
}

void H1::end() {
  if (answer_ != Answer::in_pieces || !open_ || link_.ending()) return;
  if (delimiting_ == Delimiting::length && answer_left_ != 0 && !without_body_)
    return fault("an answer is shorter than the length it was begun with");
  if (delimiting_ == Delimiting::chunks && !without_body_) link_.out().append(codec::last_chunk);
  link_.touch();
  answer_complete();
}

void H1::abort() {
  if (!open_ || answer_ == Answer::complete) return;
  link_.flush();  // answers before this one
  link_.abort();
}

/// The handler broke its word.
void H1::fault(std::string_view what) {
  context_.log.error(base::LogKind("broken answers"), link_.address(), ": ", what, "; the connection is cut");
  link_.flush();  // answers before this one
  link_.abort();
}

void H1::answer_complete() {
  answer_ = Answer::complete;
  answer_due_ = base::never;
  end_.complete = true;
  if (calls_ > 0) return;  // who called sees to the end
  if (!responder_) return over();
  update_input();  // nobody wants the rest of the body any more; over() sees to it
  set_deadline(body_due());
  link_.want_room();
  link_.touch();
}

void H1::switch_to(std::string_view protocol, const Fields& fields, const NextSession& next) {
  if (answered() || !open_) return;
  codec::ResponseHead head(101);
  head.field("Upgrade", protocol);
  head.field("Connection", "Upgrade");
  for (const auto& [name, value] : fields) head.field(name, value);
  link_.out().append(std::move(head).finish());
  link_.resume_input();  // held for the requests behind this one
  link_.touch();
  answer_ = Answer::complete;
  end_ = {101, 0, true};
  tunnelled_ = true;
  if (forwarding_) link_.set_peer(forwarding_->client);  // the connection is this client's alone from here on
  try {
    link_.become(next(link_));
  } catch (...) {  // whoever is to follow has not, and the client has been told
    link_.abort();
    throw;
  }
}

}  // namespace wharf::session
