#include "codec/ws/decoder.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "codec/deflate_pool.h"
#include "codec/utf8.h"
#include "fuzz/promise.h"

// Input: four bytes that say which role, which limit, whether and how frames may be compressed, and where to cut; then frames. The
// events are the same whole, cut, and byte by byte, handed out in messages or in pieces, and keep their promises.

namespace {

using namespace wharf::codec;
using Type = WsEvent::Type;

constexpr std::size_t control_bytes = 4;

std::string_view payload_of(const WsEvent& event) { return {event.payload.data(), event.payload.size()}; }
bool is_message(const WsEvent& event) { return event.type == Type::text || event.type == Type::binary; }

void check_event(const WsEvent& event) {
  const std::string_view payload = payload_of(event);
  require(is_message(event) || payload.size() <= max_control_payload, "a control payload is not longer than 125 bytes");
  require((event.type == Type::error) == (event.error != WsError::none), "an error event has an error, no other has");
  if (event.type == Type::text) require(is_utf8(payload), "text is valid UTF-8, each piece of it is");
  if (event.type != Type::close) return;
  require(is_utf8(payload) && payload.size() <= max_close_reason, "a close reason is short UTF-8");
  require(event.code == 1005 ? payload.empty() : is_sendable_close_code(event.code), "a close code is one that may be sent");
}

enum class HandOut : std::uint8_t { messages, pieces };

/// What the control bytes say.
struct Settings {
  Role role;
  std::uint64_t limit;
  bool deflates;
  DeflateContext context;
  int window_bits;
};

/// Feeds bytes that lie in memory of their own and keeps the events as text, pieces put together again.
class Run {
 public:
  Run(const Settings& settings, HandOut hand_out)
      : decoder_(settings.role, settings.limit), settings_(settings), hands_out_(hand_out) {
    if (hand_out == HandOut::pieces) decoder_.hand_out_pieces();
    if (settings.deflates) decoder_.inflate_with(pool_, settings.window_bits, settings.context);
  }

  void feed(std::string_view bytes) {
    const auto copy = std::make_unique<char[]>(bytes.size());
    bytes.copy(copy.get(), bytes.size());
    std::span<char> input(copy.get(), bytes.size());
    for (;;) {
      const std::size_t before = input.size();
      const bool promises_more = before != 0 || decoder_.has_more();
      const WsEvent event = decoder_.next(input);
      check_event(event);
      if (error_ != WsError::none) {
        require(event.type == Type::error && event.error == error_ && input.size() == before, "an error stays and takes nothing");
        return;
      }
      if (event.type == Type::more) {
        require(input.empty() && !decoder_.has_more(), "more is asked for only when all was taken and has come out");
        return;
      }
      require(promises_more, "nothing comes of no input where nothing was promised");
      require(!closed_, "nothing comes after a close");
      take(event);
      for (char& c : event.payload) c = 'z';  // the reader's to change
      if (settings_.deflates) std::fill_n(pool_.room().begin(), 256, 'z');
    }
  }
  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] WsError error() const { return error_; }

 private:
  void take(const WsEvent& event) {
    error_ = event.error;
    closed_ = event.type == Type::close;
    if (!is_message(event)) return log(event, payload_of(event));
    require(hands_out_ == HandOut::pieces || event.part == WsPart::whole, "messages are whole, unless pieces are asked for");
    require(is_first(event.part) != in_message_, "the first piece is marked, and no other");
    require(!in_message_ || event.type == type_, "all pieces are of one type");
    require(is_last(event.part) || !event.payload.empty(), "only the last piece may be empty");
    type_ = event.type;
    message_ += payload_of(event);
    require(message_.size() <= settings_.limit, "a message is not longer than the limit");
    in_message_ = !is_last(event.part);
    if (in_message_) return;
    log(event, message_);
    message_.clear();
  }

  void log(const WsEvent& event, std::string_view payload) {
    log_ += std::to_string(static_cast<int>(event.type)) + " " + std::to_string(static_cast<int>(event.error)) + " " +
            std::to_string(event.code) + " " + std::to_string(payload.size()) + ":";
    log_ += payload;
  }

  DeflatePool pool_;
  WsDecoder decoder_;
  Settings settings_;
  HandOut hands_out_;
  std::string log_;
  std::string message_;
  Type type_ = Type::more;
  bool in_message_ = false;
  WsError error_ = WsError::none;
  bool closed_ = false;
};

void feed_in_cuts(Run& run, std::string_view frames, std::uint32_t most, std::uint32_t seed) {
  std::uint32_t state = most * 256U + seed + 1;
  for (std::size_t at = 0, length = 0; at < frames.size(); at += length) {
    state = state * 1664525 + 1013904223;
    length = (state >> 16) % (1U + most);  // now and then nothing at all
    if (length == 0) run.feed({});
    if (most == 0) length = 1;
    run.feed(frames.substr(at, length));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < control_bytes) return 0;
  const Settings settings{
      .role = (data[0] & 1) == 0 ? Role::server : Role::client,
      .limit = (data[0] & 2) == 0 ? std::uint64_t{1024} * 1024 : data[1],
      .deflates = (data[0] & 4) != 0,
      .context = (data[0] & 8) != 0 ? DeflateContext::kept : DeflateContext::forgotten,
      .window_bits = 15 - (data[0] >> 5),
  };
  const std::string_view frames(reinterpret_cast<const char*>(data) + control_bytes, size - control_bytes);

  Run whole(settings, HandOut::messages);
  whole.feed(frames);
  Run whole_in_pieces(settings, HandOut::pieces);
  whole_in_pieces.feed(frames);
  Run cut(settings, HandOut::messages);
  feed_in_cuts(cut, frames, data[2], data[3]);
  Run cut_in_pieces(settings, HandOut::pieces);
  feed_in_cuts(cut_in_pieces, frames, data[2], data[3]);

  // A window is found to be too small only if the decoder has to look into it, which depends on the cuts.
  const auto can_differ = [&settings](const Run& run) { return settings.window_bits < 15 && run.error() == WsError::not_deflate; };
  if (can_differ(whole) || can_differ(whole_in_pieces) || can_differ(cut) || can_differ(cut_in_pieces)) return 0;
  require(cut.log() == whole.log(), "cuts change nothing");
  require(whole_in_pieces.log() == whole.log(), "what is handed out in pieces is the same");
  require(cut_in_pieces.log() == whole.log(), "however it is cut");
  return 0;
}
