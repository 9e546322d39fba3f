// What both floors do with the bytes that they read. They differ only in how they read and write.
#pragma once
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "wire.h"

namespace bench {

inline constexpr std::size_t receive_size = 512 * 1024;

// All echoes of one read, which leave in one write: small ones are copied together, large payloads stay where they were read.
class Reply {
 public:
  Reply();
  void clear();
  void add(std::string_view text);
  void add(const FrameHeader& header, std::uint8_t* payload);
  // For a large payload in `storage`, not in the receive buffer.
  void keep(std::vector<std::uint8_t>&& storage) { kept_ = std::move(storage); }
  // Valid until the next call here or the next read.
  std::span<const iovec> pieces();
  std::size_t size() const { return size_; }

 private:
  void end_run();

  std::vector<std::uint8_t> copied_;  // never grows: no read can bring more than it holds
  std::size_t used_ = 0;
  std::size_t run_ = 0;  // start of the copied bytes that are not in a piece yet
  std::size_t size_ = 0;
  std::vector<iovec> pieces_;
  std::vector<std::uint8_t> kept_;
};

enum class Next { go_on, close };

// One connection: an upgrade request, then frames. Between reads it keeps only a part of a head or of a frame.
class Echo {
 public:
  // Unmasks in place. Next::close: send the reply, which says what was wrong if that is still possible, and close.
  Next take(std::span<std::uint8_t> received, Reply& reply);

 private:
  Next upgrade(std::span<std::uint8_t>& received, Reply& reply);
  Next finish_partial(std::span<std::uint8_t>& received, Reply& reply);

  bool upgraded_ = false;
  std::vector<std::uint8_t> partial_;
};

// The bytes that a write of `written` bytes left over, in one block.
std::vector<std::uint8_t> rest_of(std::span<const iovec> pieces, std::size_t written);

}  // namespace bench
