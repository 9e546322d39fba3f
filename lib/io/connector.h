#pragma once
#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/peer_address.h"
#include "io/address.h"
#include "io/connection.h"
#include "io/loop.h"
#include "io/resolver.h"
#include "link/environment.h"

namespace wharf::io {

/// Makes one connection: has the name looked up unless that was done a short while ago, tries the addresses in the order of the
/// system, each for its share of the time that is left, and hands the socket to a Connection. Such connections do not count for the
/// loop's limit of accepted ones, because clients that wait for them could use it up: the caller bounds how many there are.
class Connector final : public Pending, private Timed {
 public:
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  using Failed = std::function<void(std::string_view)>;

  /// Exactly one of the two is called, once, later, on a fresh stack; neither if the loop ends before, or the attempt is given up.
  /// `connected` makes the session of the new link; nullptr cuts it. `failed` gets the reason in a few words: "connection refused",
  /// "no such host", "timed out"... The resolver is asked within this call, and outlives what is pending on the loop, or does not call
  /// back. nullptr: the loop has ended.
  [[nodiscard]] static std::unique_ptr<server::Attempt> start(Loop& loop, Resolver& resolver, const base::Endpoint& target,
                                                              base::Time limit, session::SessionMaker connected, Failed failed);
  /// The same with addresses that are known.
  [[nodiscard]] static std::unique_ptr<server::Attempt> start(Loop& loop, std::vector<Address> addresses, base::Time limit,
                                                              session::SessionMaker connected, Failed failed);

 private:
  class Handle;

  Connector(Loop& loop, base::Time limit, session::SessionMaker connected, Failed failed);
  ~Connector() override;

  template <class Call>
  static std::unique_ptr<server::Attempt> begin(Loop& loop, base::Time limit, session::SessionMaker connected, Failed failed,
                                                Call&& call);
  template <class Call>
  void go_on(Call&& call);
  void find_addresses(Resolver& resolver, const base::Endpoint& target);
  void looked_up(const Found& found);
  void use_known();

  void attempt();
  int begin_attempt(const Address& address);
  void on_ready();
  void drop_attempt();
  [[nodiscard]] base::Time end_of_attempt() const;

  void on_timer() override;
  void time_has_come();
  void cancel() override;
  void fail_soon(std::string reason);
  void report_failure();

  session::SessionMaker connected_;
  Failed failed_;
  base::Time deadline_;
  std::string failure_;  // what there is to report
  std::string last_reason_;
  std::vector<Address> addresses_;
  std::shared_ptr<Resolver::Known> known_;  // of the name
  std::size_t next_ = 0;                    // the address that is being tried, or the next
  Resolver::Query query_;
  uv_poll_t* poll_ = nullptr;
  int socket_ = -1;
  bool* gone_ = nullptr;      // set when this is destroyed
  Handle* handle_ = nullptr;  // nullptr: whoever asked cannot give it up any more
};

}  // namespace wharf::io
