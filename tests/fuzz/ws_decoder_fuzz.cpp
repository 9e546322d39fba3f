#include "codec/ws_decoder.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/utf8.h"

// Input: four bytes that say which role, which limit and where to cut, then frames. The events are the same whole, cut, and byte by
// byte, and keep their promises.

namespace {

using namespace wharf::codec;
using Type = WsEvent::Type;

constexpr std::size_t control_bytes = 4;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

void check_event(const WsEvent& event, std::uint64_t limit) {
  const std::string_view payload(event.payload.data(), event.payload.size());
  const bool is_message = event.type == Type::text || event.type == Type::binary;
  require(!is_message || payload.size() <= limit, "a message is not longer than the limit");
  require(is_message || payload.size() <= max_control_payload, "a control payload is not longer than 125 bytes");
  require((event.type == Type::error) == (event.error != WsError::none), "an error event has an error, no other has");
  if (event.type == Type::text) require(is_utf8(payload), "text is valid UTF-8");
  if (event.type != Type::close) return;
  require(is_utf8(payload) && payload.size() <= max_close_reason, "a close reason is short UTF-8");
  require(event.code == 1005 ? payload.empty() : is_sendable_close_code(event.code), "a close code is one that may be sent");
}

/// Feeds pieces that lie in memory of their own and keeps the events as text.
class Run {
 public:
  Run(Role role, std::uint64_t limit) : decoder_(role, limit), limit_(limit) {}

  void feed(std::string_view piece) {
    const auto copy = std::make_unique<char[]>(piece.size());
    piece.copy(copy.get(), piece.size());
    std::span<char> input(copy.get(), piece.size());
    for (;;) {
      const std::size_t before = input.size();
      const WsEvent event = decoder_.next(input);
      check_event(event, limit_);
      if (failed_) {
        require(event.type == Type::error && input.size() == before, "an error stays and takes nothing");
        return;
      }
      if (event.type == Type::more) {
        require(input.empty(), "more is asked for only when all was taken");
        return;
      }
      require(!closed_, "nothing comes after a close");
      failed_ = event.type == Type::error;
      closed_ = event.type == Type::close;
      log_ += std::to_string(static_cast<int>(event.type)) + " " + std::to_string(static_cast<int>(event.error)) + " " +
              std::to_string(event.code) + " " + std::to_string(event.payload.size()) + ":";
      log_.append(event.payload.data(), event.payload.size());
      for (char& c : event.payload) c = 'z';  // the reader's to change
    }
  }
  [[nodiscard]] const std::string& log() const { return log_; }

 private:
  WsDecoder decoder_;
  std::uint64_t limit_;
  std::string log_;
  bool failed_ = false;
  bool closed_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const Role role = (data[0] & 1) == 0 ? Role::server : Role::client;
  const std::uint64_t limit = (data[0] & 2) == 0 ? 1024 * 1024 : data[1];
  const std::string_view frames(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);

  Run whole(role, limit);
  whole.feed(frames);

  Run cut(role, limit);
  std::uint32_t state = data[2] * 256U + data[3] + 1;
  for (std::size_t at = 0, length = 0; at < frames.size(); at += length) {
    state = state * 1664525 + 1013904223;
    length = (state >> 16) % (1U + data[2]);  // now and then nothing at all
    if (length == 0) cut.feed({});
    if (data[2] == 0) length = 1;
    cut.feed(frames.substr(at, length));
  }
  require(cut.log() == whole.log(), "cuts change nothing");
  return 0;
}
