#include "files/body.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace wharf::server {
namespace {

/// Up to this many bytes are read and leave together with the text before them; more are sent without copying.
constexpr std::uint64_t copied_up_to = 16 * 1024;

}  // namespace

std::size_t read_at(int file, std::uint64_t offset, char* to, std::size_t size) {
  std::size_t got = 0;
  while (got < size) {
    const ssize_t part = ::pread(file, to + got, size - got, static_cast<off_t>(offset + got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) break;
    got += static_cast<std::size_t>(part);
  }
  return got;
}

// ---- FileRangeBody ----

std::size_t FileRangeBody::read(base::OutQueue& out, std::size_t most) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(most, left_));
  const std::size_t got = read_at(file_->get(), offset_, out.reserve(wanted), wanted);
  out.commit(got);
  skip(got);
  return got;
}

std::optional<session::FilePart> FileRangeBody::file_part(std::uint64_t& size) {
  if (size_ <= copied_up_to) return std::nullopt;
  size = left_;
  return session::FilePart{file_->get(), offset_};
}

void FileRangeBody::skip(std::uint64_t size) {
  offset_ += size;
  left_ -= size;
}

// ---- MemoryBody ----

std::size_t MemoryBody::read(base::OutQueue& out, std::size_t most) {
  const std::string_view piece = std::string_view(*bytes_).substr(used_, most);
  out.append(piece);
  used_ += piece.size();
  return piece.size();
}

// ---- MultipartFileBody ----

MultipartFileBody::MultipartFileBody(Shared<base::Descriptor> file, codec::MultipartRanges parts)
    : file_(std::move(file)), parts_(std::move(parts)), size_(parts_.content_length()) {
  next_part();
}

/// Takes the text and the bytes of the next part, or the text of the end.
void MultipartFileBody::next_part() {
  text_used_ = 0;
  bytes_.reset();
  if (part_ == parts_.ranges().size()) {
    text_ = parts_.closing();
    return;
  }
  const codec::ByteRange& range = parts_.ranges()[part_];
  text_ = parts_.part_head(part_++);
  bytes_.emplace(file_, range.first, range.size());
}

std::size_t MultipartFileBody::read(base::OutQueue& out, std::size_t most) {
  if (text_used_ < text_.size()) {
    const std::string_view piece = std::string_view(text_).substr(text_used_, most);
    out.append(piece);
    text_used_ += piece.size();
    return piece.size();
  }
  if (!bytes_) return 0;
  const std::size_t got = bytes_->read(out, most);
  if (bytes_->left() == 0) next_part();
  return got;
}

std::optional<session::FilePart> MultipartFileBody::file_part(std::uint64_t& size) {
  return text_used_ == text_.size() && bytes_ ? bytes_->file_part(size) : std::nullopt;
}

void MultipartFileBody::skip(std::uint64_t size) {
  bytes_->skip(size);
  if (bytes_->left() == 0) next_part();
}

}  // namespace wharf::server
