#include "observe/request_log.h"

#include <chrono>
#include <utility>

#include "observe/access_entry.h"

namespace wharf::server {
namespace {

template <class Clock>
std::int64_t microseconds_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

base::Result<std::unique_ptr<RequestLog>, std::string> RequestLog::open(const AccessLogFile& file, Outside* outside,
                                                                        base::Log& log) {
  auto opened = AccessLog::open(file.file, [&log](const std::string& text) { log.error(base::LogKind("the access log"), text); });
  if (!opened) return base::Failure{opened.error()};
  return std::unique_ptr<RequestLog>(new RequestLog(std::move(*opened), file.format, outside));
}

RequestLog::RequestLog(std::unique_ptr<AccessLog> file, LogFormat format, Outside* outside)
    : file_(std::move(file)), format_(format), outside_(outside) {}

/// The combined format has no place for TLS.
RequestLog::Line::Line(RequestLog& log, const session::LinkPeer& peer)
    : log_(log),
      address_(peer.address),
      began_(microseconds_now<std::chrono::system_clock>()),
      started_(microseconds_now<std::chrono::steady_clock>()) {
  if (peer.tls == nullptr || log.format_ != LogFormat::json) return;
  tls_version_ = peer.tls->version;
  tls_cipher_ = peer.tls->cipher;
  tls_resumed_ = peer.tls->resumed;
}

RequestLog::Line& RequestLog::line(session::Exchange& exchange) {
  if (session::ExchangeObserver* const known = exchange.observer(this)) return static_cast<Line&>(*known);
  auto made = std::make_unique<Line>(*this, exchange.peer());
  Line& line = *made;
  const codec::RequestHead& head = exchange.request();
  line.address_ = exchange.client();
  line.method_ = head.method;
  line.target_ = head.target;
  line.version_ = codec::name_of(head.version);
  line.referer_ = head.field("Referer");
  line.user_agent_ = head.field("User-Agent");
  line.host_ = head.host;
  exchange.observe(std::move(made));
  return line;
}

void RequestLog::refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) { write(Line(*this, peer), end); }

void RequestLog::write(const Line& line, const session::ExchangeEnd& end) {
  AccessEntry entry;
  entry.address = line.address_;
  entry.user = line.user;
  entry.time = static_cast<std::time_t>(line.began_ / 1'000'000);
  entry.microseconds = static_cast<std::uint32_t>(line.began_ % 1'000'000);
  entry.method = line.method_;
  entry.target = line.target_;
  entry.version = line.version_;
  entry.status = end.status;
  entry.body_bytes = end.body_bytes;
  entry.referer = line.referer_;
  entry.user_agent = line.user_agent_;
  entry.host = line.host_;
  entry.duration = static_cast<std::uint64_t>(microseconds_now<std::chrono::steady_clock>() - line.started_);
  entry.protocol = line.protocol;
  entry.tls_version = line.tls_version_;
  entry.tls_cipher = line.tls_cipher_;
  entry.tls_resumed = line.tls_resumed_;
  entry.delivery = end.complete ? AccessEntry::Delivery::whole : AccessEntry::Delivery::cut;
  file_->write(format_ == LogFormat::json ? json_line(entry) : combined_line(entry));
  flush_soon();
}

/// Once for all lines of a turn of the loop.
void RequestLog::flush_soon() {
  if (outside_ == nullptr) return file_->flush();
  if (flush_due_) return;
  outside_->at_turn_end([this] {
    flush_due_ = false;
    file_->flush();
  });
  flush_due_ = true;
}

void RequestLog::reopen() { file_->reopen(); }

}  // namespace wharf::server
