#include "ring.h"

#include <algorithm>
#include <random>

#include "wire.h"

namespace bench {

namespace {

constexpr std::size_t wanted_bytes = 256 * 1024;  // with more, the client's own cache misses would be measured
constexpr std::size_t most_wanted = 64;

void fill(std::span<std::uint8_t> payload, Kind kind, std::minstd_rand& random) {
  for (std::uint8_t& byte : payload) {
    const auto bits = random() >> 8;
    byte = static_cast<std::uint8_t>(kind == Kind::text ? 'a' + bits % 26 : bits & 0xff);
  }
}

}  // namespace

Ring::Ring(const LoadOptions& options) : payload_size_(options.size) {
  const auto first = static_cast<std::uint8_t>(0x80 | static_cast<unsigned>(options.kind));
  header_size_ = write_header(header_.data(), first, payload_size_, 0);
  frame_size_ = header_size_ + sizeof(Mask) + payload_size_;
  count_ = std::max(options.in_flight + 1, std::clamp<std::size_t>(wanted_bytes / frame_size_, 2, most_wanted));
  frames_.resize(count_ * frame_size_);
  payloads_.resize(count_ * payload_size_);
  std::minstd_rand random(7);
  for (std::size_t i = 0; i < count_; ++i) {
    std::uint8_t* frame = frames_.data() + i * frame_size_;
    std::uint8_t* plain = payloads_.data() + i * payload_size_;
    fill({plain, payload_size_}, options.kind, random);
    Mask mask;
    fill(mask, Kind::binary, random);
    const std::size_t header = write_header(frame, first, payload_size_, 0x80);
    std::copy(mask.begin(), mask.end(), frame + header);
    apply_mask(frame + header + sizeof(Mask), plain, payload_size_, mask);
  }
}

std::size_t Ring::pieces(std::size_t position, std::size_t size, std::array<iovec, 2>& into) const {
  auto* base = const_cast<std::uint8_t*>(frames_.data());
  const std::size_t before_wrap = std::min(size, frames_.size() - position);
  into[0] = {base + position, before_wrap};
  into[1] = {base, size - before_wrap};
  return before_wrap < size ? 2 : 1;
}

}  // namespace bench
