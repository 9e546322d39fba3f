#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/http/request_head.h"
#include "link/memory_link.h"
#include "protocol/protocol.h"
#include "protocol/services.h"
#include "protocol/ws.h"
#include "session/frames.h"

namespace wharf::test {

/// What the callbacks of a row did, and what they have to do. The row's shared state.
struct RowStory {
  std::vector<std::string>
      events;                      ///< "open", "text abc", "binary ...", "drained", "tick", "pong x", "closing 1000 bye", "destroy"
  std::vector<wharf_peer*> peers;  ///< in the order of opening
  int open_result = 0;

  // Called after the event was written down, with the peer whose callback it is.
  std::function<void(wharf_peer*)> on_open, on_message, on_drained, on_tick, on_pong, on_closing, on_destroy;

  std::vector<std::string> take() { return std::exchange(events, {}); }
  [[nodiscard]] std::size_t count(std::string_view start) const {
    return static_cast<std::size_t>(
        std::count_if(events.begin(), events.end(), [start](const std::string& event) { return event.starts_with(start); }));
  }
};

/// The session state of the scripted row.
struct RowState {
  RowStory* story;
  wharf_peer* peer;
  std::max_align_t aligned;
};

namespace row {

inline RowState& self(void* state) { return *static_cast<RowState*>(state); }

inline void happened(void* state, std::string event, std::function<void(wharf_peer*)> RowStory::*deed) {
  RowState& me = self(state);
  wharf_peer* const peer = me.peer;
  me.story->events.push_back(std::move(event));
  if (me.story->*deed) (me.story->*deed)(peer);
}

inline int open(void* state, void* shared, wharf_peer* peer, const wharf_request*) {
  const auto* bytes = static_cast<const unsigned char*>(state);
  CHECK(std::all_of(bytes, bytes + sizeof(RowState), [](unsigned char byte) { return byte == 0; }));
  CHECK(reinterpret_cast<std::uintptr_t>(state) % alignof(std::max_align_t) == 0);
  auto* story = static_cast<RowStory*>(shared);
  ::new (state) RowState{story, peer, {}};
  story->peers.push_back(peer);
  happened(state, "open", &RowStory::on_open);
  return story->open_result;
}
inline void message(void* state, wharf_kind kind, char* data, size_t size) {
  const std::string payload = size > 100 ? std::to_string(size) + " bytes" : std::string(data, size);
  std::fill(data, data + size, '#');  // the callee may change it
  happened(state, (kind == WHARF_TEXT ? "text " : "binary ") + payload, &RowStory::on_message);
}
inline void drained(void* state) { happened(state, "drained", &RowStory::on_drained); }
inline void tick(void* state) { happened(state, "tick", &RowStory::on_tick); }
inline void pong(void* state, const char* data, size_t size) {
  happened(state, "pong " + std::string(data, size), &RowStory::on_pong);
}
inline void closing(void* state, uint16_t code, const char* reason, size_t size) {
  happened(state, "closing " + std::to_string(code) + (size > 0 ? " " : "") + std::string(reason, size), &RowStory::on_closing);
}
inline void destroy(void* state) { happened(state, "destroy", &RowStory::on_destroy); }

}  // namespace row

/// A row whose callbacks are those of RowStory.
inline wharf_row scripted_row() {
  wharf_row row{};
  row.size = sizeof row;
  row.name = "scripted";
  row.state_size = sizeof(RowState);
  row.open = row::open;
  row.message = row::message;
  row.drained = row::drained;
  row.tick = row::tick;
  row.pong = row::pong;
  row.closing = row::closing;
  row.destroy = row::destroy;
  return row;
}

/// One client in memory.
struct WsClient {
  std::unique_ptr<session::MemoryLink> link;
  FrameReader reader;

  void send(std::string_view bytes) { link->receive(bytes); }
  /// What the server sent since the last call, in words.
  std::vector<std::string> read() { return reader.read(link->take()); }
};

/// Conversations of one row, in memory, and all that sessions of a loop share.
struct WsBench {
  explicit WsBench(const wharf_row& row = scripted_row()) {
    mailbox.open([] {});
    protocol.row = row;
    protocol.shared = &story;
  }
  ~WsBench() {
    for (WsClient& client : clients) client.link->abort();
    run();
  }
  WsBench(const WsBench&) = delete;
  WsBench& operator=(const WsBench&) = delete;

  /// The reference holds until the next call.
  WsClient& connect() {
    codec::RequestHead head;
    head.target = "/chat?room=1";
    head.path = "/chat";
    head.query = "room=1";
    auto link = std::make_unique<session::MemoryLink>(pool, limits, now);
    const session::RequestView request(head, link->peer());
    link->open(session::Ws::open(*link, protocol, request, deflate));
    clients.push_back({std::move(link), {}});
    if (deflate) clients.back().reader.decoder().inflate_with(client_pool, deflate->server_max_window_bits, server_context());
    return clients.back();
  }
  wharf_peer* peer() { return story.peers.back(); }
  void run() {
    mailbox.run();
    for (WsClient& client : clients) client.link->run();
  }
  void advance(std::int64_t milliseconds) {
    now += base::Time{milliseconds};
    run();
  }
  [[nodiscard]] bool logged(std::string_view part) const {
    return std::any_of(log_lines.begin(), log_lines.end(),
                       [part](const std::string& line) { return line.find(part) != line.npos; });
  }

  const wharf_services& services = session::service_table();
  base::ChunkPool pool;
  session::OutputLimits limits;
  base::Time now{1'000'000};
  std::vector<std::string> log_lines;
  base::Log log{
      base::LogLevel::debug,
      [this](base::LogLevel level, std::string_view text) { log_lines.push_back(base::concat(base::name_of(level), ": ", text)); },
      {.peers = 0, .program = 0, .now = {}}};
  base::Mailbox mailbox;
  session::Handles handles{mailbox};
  session::Home home{log, handles, [this] { return now; }};
  session::Protocol protocol{session::service_table(), home};
  RowStory story;
  codec::DeflatePool client_pool;
  std::optional<codec::DeflateAgreement> deflate;  ///< what the next connections agree on
  std::vector<WsClient> clients;

  [[nodiscard]] codec::DeflateContext server_context() const {
    return deflate->server_no_context_takeover ? codec::DeflateContext::forgotten : codec::DeflateContext::kept;
  }
};

// The services, for short.
inline wharf_flow send_text(wharf_peer* peer, std::string_view text) {
  return peer->services->send(peer, WHARF_TEXT, text.data(), text.size());
}
inline wharf_flow send_binary(wharf_peer* peer, std::string_view bytes) {
  return peer->services->send(peer, WHARF_BINARY, bytes.data(), bytes.size());
}
inline wharf_flow send_part(wharf_peer* peer, wharf_kind kind, wharf_part part, std::string_view data) {
  return peer->services->send_part(peer, kind, part, data.data(), data.size());
}
inline void close(wharf_peer* peer, unsigned code, std::string_view reason = {}) {
  peer->services->close(peer, static_cast<std::uint16_t>(code), reason.data(), reason.size());
}
inline void drop(wharf_peer* peer) { peer->services->abort(peer); }

}  // namespace wharf::test
