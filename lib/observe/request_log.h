#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "http/exchange.h"
#include "link/environment.h"
#include "observe/access_log.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// The access log of one virtual host on one loop: a line for each exchange, when it ends.
class RequestLog {
 public:
  /// `outside` may be nullptr: then each line is handed over at once. The error is one line.
  static base::Result<std::unique_ptr<RequestLog>, std::string> open(const AccessLogFile& file, Outside* outside, base::Log& log);

  /// What is known of one exchange so far. Written when the exchange ends.
  class Line;
  /// The line of this exchange, which it gets at the first call.
  Line& line(session::Exchange& exchange);

  /// A line for a head that was refused as no request.
  void refused(const session::LinkPeer& peer, const session::ExchangeEnd& end);

  void reopen();

 private:
  RequestLog(std::unique_ptr<AccessLog> file, LogFormat format, Outside* outside);
  void write(const Line& line, const session::ExchangeEnd& end);
  void flush_soon();

  std::unique_ptr<AccessLog> file_;
  LogFormat format_;
  Outside* outside_;
  bool flush_due_ = false;
};

class RequestLog::Line final : public session::ExchangeObserver {
 public:
  Line(RequestLog& log, const session::LinkPeer& peer);
  void ended(const session::ExchangeEnd& end) override { log_.write(*this, end); }
  [[nodiscard]] const void* owner() const override { return &log_; }

  std::string user;
  std::string protocol;  ///< if it became a WebSocket

 private:
  friend class RequestLog;

  RequestLog& log_;
  base::PeerAddress address_;
  std::string method_;
  std::string target_;
  std::string referer_;
  std::string user_agent_;
  std::string host_;
  std::string tls_version_;
  std::string tls_cipher_;
  std::string_view tls_resumed_;
  std::string_view version_;
  std::int64_t began_ = 0;    // microseconds since 1970
  std::int64_t started_ = 0;  // microseconds of the monotonic clock
};

}  // namespace wharf::server
