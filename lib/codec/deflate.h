#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "wharf/limits.hpp"

struct z_stream_s;

namespace wharf::codec {

/// How hard and with how much memory to compress; zlib's terms. docs/compression.md has measurements.
struct DeflateTuning {
  int level{StandardCompression{}.level};                ///< 1 to 9
  int memory_level{StandardCompression{}.memory_level};  ///< 1 to 9

  friend bool operator==(const DeflateTuning&, const DeflateTuning&) = default;
};

/// The compressing half of permessage-deflate (RFC 7692 section 7.2.1). Its context, what it remembers of earlier messages, is kept
/// from message to message until reset(). After a move only an assignment is allowed.
class Deflater {
 public:
  /// The most that one has allocated, in bytes.
  static constexpr std::size_t memory(int window_bits, int memory_level) {
    constexpr std::size_t state = 6 * 1024;
    return (std::size_t{1} << ((window_bits < 9 ? 9 : window_bits) + 2)) + (std::size_t{1} << (memory_level + 9)) + state;
  }

  /// `window_bits` 8 to 15. zlib has no window of 256 bytes: for 8 it gets one of 512, in which it never refers back more than 250
  /// bytes, so that a peer with a window of 256 bytes can read the result.
  /// Throws std::bad_alloc, and std::invalid_argument for a value out of its range.
  Deflater(int window_bits, DeflateTuning tuning);
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater();
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;

  /// The place of a piece in its message.
  enum class Piece : std::uint8_t { more_follows, last };

  /// Compresses a piece of a message, or all of it, and appends the payload of a frame to `out`: everything so far can be inflated
  /// from it, and at the end of a message the four bytes 00 00 FF FF are left out (section 7.2.1). An empty piece that is not the
  /// last adds nothing. Throws std::bad_alloc; after that only reset() and destruction are allowed.
  void compress(std::string_view piece, Piece place, std::string& out);

  /// Forgets the context, as no_context_takeover demands between messages.
  void reset();

 private:
  struct End {
    void operator()(z_stream_s* stream) const;
  };
  std::unique_ptr<z_stream_s, End> stream_;
};

/// The inflating half (RFC 7692 section 7.2.2), incremental, with an upper limit for its output. After a move only an assignment is
/// allowed.
class Inflater {
 public:
  enum class Status : std::uint8_t {
    more,     ///< all input was used, and all of its content came out
    full,     ///< the room is used up; more may come out, even if no input is left
    invalid,  ///< not a DEFLATE stream, or one that refers back beyond its window; sticky until reset()
  };

  /// The most that one has allocated, in bytes. The window is allocated with the first byte that comes out, and kept.
  static constexpr std::size_t memory(int window_bits) {
    constexpr std::size_t state = 7 * 1024 + 512;
    return (std::size_t{1} << window_bits) + state;
  }

  /// `window_bits` 8 to 15: at least those of the peer's compressor.
  /// Throws std::bad_alloc, and std::invalid_argument for a value out of its range.
  explicit Inflater(int window_bits);
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  /// Inflates from the front of `input`, which shrinks by what was used, into `room`; `written` says how much came out. A block
  /// that says it is the last of its stream (BFINAL, section 7.2.3.4) does not end the context: a new stream goes on with it. Every
  /// call uses input, fills room or returns. To see whether a message ends right at a limit, give a byte of room beyond it. A
  /// stream that refers back beyond its window is found out if the bytes that it refers to are gone: that is not always so if the
  /// window is smaller than 2^15 and the room is larger than the window. Throws std::bad_alloc.
  Status inflate(std::string_view& input, char* room, std::size_t room_size, std::size_t& written);

  /// The bytes that a sender leaves out at the end of a message; they are inflated behind it.
  static constexpr std::string_view tail{"\0\0\xFF\xFF", 4};

  /// Whether a message may end here, asked after its tail was inflated: the bytes so far end with a block, on a byte boundary.
  /// Otherwise the message broke off, and the next one could not be read either.
  [[nodiscard]] bool at_boundary() const { return at_boundary_ && !invalid_; }

  /// Forgets the context and any fault.
  void reset();

 private:
  struct End {
    void operator()(z_stream_s* stream) const;
  };

  std::unique_ptr<z_stream_s, End> stream_;
  bool at_boundary_ = true;
  bool invalid_ = false;
};

}  // namespace wharf::codec
