#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/shared.h"
#include "codec/http/multipart_range.h"
#include "codec/http/range.h"
#include "files/open_folder.h"
#include "http/exchange.h"

namespace wharf::server {

/// Reads up to `size` bytes from a place of a file. Fewer: the file ends there, or cannot be read on.
std::size_t read_at(int file, std::uint64_t offset, char* to, std::size_t size);

/// Some bytes of a file in one piece. Read on the loop's thread: if the page cache does not have them, the loop waits for the disk.
class FileRangeBody final : public session::BodySource {
 public:
  FileRangeBody(Shared<base::Descriptor> file, std::uint64_t first, std::uint64_t size)
      : file_(std::move(file)), size_(size), offset_(first), left_(size) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  std::size_t read(base::OutQueue& out, std::size_t most) override;
  [[nodiscard]] std::optional<session::FilePart> file_part(std::uint64_t& size) override;
  void skip(std::uint64_t size) override;
  [[nodiscard]] std::uint64_t left() const { return left_; }

 private:
  Shared<base::Descriptor> file_;
  std::uint64_t size_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

/// Bytes that are in memory already, without copying all of them for each slow client.
class MemoryBody final : public session::BodySource {
 public:
  explicit MemoryBody(Shared<std::string> bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] std::uint64_t size() const override { return bytes_->size(); }
  std::size_t read(base::OutQueue& out, std::size_t most) override;

 private:
  Shared<std::string> bytes_;
  std::size_t used_ = 0;
};

/// Several ranges of a file, as multipart/byteranges.
class MultipartFileBody final : public session::BodySource {
 public:
  MultipartFileBody(Shared<base::Descriptor> file, codec::MultipartRanges parts);

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  std::size_t read(base::OutQueue& out, std::size_t most) override;
  [[nodiscard]] std::optional<session::FilePart> file_part(std::uint64_t& size) override;
  void skip(std::uint64_t size) override;

 private:
  void next_part();

  Shared<base::Descriptor> file_;
  codec::MultipartRanges parts_;
  std::uint64_t size_;
  std::size_t part_ = 0;  // the number of parts that have begun; the one behind the last is the closing delimiter
  std::string text_;      // before the bytes of the part
  std::size_t text_used_ = 0;
  std::optional<FileRangeBody> bytes_;  // of the part
};

}  // namespace wharf::server
