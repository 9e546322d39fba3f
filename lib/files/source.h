#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/descriptor.h"
#include "http/exchange.h"

namespace wharf::server {

/// A whole regular file as a response's body. Read on the loop's thread: if the page cache does not have it, the loop waits for the
/// disk.
class FileSource final : public session::BodySource {
 public:
  /// nullptr if there is no readable regular file of that path.
  static std::unique_ptr<session::BodySource> open(const char* path);

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  std::size_t read(base::OutQueue& out, std::size_t most) override;
  [[nodiscard]] std::optional<session::FilePart> file_part(std::uint64_t& size) override;
  void skip(std::uint64_t size) override { offset_ += size; }

 private:
  FileSource(base::Descriptor file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  base::Descriptor file_;
  std::uint64_t size_;
  std::uint64_t offset_ = 0;
};

}  // namespace wharf::server
