#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "session/handles.h"
#include "wharf/abi.h"

namespace wharf::session {

/// What the sessions of one loop share.
struct Home {
  base::Log& log;
  Handles& handles;
  std::function<base::Time()> now;
};

/// WebSocket limits that are not a row's own.
struct WsLimits {
  std::uint64_t message = 1024 * 1024;  ///< bytes; for rows that name none
  base::Time close_handshake{5'000};    ///< from our close frame to the peer's
};

/// One row of the protocol table as it serves one virtual host on one loop, with the shared state that it has there.
struct Protocol : wharf_scope {
  Protocol(const wharf_services& table, Home& home_of_loop) : wharf_scope{&table}, home(home_of_loop) {}

  Home& home;
  wharf_row row{};  // complete: a row of an older header has been extended with zeros
  void* shared = nullptr;
  std::map<std::string, std::string, std::less<>> options;
  WsLimits limits;

  [[nodiscard]] std::uint64_t message_limit() const { return row.message_limit != 0 ? row.message_limit : limits.message; }
};

}  // namespace wharf::session
