// How responses are framed in HTTP/1.
#include <string>
#include <utility>

#include "base/ascii.h"
#include "codec/http/head_writer.h"
#include "http/h1.h"

namespace wharf::session {
void H1::send_head(const Response& response, Content content, std::optional<std::uint64_t> length) {
  HttpContext& context = this->context();
  codec::ResponseHead text(response.status, std::move(context.head_memory));
  bool offers_upgrade = false;
  bool dated = false;  // by the server that made the response (RFC 9110 section 6.6.1)
  const codec::PreparedFields::Part prepared = fields();
  const bool replaces = !response.fields.empty() && prepared.replaces();
  for (const auto& [name, value] : response.fields) {
    if (codec::is_framing_field(name) || (replaces && prepared.replace(name))) continue;
    text.field(name, value);
    offers_upgrade = offers_upgrade || base::equal_ignoring_case(name, "Upgrade");
    dated = dated || base::equal_ignoring_case(name, "Date");
  }
  if (!dated) text.lines(context.date_line());
  text.lines(response.prepared.lines());
  text.lines(prepared.lines());
  delimiting_ = Delimiting::length;
  if (length) text.content_length(*length);
  if (content == Content::open) {
    delimiting_ = head()->takes_chunks() ? Delimiting::chunks : Delimiting::close;
    if (delimiting_ == Delimiting::chunks) text.field("Transfer-Encoding", "chunked");
    else if (has_body(response.status)) persistence_ = Persistence::last;
  }
  if (offers_upgrade) text.field("Connection", "Upgrade");  // RFC 9110 section 7.8
  const codec::RequestHead* const asked = head();
  if (is_last()) text.field("Connection", "close");
  else if (asked != nullptr && asked->version == codec::HttpVersion::http10) text.field("Connection", "keep-alive");
  std::string whole = std::move(text).finish();
  link().out().append(whole);
  context.head_memory = std::move(whole);
}

void H1::send_piece(std::string_view piece) { append_piece(link().out(), delimiting_, piece); }

void H1::send_end() { append_end(link().out(), delimiting_); }

void H1::send_interim(int status, const Fields& fields) {
  codec::ResponseHead text(status, std::move(context().head_memory));
  for (const auto& [name, value] : fields)
    if (!codec::is_framing_field(name)) text.field(name, value);
  std::string whole = std::move(text).finish();
  link().out().append(whole);
  context().head_memory = std::move(whole);
  link().touch();
}

int H1::send_switch(std::string_view protocol, const Fields& fields) {
  codec::ResponseHead text(101);
  text.field("Upgrade", protocol);
  text.field("Connection", "Upgrade");
  const codec::PreparedFields::Part prepared = ExchangeCore::fields();
  for (const auto& [name, value] : fields)
    if (!prepared.replace(name)) text.field(name, value);
  text.lines(prepared.always());
  link().out().append(std::move(text).finish());
  return 101;
}

/// Only a broken connection tells a client that the rest of a response will not come. Responses before this one still leave.
void H1::reset(Reason /*reason*/) {
  link().flush();
  link().abort();
}

}  // namespace wharf::session
