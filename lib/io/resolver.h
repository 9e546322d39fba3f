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
  std::string failure;   ///< "no such host", "no such port"...; empty if there are addresses
  bool for_now = false;  ///< the failure says nothing about the name: addresses known before may still be right
};

/// Looks up a host's name and a port for connections of ours; may take as long as it likes, on any thread.
using Lookup = std::function<Found(const std::string& host, const std::string& port)>;

/// The system's look-up, which asks name servers. Linux gives no time to live with it.
Found look_up_by_system(const std::string& host, const std::string& port);
/// The same for an address and a number, which need no look-up. Asks nobody.
Found take_as_numbers(const std::string& host, const std::string& port);

/// Looks names up for one loop, on threads of an executor: each name once for all who ask for it meanwhile. Used on the loop's
/// thread.
class Resolver {
 public:
  /// For how long addresses are as good as new. The system gives no time to live.
  static constexpr base::Time fresh_time{30'000};
  /// For how long they are better than nothing, if the name cannot be looked up for now, or not within `patience`.
  static constexpr base::Time stale_time{600'000};
  static constexpr base::Time patience{1'000};
  /// Names that are remembered; beyond that, the one that was found the longest time ago is forgotten.
  static constexpr std::size_t most_remembered = 256;

  /// The addresses of a name.
  struct Known {
    base::Endpoint endpoint;
    std::vector<Address> addresses;
    base::Time found_at;
    bool doubtful = false;  ///< set by a user for whom none of them worked: the name is looked up again
  };
  /// Waits for a name. If it is destroyed, nobody is told; the look-up goes on, and keeps a thread.
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
    std::list<Query*>* waiting_ = nullptr;  // the list that it is in; nullptr: it waits for nothing
    std::list<Query*>::iterator place_;
  };

  /// Both outlive this, but the executor may be destroyed when the loop has ended.
  Resolver(Loop& loop, Executor& executor, Lookup lookup = look_up_by_system);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// The outcome of a look-up, up to stale_time ago; nullptr: none. A name that does not exist is not remembered.
  [[nodiscard]] std::shared_ptr<Known> known(const base::Endpoint& endpoint);
  [[nodiscard]] bool is_fresh(const Known& known) const { return !known.doubtful && loop_.now() < known.found_at + fresh_time; }

  /// Calls `found` back once, later, on a fresh stack. Not if the query or this is destroyed before, or the loop ends. False: too
  /// many names are being looked up; nobody is called.
  [[nodiscard]] bool look_up(Query& query, const base::Endpoint& wanted, std::function<void(const Found&)> found);

 private:
  struct Name;

  void looked_up(const Name& name);
  void remember(const Name& name);

  Loop& loop_;
  Executor& executor_;
  Lookup lookup_;
  std::list<std::shared_ptr<Name>> names_;   // being looked up
  std::list<std::shared_ptr<Known>> known_;  // the one found last is at the end
  std::shared_ptr<Resolver*> self_;          // so that a look-up that ends later knows when this has gone
};

}  // namespace wharf::io
