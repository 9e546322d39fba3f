#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "codec/deflate_pool.h"
#include "codec/ws/encoder.h"
#include "codec/ws/extension.h"
#include "link/environment.h"
#include "link/guests.h"
#include "protocol/handles.h"
#include "protocol/statistics.h"
#include "wharf/limits.hpp"
#include "wharf/protocol.hpp"

namespace wharf::session {

class BodySource;

/// What the sessions of one loop share.
struct Home {
  base::Log& log;
  Handles& handles;
  std::function<base::Time()> now;
  codec::DeflatePool deflate{};
  Statistics* statistics = nullptr;  ///< of the server
  LoopCounts* counts = nullptr;      ///< of this loop, one of the statistics' loops
  /// Opens a regular file as a body; returns nullptr if that fails. If the pointer itself is nullptr, files cannot be opened.
  std::unique_ptr<BodySource> (*open_file)(const char* path) = nullptr;
  server::Outside* outside = nullptr;  ///< nullptr: no connections of our own
};

/// Limits of WebSocket for all rows.
struct WsLimits {
  std::uint64_t message = Limits{}.message;               ///< bytes; for rows that name none
  base::Time close_handshake = Limits{}.close_handshake;  ///< from our close frame to the peer's
  base::Time ping_after = Limits{}.ping_after;            ///< of silence, for rows that do not say; never: no pings
  base::Time pong_timeout = Limits{}.pong_timeout;        ///< of silence after the ping, for rows that do not say
  base::Time pipe_idle =
      Limits{}.pipe_idle;   ///< without a byte in either direction on a connection that left HTTP; never: no limit
  Compression compression;  ///< its context, for rows that do not say
};

/// One row of the protocol table as it serves one virtual host on one loop, with the shared state that it has there.
struct Protocol : wharf_scope {
  Protocol(const wharf_services& table, Home& home_of_loop) : wharf_scope{&table}, home(home_of_loop) {}

  Home& home;
  wharf_row row{};        // complete: a row of an older header has been extended with zeros
  wharf_http_row http{};  // the same for its `http`, if it has one
  wharf_raw raw{};        // and for its `raw`; size 0: it has none
  void* shared = nullptr;
  std::map<std::string, std::string, std::less<>> options;
  WsLimits limits;
  RowCounts* counts = &own_counts;                 ///< of the row on this loop
  RowCounts own_counts;                            ///< if the server keeps no statistics
  Guests* guests = &own_guests;                    ///< of the virtual host on this loop, which it outlives
  Guests own_guests;                               ///< if there is no table
  std::string_view host{};                         ///< the name of the virtual host; the table's
  std::optional<codec::DeflateWish> deflate_wish;  // nothing: permessage-deflate is declined
  codec::DeflateSettings deflate_settings;

  [[nodiscard]] std::uint64_t message_limit() const { return row.message_limit != 0 ? row.message_limit : limits.message; }
  [[nodiscard]] base::Time ping_after() const {
    if (row.ping_after == 0) return limits.ping_after;
    return row.ping_after != WHARF_NEVER ? base::Time{row.ping_after} : base::never;
  }
  [[nodiscard]] base::Time pong_timeout() const {
    return row.pong_timeout != 0 ? base::Time{row.pong_timeout} : limits.pong_timeout;
  }
};

}  // namespace wharf::session
