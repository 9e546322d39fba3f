#pragma once
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "io/address.h"
#include "io/executor.h"
#include "io/loop.h"

namespace wharf::io {

/// What a look-up found: addresses in the order of the system, or why there are none, in a few words.
struct Found {
  std::vector<Address> addresses;
  std::string failure;  ///< "no such host", "no such port"...; empty where there are addresses
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

  /// Calls `found` back once, later, on a fresh stack. Not when the query or this has gone before, or the loop ends. False: there are
  /// as many names being looked up as may; nobody is called.
  [[nodiscard]] bool look_up(Query& query, const std::string& host, const std::string& port,
                             std::function<void(const Found&)> found);

 private:
  struct Name;

  void looked_up(const Name& name);

  Loop& loop_;
  Executor& executor_;
  Lookup lookup_;
  std::list<std::shared_ptr<Name>> names_;  // being looked up
  std::shared_ptr<Resolver*> self_;         // so that a look-up which ends when this has gone can tell
};

}  // namespace wharf::io
