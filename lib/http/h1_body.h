#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/out_queue.h"
#include "codec/http/chunked.h"
#include "codec/http/request_head.h"
#include "codec/http/response_head.h"
#include "link/link.h"

// The bodies of HTTP/1 (RFC 9112 sections 6 and 7), for both of its roles.

namespace wharf::session {

/// How the end of a body is known (RFC 9112 section 6.3).
enum class Delimiting : std::uint8_t {
  length,  // a number of bytes; 0 if there is no body
  chunks,
  close  // the body ends with the connection
};

/// The body of one request or response as it arrives.
class IncomingBody {
 public:
  enum class State : std::uint8_t { more, piece, done, failed };

  void begin(const codec::RequestHead& head, const codec::ChunkLimits& limits);
  /// For a response that a client gets. Trailer fields are dropped. `framing` is not malformed.
  void begin(const codec::AnswerFraming& framing, const codec::ChunkLimits& limits);

  /// Takes from the front of `bytes` and removes what it took. A piece is a view into them, never empty. Never done with
  /// Delimiting::close.
  State next(std::string_view& bytes, std::string_view& piece);

  [[nodiscard]] bool done() const { return delimiting_ == Delimiting::length && left_ == 0; }
  /// Bytes still to come, at least.
  [[nodiscard]] std::uint64_t left() const { return left_; }
  [[nodiscard]] bool in_chunks() const { return delimiting_ == Delimiting::chunks; }
  [[nodiscard]] bool until_close() const { return delimiting_ == Delimiting::close; }
  /// After failed.
  [[nodiscard]] codec::HeadError error() const { return chunks_->error(); }

 private:
  void begin_length(std::uint64_t length);
  void begin_chunks(const codec::ChunkLimits& limits, codec::Trailers trailers);

  std::uint64_t left_ = 0;
  std::unique_ptr<codec::ChunkedDecoder> chunks_;  // kept for the next body, without trailer fields
  Delimiting delimiting_ = Delimiting::length;
};

/// Queues a piece of a body that goes out. It is not empty.
void append_piece(base::OutQueue& out, Delimiting delimiting, std::string_view piece);
/// The same, but a large piece is written past the queue if that can be.
void write_piece(Link& link, Delimiting delimiting, std::string_view piece);
/// Queues what ends a body, without trailer fields.
void append_end(base::OutQueue& out, Delimiting delimiting);

}  // namespace wharf::session
