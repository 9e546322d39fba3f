#include "codec/ws/encoder.h"

#include <utility>

namespace wharf::codec {
namespace {

constexpr unsigned compressed_bit = 0x40;  // RSV1 (RFC 7692 section 6)

void mark_compressed(char& first_byte) { first_byte = static_cast<char>(static_cast<unsigned char>(first_byte) | compressed_bit); }

}  // namespace

std::size_t WsOutFrame::write_header(char* out) const {
  const std::size_t size = write_frame_header(out, opcode, is_final, payload.size());
  if (is_compressed) mark_compressed(out[0]);
  return size;
}

std::size_t WsOutFrame::write_masked_header(char* out, MaskKey key) const {
  const std::size_t size = write_masked_frame_header(out, opcode, is_final, payload.size(), key);
  if (is_compressed) mark_compressed(out[0]);
  return size;
}

WsEncoder::~WsEncoder() = default;

void WsEncoder::deflate_with(const DeflateSettings& settings, int window_bits, DeflateContext context) {
  settings_ = &settings;
  window_bits_ = static_cast<std::uint8_t>(window_bits);
  context_ = context;
  choice_ = settings.choice;
}

WsEncoder::Fault WsEncoder::encode(Opcode kind, WsPart part, std::string_view data, WsOutFrame& frame) {
  if (is_first(part) == in_message()) return Fault::out_of_turn;
  const Opcode message = is_first(part) ? kind : kind_;
  if (message == Opcode::text) {
    Utf8 text = is_first(part) ? Utf8() : text_;
    if (part == WsPart::whole ? !is_utf8(data) : !text.feed(data) || (is_last(part) && !text.complete()))
      return Fault::text_not_utf8;
    text_ = text;
  }
  frame = {is_first(part) ? kind : Opcode::continuation, is_last(part), false, data};
  // The length of a message in pieces is not known.
  if (is_first(part)) compresses_ = settings_ != nullptr && (part != WsPart::whole || data.size() >= compress_from());
  if (compresses_) compress(data, part, frame);
  kind_ = is_last(part) ? Opcode::continuation : message;
  return Fault::none;
}

void WsEncoder::compress(std::string_view data, WsPart part, WsOutFrame& frame) {
  DeflatePool& pool = *settings_->pool;
  if (deflater_ == nullptr) deflater_ = pool.take_deflater(window_bits_, settings_->tuning);
  std::string& packed = pool.packed();
  deflater_->compress(data, is_last(part) ? Deflater::Piece::last : Deflater::Piece::more_follows, packed);
  const bool keeps = context_ == DeflateContext::kept;
  if (is_last(part) && !keeps) pool.give_back(std::move(deflater_), window_bits_, settings_->tuning);
  // A whole message that did not become shorter is sent uncompressed, unless the peer needs it for the next ones.
  if (part == WsPart::whole && !keeps && choice_ == DeflateChoice::worthwhile && packed.size() >= data.size()) return;
  frame.is_compressed = is_first(part);
  frame.payload = packed;
}

void WsEncoder::forget() {
  if (!in_message()) deflater_.reset();
}

}  // namespace wharf::codec
