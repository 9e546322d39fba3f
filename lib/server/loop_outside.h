#pragma once
#include <memory>

#include "io/loop.h"
#include "io/resolver.h"
#include "link/environment.h"
#include "server/certificates/certificates.h"
#include "server/executors.h"
#include "tls/tls_link.h"

namespace wharf::server {

/// The world outside as the worker's loop reaches it. Used only while the loop exists.
class LoopOutside final : public Outside {
 public:
  /// What is lent outlives this.
  LoopOutside(io::Loop& loop, Executors& executors, Certificates& certificates)
      : loop_(loop), executors_(executors), certificates_(certificates), resolver_(loop, executors.lookups) {}

  [[nodiscard]] std::unique_ptr<Attempt> connect(const base::Endpoint& to, base::Time limit, session::SessionMaker connected,
                                                 std::function<void(std::string_view)> failed) override;
  [[nodiscard]] base::Result<std::unique_ptr<Dialer>, std::string> over_tls(const TlsClient& settings) override;
  [[nodiscard]] bool work(Executor on, std::string_view about, std::function<void()> task, std::function<void()> done) override;
  [[nodiscard]] std::size_t threads(Executor of) const override { return executor(of).threads(); }
  void at_turn_end(std::function<void()> call) override;
  [[nodiscard]] std::uint64_t turn() const override { return loop_.turn_number() + 1; }
  [[nodiscard]] base::Time now() const override { return loop_.now(); }

  /// Of all links over TLS on this loop, in both roles.
  tls::LoopParts& tls_parts();

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
  Certificates& certificates_;
  std::unique_ptr<tls::LoopParts> tls_;  // made when the first asks
  io::Resolver resolver_;
};

}  // namespace wharf::server
