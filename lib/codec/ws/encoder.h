#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>

#include "codec/deflate_pool.h"
#include "codec/utf8.h"
#include "codec/ws/frame.h"
#include "wharf/limits.hpp"

namespace wharf::codec {

/// Which messages are compressed: those that become shorter, or all of them, for a peer that cannot read uncompressed ones.
enum class DeflateChoice : std::uint8_t { worthwhile, all };

/// How an end compresses what it sends. Conversations of one kind share it.
struct DeflateSettings {
  DeflatePool* pool = nullptr;
  DeflateTuning tuning;
  /// Bytes: shorter whole messages are sent uncompressed, unless all are to be compressed.
  std::uint64_t from = StandardCompression{}.from_dedicated;
  DeflateChoice choice = DeflateChoice::worthwhile;
};

/// A frame that is ready except for its header and its mask.
struct WsOutFrame {
  Opcode opcode = Opcode::text;
  bool is_final = true;
  bool is_compressed = false;
  std::string_view payload;

  /// Writes the header of the frame without a mask; `out` has room for 10 bytes. Returns the bytes written.
  std::size_t write_header(char* out) const;
  /// The same with a mask; `out` has room for 14 bytes. The payload is yet to be masked.
  std::size_t write_masked_header(char* out, MaskKey key) const;
};

/// Turns messages, whole or in pieces, into frames (RFC 6455 sections 5 and 8.1, RFC 7692): no I/O. Between two messages it owns no
/// memory except the context, if that is kept.
class WsEncoder {
 public:
  enum class Fault : std::uint8_t {
    none,
    text_not_utf8,  ///< the text, or the part of it sent so far, cannot be or become valid
    out_of_turn,    ///< a first piece or whole message within a message, or another piece outside of one
  };

  WsEncoder() = default;
  ~WsEncoder();
  WsEncoder(const WsEncoder&) = delete;
  WsEncoder& operator=(const WsEncoder&) = delete;
  WsEncoder(WsEncoder&&) noexcept = default;
  WsEncoder& operator=(WsEncoder&&) noexcept = default;

  /// Before the first message: compress with a window of `window_bits`, 8 to 15. `settings` and their pool outlive this.
  void deflate_with(const DeflateSettings& settings, int window_bits, DeflateContext context);
  /// This peer's messages are all compressed, whatever the settings say.
  void compress_all() { choice_ = DeflateChoice::all; }
  /// The least size, in bytes, of a whole message that may be compressed.
  [[nodiscard]] std::uint64_t compress_from() const {
    if (settings_ == nullptr) return std::numeric_limits<std::uint64_t>::max();
    return choice_ == DeflateChoice::all ? 0 : settings_->from;
  }

  /// The frame for a piece of a message. `kind` is text or binary and counts with the first piece; text may be cut anywhere. The
  /// payload is
  /// `data`, or lies in the pool until that is used again. After a fault nothing has changed. Throws std::bad_alloc; then the message under
  /// way cannot go on.
  Fault encode(Opcode kind, WsPart part, std::string_view data, WsOutFrame& frame);

  /// Whether a message was begun in pieces and not ended.
  [[nodiscard]] bool in_message() const { return kind_ != Opcode::continuation; }

  /// Frees the memory of a kept context: the next message builds on nothing. Not within a message.
  void forget();

 private:
  void compress(std::string_view data, WsPart part, WsOutFrame& frame);

  const DeflateSettings* settings_ = nullptr;
  std::unique_ptr<Deflater> deflater_;  // of the message under way, or of the context that is kept
  std::uint8_t window_bits_ = 0;
  DeflateContext context_ = DeflateContext::forgotten;
  DeflateChoice choice_ = DeflateChoice::worthwhile;
  Opcode kind_ = Opcode::continuation;  // of the message under way; continuation: none
  bool compresses_ = false;             // it
  Utf8 text_;
};

}  // namespace wharf::codec
