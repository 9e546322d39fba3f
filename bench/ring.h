// The messages that the load client sends, built once: a ring of masked frames, each with another payload, so that an echo that
// belongs to another message or another connection is noticed.
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "load_options.h"

namespace bench {

class Ring {
 public:
  explicit Ring(const LoadOptions& options);

  std::size_t count() const { return count_; }
  std::size_t frame_size() const { return frame_size_; }
  std::size_t bytes() const { return frames_.size(); }
  std::size_t answer_size() const { return header_size_ + payload_size_; }
  // The header with which every echo begins: one frame, not masked, as long as what was sent.
  std::span<const std::uint8_t> answer_header() const { return {header_.data(), header_size_}; }
  std::span<const std::uint8_t> payload(std::size_t index) const {
    return {payloads_.data() + index * payload_size_, payload_size_};
  }
  // `size` bytes, at most bytes(), of the endless row of frames from `position` in the ring; one piece, or two where it wraps.
  std::size_t pieces(std::size_t position, std::size_t size, std::array<iovec, 2>& into) const;

 private:
  std::size_t payload_size_;
  std::size_t count_ = 0;
  std::size_t frame_size_ = 0;
  std::array<std::uint8_t, 10> header_{};
  std::size_t header_size_ = 0;
  std::vector<std::uint8_t> frames_;
  std::vector<std::uint8_t> payloads_;
};

}  // namespace bench
