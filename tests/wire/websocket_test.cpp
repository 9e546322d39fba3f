#include <doctest/doctest.h>

#include <memory>

#include "codec/ws_decoder.h"
#include "wire/wire_case.h"

#ifndef WHARF_WIRE_FOLDER
#define WHARF_WIRE_FOLDER "tests/wire"
#endif

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

/// As quoted(), but bytes that are all the same are counted.
std::string notation(std::span<const char> bytes) {
  const std::string_view text(bytes.data(), bytes.size());
  if (text.size() <= 16 || text.find_first_not_of(text.front()) != std::string_view::npos) return quoted(text);
  return "repeat " + std::to_string(text.size()) + " " + quoted(text.substr(0, 1));
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

/// Each piece lies in memory of its own that is no longer than it, so that a sanitizer sees a read beyond it or after it went away.
class Run {
 public:
  Run(Role role, std::uint64_t limit) : decoder_(role, limit) {}

  void feed(std::string_view piece) {
    const auto copy = std::make_unique<char[]>(piece.size());
    piece.copy(copy.get(), piece.size());
    std::span<char> input(copy.get(), piece.size());
    for (;;) {
      const std::size_t before = input.size();
      const WsEvent event = decoder_.next(input);
      if (failed_) {
        CHECK(event.type == WsEvent::Type::error);
        CHECK(input.size() == before);
        return;
      }
      if (event.type == WsEvent::Type::more) {
        CHECK(input.empty());
        return;
      }
      log_.push_back(line_of(event));
      failed_ = event.type == WsEvent::Type::error;
    }
  }
  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }

 private:
  WsDecoder decoder_;
  std::vector<std::string> log_;
  bool failed_ = false;
};

void run_file(Role role, const std::string& name) {
  const std::vector<WireCase> cases = load_wire_cases(std::string(WHARF_WIRE_FOLDER) + "/" + name);
  CHECK(cases.size() > 100);
  for (const WireCase& wire_case : cases) {
    check_at_every_split(wire_case, [role](const WireCase& given, const std::vector<std::string_view>& pieces) {
      const auto limit = given.settings.find("limit");
      Run run(role, limit == given.settings.end() ? 1024 * 1024 : std::stoull(limit->second));
      for (const std::string_view piece : pieces) run.feed(piece);
      return run.log();
    });
  }
}

}  // namespace

TEST_CASE("frames of a client on the wire, whole and cut at every place") { run_file(Role::server, "websocket_server.wire"); }

TEST_CASE("frames of a server on the wire, whole and cut at every place") { run_file(Role::client, "websocket_client.wire"); }
