#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.h"
#include "base/log.h"
#include "link/counts.h"
#include "link/link.h"
#include "link/session.h"

namespace wharf::session {

/// What may follow Detect on a door, and what it needs. One for each door and loop; outlives the sessions.
struct DetectParts {
  base::Log& log;
  base::Time time;       ///< from the beginning of the session until its client has shown what it speaks
  SessionMaker http;     ///< HTTP/1, and whatever nobody else here takes: it is refused there
  SessionMaker tls{};    ///< empty: not here
  SessionMaker http2{};  ///< empty: as HTTP/1, which refuses it
  SessionMaker raw{};    ///< what is none of these; empty: nobody takes it
  OpeningCounts* counts = nullptr;
};

/// Looks at what a connection begins with, uses none of it, and becomes what speaks that. It takes no more bytes than it needs to decide
/// between those that are there, and never more than codec::longest_opening.
class Detect final : public Session {
 public:
  Detect(Link& link, const DetectParts& parts) : link_(link), parts_(parts) {}

  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void deadline() override;
  void shut_down() override { link_.finish(); }

 private:
  void go_on(const SessionMaker& next);

  /// What little has come is the beginning of.
  enum class Seen : std::uint8_t { nothing, tls, text };

  Link& link_;
  const DetectParts& parts_;
  Seen seen_ = Seen::nothing;
};

}  // namespace wharf::session
