#include "http/h1_body.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace wharf::session {
namespace {

constexpr std::string_view chunk_end = "\r\n";

/// The line before a chunk's data.
class ChunkHeader {
 public:
  explicit ChunkHeader(std::size_t size) : size_(codec::write_chunk_header(line_.data(), size)) {}
  [[nodiscard]] std::string_view text() const { return {line_.data(), size_}; }

 private:
  std::array<char, codec::max_chunk_header> line_{};
  std::size_t size_;
};

}  // namespace

// ---- In ----

void IncomingBody::begin(const codec::RequestHead& head, const codec::ChunkLimits& limits) {
  if (head.body == codec::BodyFraming::chunked) begin_chunks(limits, codec::Trailers::kept);
  else begin_length(head.body == codec::BodyFraming::length ? head.content_length : 0);
}

void IncomingBody::begin(const codec::AnswerFraming& framing, const codec::ChunkLimits& limits) {
  if (framing.body == codec::AnswerBody::chunked) begin_chunks(limits, codec::Trailers::dropped);
  else begin_length(framing.body == codec::AnswerBody::length ? framing.content_length : 0);
  if (framing.body == codec::AnswerBody::until_close) delimiting_ = Delimiting::close;
}

void IncomingBody::begin_length(std::uint64_t length) {
  delimiting_ = Delimiting::length;
  left_ = length;
}

void IncomingBody::begin_chunks(const codec::ChunkLimits& limits, codec::Trailers trailers) {
  delimiting_ = Delimiting::chunks;
  left_ = 0;
  if (chunks_) *chunks_ = codec::ChunkedDecoder(limits, trailers);
  else chunks_ = std::make_unique<codec::ChunkedDecoder>(limits, trailers);
}

IncomingBody::State IncomingBody::next(std::string_view& bytes, std::string_view& piece) {
  if (done()) return State::done;
  if (in_chunks()) {
    switch (chunks_->next(bytes)) {
      case codec::ChunkedDecoder::State::more: return State::more;
      case codec::ChunkedDecoder::State::data: piece = chunks_->piece(); return State::piece;
      case codec::ChunkedDecoder::State::failed: return State::failed;
      case codec::ChunkedDecoder::State::done:
        delimiting_ = Delimiting::length;
        if (!chunks_->trailers().empty()) chunks_.reset();
        return State::done;
    }
  }
  if (bytes.empty()) return State::more;
  const auto size = until_close() ? bytes.size() : static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  piece = bytes.substr(0, size);
  bytes.remove_prefix(size);
  if (!until_close()) left_ -= size;
  return State::piece;
}

// ---- Out ----

void append_piece(base::OutQueue& out, Delimiting delimiting, std::string_view piece) {
  if (delimiting != Delimiting::chunks) return out.append(piece);
  out.append(ChunkHeader(piece.size()).text());
  out.append(piece);
  out.append(chunk_end);
}

void write_piece(Link& link, Delimiting delimiting, std::string_view piece) {
  if (piece.size() < write_through_from) return append_piece(link.out(), delimiting, piece);
  if (delimiting != Delimiting::chunks) return link.write_through({}, piece);
  link.write_through(ChunkHeader(piece.size()).text(), piece);
  link.out().append(chunk_end);
}

void append_end(base::OutQueue& out, Delimiting delimiting) {
  if (delimiting == Delimiting::chunks) out.append(codec::last_chunk);
}

}  // namespace wharf::session
