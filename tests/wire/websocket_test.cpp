#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "codec/deflate_pool.h"
#include "codec/utf8.h"
#include "codec/ws/decoder.h"
#include "wire/wire_case.h"

namespace {

using namespace wharf::codec;

std::string name_of(WsError error) {
  switch (error) {
    case WsError::none: return "none";
    case WsError::reserved_bits: return "reserved_bits";
    case WsError::reserved_opcode: return "reserved_opcode";
    case WsError::mask_missing: return "mask_missing";
    case WsError::mask_unexpected: return "mask_unexpected";
    case WsError::length_not_minimal: return "length_not_minimal";
    case WsError::length_too_large: return "length_too_large";
    case WsError::control_fragmented: return "control_fragmented";
    case WsError::control_too_long: return "control_too_long";
    case WsError::continuation_missing: return "continuation_missing";
    case WsError::continuation_stray: return "continuation_stray";
    case WsError::close_payload: return "close_payload";
    case WsError::close_code: return "close_code";
    case WsError::close_reason: return "close_reason";
    case WsError::text_not_utf8: return "text_not_utf8";
    case WsError::message_too_big: return "message_too_big";
    case WsError::not_deflate: return "not_deflate";
  }
  return "unknown";
}

/// As in_quotes(), but bytes that are one to four over and over are counted.
std::string notation(std::span<const char> bytes) {
  const std::string_view text(bytes.data(), bytes.size());
  if (text.size() <= 16) return in_quotes(text);
  for (std::size_t period = 1; period <= 4; ++period)
    if (text.size() % period == 0 && text.substr(period) == text.substr(0, text.size() - period))
      return "repeat " + std::to_string(text.size() / period) + " " + in_quotes(text.substr(0, period));
  return in_quotes(text);
}

std::string line_of(const WsEvent& event) {
  switch (event.type) {
    case WsEvent::Type::more: return "more";
    case WsEvent::Type::text: return "text " + notation(event.payload);
    case WsEvent::Type::binary: return "binary " + notation(event.payload);
    case WsEvent::Type::ping: return "ping " + notation(event.payload);
    case WsEvent::Type::pong: return "pong " + notation(event.payload);
    case WsEvent::Type::close: return "close " + std::to_string(event.code) + " " + notation(event.payload);
    case WsEvent::Type::error: return "error " + name_of(event.error);
  }
  return "unknown";
}

enum class HandOut : std::uint8_t { messages, pieces };

/// Each piece of input lies in memory of its own that is no longer than it, so that a sanitizer notices a read beyond it or after
/// it was freed. Between two calls somebody else uses the pool's room. Messages that are handed out in pieces are put together
/// again for the log.
class Run {
 public:
  Run(Role role, const WireCase& given, HandOut hand_out)
      : decoder_(role, number(given, "limit", 1024 * 1024)), hands_out_(hand_out), deflates_(given.settings.contains("deflate")) {
    if (hand_out == HandOut::pieces) decoder_.hand_out_pieces();
    if (!deflates_) return;
    const std::string& deflate = given.settings.at("deflate");
    const std::string context = deflate.substr(deflate.find(' ') + 1);
    if (context != "kept" && context != "forgotten") throw std::runtime_error(given.where + ": deflate takes BITS kept|forgotten");
    decoder_.inflate_with(pool_, std::stoi(deflate), context == "kept" ? DeflateContext::kept : DeflateContext::forgotten);
  }

  void feed(std::string_view bytes) {
    const auto copy = std::make_unique<char[]>(bytes.size());
    bytes.copy(copy.get(), bytes.size());
    std::span<char> input(copy.get(), bytes.size());
    for (;;) {
      const std::size_t before = input.size();
      const bool promises_more = decoder_.has_more() || !input.empty();
      const WsEvent event = decoder_.next(input);
      if (failed_) {
        CHECK(event.type == WsEvent::Type::error);
        CHECK(input.size() == before);
        return;
      }
      if (event.type == WsEvent::Type::more) {
        CHECK(input.empty());
        CHECK_FALSE(decoder_.has_more());
        return;
      }
      CHECK(promises_more);
      take(event);
      failed_ = event.type == WsEvent::Type::error;
      std::fill(event.payload.begin(), event.payload.end(), '?');
      if (deflates_) std::fill(pool_.room().begin(), pool_.room().end(), '?');
    }
  }
  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }

 private:
  static std::uint64_t number(const WireCase& given, const std::string& name, std::uint64_t otherwise) {
    const auto found = given.settings.find(name);
    return found == given.settings.end() ? otherwise : std::stoull(found->second);
  }

  void take(const WsEvent& event) {
    const bool is_message = event.type == WsEvent::Type::text || event.type == WsEvent::Type::binary;
    if (!is_message) return log_.push_back(line_of(event));
    if (hands_out_ == HandOut::messages) CHECK(event.part == WsPart::whole);
    CHECK(is_first(event.part) == !message_.has_value());
    if (!message_) message_.emplace(event.type, "");
    CHECK(event.type == message_->first);
    const std::string_view piece(event.payload.data(), event.payload.size());
    if (event.type == WsEvent::Type::text) CHECK(is_utf8(piece));
    const bool is_complete = is_last(event.part);
    CHECK((is_complete || !piece.empty()));
    message_->second += piece;
    if (!is_complete) return;
    WsEvent whole = event;
    whole.payload = message_->second;
    log_.push_back(line_of(whole));
    message_.reset();
  }

  DeflatePool pool_;
  WsDecoder decoder_;
  HandOut hands_out_;
  bool deflates_;
  std::vector<std::string> log_;
  std::optional<std::pair<WsEvent::Type, std::string>> message_;  // under way
  bool failed_ = false;
};

void run_file(Role role, const std::string& name) {
  for (const HandOut hand_out : {HandOut::messages, HandOut::pieces}) {
    const std::string handed_out = hand_out == HandOut::messages ? "messages" : "pieces";
    INFO("handed out in " << handed_out);
    check_wire_cases(name, 31, [role, hand_out](const WireCase& given, const std::vector<std::string_view>& pieces) {
      Run run(role, given, hand_out);
      for (const std::string_view piece : pieces) run.feed(piece);
      return run.log();
    });
  }
}

}  // namespace

TEST_CASE("frames of a client on the wire, whole and cut at every place") { run_file(Role::server, "websocket_server.wire"); }

TEST_CASE("frames of a server on the wire, whole and cut at every place") { run_file(Role::client, "websocket_client.wire"); }

TEST_CASE("compressed frames of a client on the wire, whole and cut at every place") {
  run_file(Role::server, "websocket_deflate_server.wire");
}

TEST_CASE("compressed frames of a server on the wire, whole and cut at every place") {
  run_file(Role::client, "websocket_deflate_client.wire");
}
