#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "base/clock.h"
#include "link/link.h"
#include "link/link_share.h"
#include "link/session.h"

namespace wharf::session {

/// One end of two links that are joined: what comes in on one goes out on the other. Neither is read from while the other has
/// more to send than its high-water mark. The end of one side's output is passed on; the end of one link ends the
/// other after everything that came has left; and both end after `idle` without a byte in either direction.
class Tunnel final : public Session {
 public:
  /// The next session of `link`: both become a tunnel, each on a fresh stack. Output that their sessions have queued is sent first,
  /// and input that they have not used is passed on. base::never: no limit. `share` counts `other`.
  static std::unique_ptr<Session> to(Link& other, Link& link, base::Time idle, LinkShare share = {});

  ~Tunnel() override;
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void room() override;
  void deadline() override;
  Drains drain() override { return Drains::when_told; }
  void shut_down() override;
  void ended() override;

 private:
  Tunnel(Link& link, base::Time idle);
  void leave();

  Link& link_;
  LinkShare share_;
  Tunnel* other_ = nullptr;  // nullptr: it has gone, and this link is ending
  base::Time idle_;
  base::Time heard_;
  bool input_over_ = false;
};

}  // namespace wharf::session
