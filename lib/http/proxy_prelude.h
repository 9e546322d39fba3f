#pragma once
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/peer_address.h"
#include "codec/proxy_header.h"
#include "link/counts.h"
#include "link/link.h"
#include "link/session.h"

namespace wharf::session {

/// What the PROXY headers of one door need. One for each door and loop; outlives the sessions.
struct ProxyParts {
  base::Log& log;
  base::Time time;                           ///< from the beginning of the session to the end of the header
  std::size_t most;                          ///< bytes of a header
  std::vector<base::PeerNetwork> balancers;  ///< whose connections begin with a header
  SessionMaker next;                         ///< what comes behind it
  OpeningCounts* counts = nullptr;
};

/// What stands before everything else on a connection of a balancer: the header of the PROXY protocol. It gives the link its real peer,
/// and becomes what comes behind. Nobody guesses: one of the balancers that sends no header is cut off, and whoever else sends one is
/// refused (proxy-protocol.txt section 2).
class ProxyPrelude final : public Session {
 public:
  ProxyPrelude(Link& link, const ProxyParts& parts);

  void start() override;
  std::size_t input(std::span<char> bytes) override;
  void end_of_input() override;
  void deadline() override;
  void shut_down() override { link_.finish(); }

 private:
  enum class Peer : std::uint8_t { balancer, stranger };
  enum class Seen : std::uint8_t { nothing, some };

  std::size_t read_header(std::string_view bytes);
  std::size_t look_for_none(std::span<char> bytes);
  void heed(const codec::ProxyHeader& header);
  void refuse(std::string_view why);
  void count(std::atomic<std::uint64_t> OpeningCounts::*which) const;
  void go_on();

  Link& link_;
  const ProxyParts& parts_;
  Peer peer_;
  Seen seen_ = Seen::nothing;
};

}  // namespace wharf::session
