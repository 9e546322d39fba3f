#pragma once
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/peer_address.h"
#include "io/address.h"
#include "io/executor.h"
#include "io/loop.h"

namespace wharf::io {

/// What a look-up found: addresses in the order of the system, or why there are none, in a few words.
struct Found {
  std::vector<Address> addresses;
  std::string failure;   ///< "no such host", "no such port"...; empty where there are addresses
  bool for_now = false;  ///< the failure says nothing of the name: what was known of it may still be so
};

/// Looks up a host's name and a port for connections of ours; may take as long as it likes, on any thread.
using Lookup = std::function<Found(const std::string& host, const std::string& port)>;

/// The system's, which asks name servers. Linux gives no time to live with it.
Found look_up_by_system(const std::string& host, const std::string& port);
/// The same where neither has to be looked up: an address, and a number. Asks nobody.
Found take_as_numbers(const std::string& host, const std::string& port);

/// Looks names up for one loop, on threads of an executor: each name once for all who ask for it meanwhile. Used on the loop's thread.
class Resolver {
 public:
  /// So long what was found is as good as new. The system tells no time to live.
  static constexpr base::Time fresh_time{30'000};
  /// And so long better than nothing, where the name cannot be looked up for now, or not within `patience`.
  static constexpr base::Time stale_time{600'000};
  static constexpr base::Time patience{1'000};
  /// Names that are remembered; beyond that, the one that was found the longest time ago is forgotten.
  static constexpr std::size_t most_remembered = 256;

  /// What was found for a name.
  struct Known {
    base::Endpoint endpoint;
    std::vector<Address> addresses;
    base::Time found_at;
    bool doubtful = false;  ///< set by whoever finds none of them of use: it is looked up again
  };
  /// One who waits for a name. Where it goes, nobody is told; the look-up goes on, and keeps a thread.
  class Query {
   public:
    Query() = default;
    ~Query() { forget(); }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    void forget();

   private:
    friend class Resolver;
    std::function<void(const Found&)> found_;
    std::list<Query*>* waiting_ = nullptr;  // it is in; nullptr: it waits for nothing
    std::list<Query*>::iterator place_;
  };

  /// Both outlive this, but the executor may go when the loop has ended.
  Resolver(Loop& loop, Executor& executor, Lookup lookup = look_up_by_system);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// What a look-up found, up to stale_time ago; nullptr: nothing. A name that is known not to exist is not remembered.
  [[nodiscard]] std::shared_ptr<Known> known(const base::Endpoint& endpoint);
  [[nodiscard]] bool is_fresh(const Known& known) const { return !known.doubtful && loop_.now() < known.found_at + fresh_time; }

  /// Calls `found` back once, later, on a fresh stack. Not when the query or this has gone before, or the loop ends. False: there are
  /// as many names being looked up as may; nobody is called.
  [[nodiscard]] bool look_up(Query& query, const base::Endpoint& wanted, std::function<void(const Found&)> found);

 private:
  struct Name;

  void looked_up(const Name& name);
  void remember(const Name& name);

  Loop& loop_;
  Executor& executor_;
  Lookup lookup_;
  std::list<std::shared_ptr<Name>> names_;   // being looked up
  std::list<std::shared_ptr<Known>> known_;  // found last at the end
  std::shared_ptr<Resolver*> self_;          // so that a look-up which ends when this has gone can tell
};

}  // namespace wharf::io
