#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/ws/decoder.h"
#include "codec/ws/frame.h"

/// The frames that a WebSocket client sends, and a reader for those that it gets. For tests.
namespace wharf::test {

enum class Fin : std::uint8_t { more, last };

/// A masked frame.
inline std::string frame(codec::Opcode opcode, std::string_view payload, Fin fin = Fin::last) {
  constexpr codec::MaskKey key{0x9A, 0x00, 0xFF, 0x31};
  std::string bytes(codec::max_frame_header, '\0');
  bytes.resize(codec::write_masked_frame_header(bytes.data(), opcode, fin == Fin::last, payload.size(), key));
  const std::size_t head = bytes.size();
  bytes += payload;
  codec::apply_mask(std::span(bytes).subspan(head), key);
  return bytes;
}
inline std::string text(std::string_view payload) { return frame(codec::Opcode::text, payload); }
inline std::string binary(std::string_view payload) { return frame(codec::Opcode::binary, payload); }
inline std::string ping(std::string_view payload = {}) { return frame(codec::Opcode::ping, payload); }
inline std::string pong(std::string_view payload = {}) { return frame(codec::Opcode::pong, payload); }
inline std::string close_frame() { return frame(codec::Opcode::close, {}); }
inline std::string close_frame(unsigned code, std::string_view reason = {}) {
  return frame(codec::Opcode::close, std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)}.append(reason));
}

/// One frame or message of the server: as a word like "text abc", "binary 300 bytes" (more than 100), "ping x", "pong x",
/// "close 1000 bye", "error: why", and its whole payload.
struct Received {
  std::string word;
  std::string payload;
};

class FrameReader {
 public:
  /// To allow the server more than plain frames.
  codec::WsDecoder& decoder() { return decoder_; }

  /// The frames and messages that are complete by now.
  std::vector<Received> read_whole(std::string bytes) {
    std::vector<Received> all;
    std::span<char> rest(bytes);
    for (;;) {
      const codec::WsEvent event = decoder_.next(rest);
      if (event.type == codec::WsEvent::Type::more) return all;
      const std::string payload(event.payload.data(), event.payload.size());
      all.push_back({word(event, payload), payload});
      if (event.type == codec::WsEvent::Type::error) return all;
    }
  }
  /// The same, words alone.
  std::vector<std::string> read(std::string bytes) {
    std::vector<std::string> words;
    for (Received& received : read_whole(std::move(bytes))) words.push_back(std::move(received.word));
    return words;
  }

 private:
  static std::string word(const codec::WsEvent& event, const std::string& payload) {
    using Type = codec::WsEvent::Type;
    const std::string shown = payload.size() > 100 ? std::to_string(payload.size()) + " bytes" : payload;
    switch (event.type) {
      case Type::text: return "text " + shown;
      case Type::binary: return "binary " + shown;
      case Type::ping: return "ping " + shown;
      case Type::pong: return "pong " + shown;
      case Type::close: return "close " + std::to_string(event.code) + (payload.empty() ? "" : " ") + payload;
      case Type::error: return "error: " + std::string(codec::message(event.error));
      case Type::more: break;
    }
    return {};
  }

  codec::WsDecoder decoder_{codec::Role::client, std::uint64_t{1} << 32};
};

}  // namespace wharf::test
