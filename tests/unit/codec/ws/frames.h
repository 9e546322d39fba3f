#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "codec/deflate.h"
#include "codec/ws/decoder.h"
#include "codec/ws/frame.h"

namespace wharf::codec {

inline constexpr std::uint64_t mebibyte = 1024 * 1024;

/// A server's frame. `first_byte` as on the wire: FIN, RSV1, opcode.
inline std::string plain_frame(unsigned first_byte, std::string_view payload) {
  std::string frame(max_frame_header, '\0');
  frame.resize(write_frame_header(frame.data(), Opcode::text, true, payload.size()));
  frame[0] = static_cast<char>(first_byte);
  return frame.append(payload);
}

/// A client's.
inline std::string masked_frame(unsigned first_byte, std::string payload) {
  constexpr MaskKey key{0x37, 0xFA, 0x21, 0x3D};
  std::string header(max_frame_header, '\0');
  header.resize(write_masked_frame_header(header.data(), Opcode::text, true, payload.size(), key));
  header[0] = static_cast<char>(first_byte);
  apply_mask(payload, key);
  return header + payload;
}

/// A whole message, compressed without context.
inline std::string compressed(std::string_view text) {
  Deflater deflater(15, {});
  std::string out;
  deflater.compress(text, Deflater::Piece::last, out);
  return out;
}

/// An event with a payload of its own; so that it can outlive the decoder's.
struct SeenEvent {
  WsEvent::Type type;
  WsPart part;
  std::string payload;
  WsError error;
};

/// All events of one input, up to `more` or an error.
inline std::vector<SeenEvent> events_of(WsDecoder& decoder, std::string input) {
  std::vector<SeenEvent> seen;
  for (std::span<char> rest(input);;) {
    const WsEvent event = decoder.next(rest);
    if (event.type == WsEvent::Type::more) return seen;
    seen.push_back({event.type, event.part, {event.payload.begin(), event.payload.end()}, event.error});
    if (event.type == WsEvent::Type::error) return seen;
  }
}

/// Their payloads, one after the other.
inline std::string text_of(const std::vector<SeenEvent>& events) {
  std::string text;
  for (const SeenEvent& event : events) text += event.payload;
  return text;
}

}  // namespace wharf::codec
