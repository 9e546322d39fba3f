#pragma once
#include <memory>

#include "io/loop.h"
#include "io/resolver.h"
#include "link/environment.h"
#include "server/executors.h"

namespace wharf::server {

/// The world outside as the worker's loop reaches it. Used only while the loop exists.
class LoopOutside final : public Outside {
 public:
  LoopOutside(io::Loop& loop, Executors& executors) : loop_(loop), executors_(executors), resolver_(loop, executors.lookups) {}

  [[nodiscard]] std::unique_ptr<Attempt> connect(const base::Endpoint& to, base::Time limit, session::SessionMaker connected,
                                                 std::function<void(std::string_view)> failed) override;
  [[nodiscard]] bool work(Executor on, std::string_view about, std::function<void()> task, std::function<void()> done) override;
  [[nodiscard]] std::size_t threads(Executor of) const override { return executor(of).threads(); }
  void at_turn_end(std::function<void()> call) override;
  [[nodiscard]] std::uint64_t turn() const override { return loop_.turn_number() + 1; }
  [[nodiscard]] base::Time now() const override { return loop_.now(); }

 private:
  [[nodiscard]] io::Executor& executor(Executor of) const {
    switch (of) {
      case Executor::passwords: return executors_.passwords;
      case Executor::files: break;
      case Executor::signing: return executors_.signing;
    }
    return executors_.files;
  }

  io::Loop& loop_;
  Executors& executors_;
  io::Resolver resolver_;
};

}  // namespace wharf::server
