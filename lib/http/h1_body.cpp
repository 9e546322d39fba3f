#include "http/h1_body.h"

#include <algorithm>
#include <cstddef>

namespace wharf::session {

RequestBody::State RequestBody::next(std::string_view& bytes, std::string_view& piece) {
  if (done()) return State::done;
  if (chunks_) {
    switch (chunks_->next(bytes)) {
      case codec::ChunkedDecoder::State::more: return State::more;
      case codec::ChunkedDecoder::State::data: piece = chunks_->piece(); return State::piece;
      case codec::ChunkedDecoder::State::failed: return State::failed;
      case codec::ChunkedDecoder::State::done: chunks_.reset(); return State::done;
    }
  }
  if (bytes.empty()) return State::more;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  piece = bytes.substr(0, size);
  bytes.remove_prefix(size);
  left_ -= size;
  return State::piece;
}

}  // namespace wharf::session
