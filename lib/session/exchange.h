#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/out_queue.h"
#include "codec/http_head.h"
#include "session/link.h"

namespace wharf::session {

/// A response body that is pulled as the peer takes it.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// All of it, in bytes.
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Appends the next part, at most `most` bytes. 0 before size() bytes were given means that the rest can not be had.
  virtual std::size_t read(base::OutQueue& out, std::size_t most) = 0;
};

/// What a handler answers: `body`, or `source` where that is set.
struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> fields;  ///< without Date, Content-Length and Connection
  std::string body;
  std::unique_ptr<BodySource> source;
};

/// A short text/plain answer, one line.
Response text_response(int status, std::string_view line);

/// One request and its answer, whatever carries it.
class Exchange {
 public:
  /// Valid during Handler::handle().
  [[nodiscard]] virtual const codec::RequestHead& request() const = 0;
  [[nodiscard]] virtual Link& link() = 0;

  /// Answers. Exactly one of respond() and tunnel() is called, once.
  virtual void respond(Response response) = 0;

  /// Answers that the connection leaves HTTP for `protocol` (RFC 9110 section 7.8). Then link().become() takes the next session.
  virtual void tunnel(std::string_view protocol, const std::vector<std::pair<std::string, std::string>>& fields) = 0;

 protected:
  ~Exchange() = default;
};

/// What answers requests. One per loop.
class Handler {
 public:
  virtual void handle(Exchange& exchange) = 0;

 protected:
  ~Handler() = default;
};

}  // namespace wharf::session
