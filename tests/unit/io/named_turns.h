#pragma once
#include <string>
#include <utility>

#include "io/executor.h"
#include "io/resolver.h"
#include "unit/io/blocked_threads.h"
#include "unit/io/turns.h"

namespace wharf::test {

/// A name that is looked up as long as the test likes: nothing of the system's is asked.
class SlowNames {
 public:
  [[nodiscard]] io::Lookup lookup() const {
    return [task = gate_.task()](const std::string&, const std::string&) {
      task();
      return io::Found{{}, "no such host"};
    };
  }
  ~SlowNames() { gate_.let_go(64); }
  SlowNames() = default;
  SlowNames(const SlowNames&) = delete;
  SlowNames& operator=(const SlowNames&) = delete;
  [[nodiscard]] const Gate& gate() const { return gate_; }

 private:
  Gate gate_;
};

/// The objects that outlive the loop.
struct Threads {
  io::Executor executor{{.threads = 2, .waiting = 8}};
};

/// A loop with threads that look names up.
struct NamedTurns : private Threads, Turns {
  explicit NamedTurns(const io::LoopLimits& limits = {}, io::Lookup lookup = io::look_up_by_system)
      : Turns(limits), resolver(loop(), executor, std::move(lookup)) {}
  explicit NamedTurns(const SlowNames& names) : NamedTurns(io::LoopLimits{}, names.lookup()) {}

  io::Resolver resolver;
};

}  // namespace wharf::test
