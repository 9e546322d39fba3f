#pragma once
#include <cstdint>
#include <memory>
#include <string_view>

#include "codec/http/chunked.h"
#include "codec/http/request_head.h"

namespace wharf::session {

/// The body of one request as it arrives: so many bytes, or chunks (RFC 9112 section 6).
class RequestBody {
 public:
  enum class State : std::uint8_t { more, piece, done, failed };

  void begin(const codec::RequestHead& head, const codec::ChunkLimits& limits) {
    chunks_.reset();
    left_ = head.body == codec::BodyFraming::length ? head.content_length : 0;
    if (head.body == codec::BodyFraming::chunked) chunks_ = std::make_unique<codec::ChunkedDecoder>(limits);
  }

  /// Takes from the front of `bytes` and removes what it took. A piece is a view into them, never empty.
  State next(std::string_view& bytes, std::string_view& piece);

  [[nodiscard]] bool done() const { return left_ == 0 && !chunks_; }
  /// Bytes still to come, at least.
  [[nodiscard]] std::uint64_t left() const { return left_; }
  [[nodiscard]] bool in_chunks() const { return chunks_ != nullptr; }
  /// After failed.
  [[nodiscard]] codec::HeadError error() const { return chunks_->error(); }

 private:
  std::uint64_t left_ = 0;
  std::unique_ptr<codec::ChunkedDecoder> chunks_;
};

}  // namespace wharf::session
