#include "server/loop_outside.h"

#include <utility>

#include "io/connector.h"
#include "io/work.h"
#include "tls/tls_dialer.h"

namespace wharf::server {

std::unique_ptr<Attempt> LoopOutside::connect(const base::Endpoint& to, base::Time limit, session::SessionMaker connected,
                                              std::function<void(std::string_view)> failed) {
  return io::Connector::start(loop_, resolver_, to, limit, std::move(connected), std::move(failed));
}

tls::LoopParts& LoopOutside::tls_parts() {
  if (!tls_) {
    tls_ = std::make_unique<tls::LoopParts>(loop_.pool(), loop_.limits().output, loop_.log());
    tls_->outside = this;
  }
  return *tls_;
}

base::Result<std::unique_ptr<Dialer>, std::string> LoopOutside::over_tls(const TlsClient& settings) {
  auto contexts = certificates_.of_client(settings);
  if (!contexts) return base::Failure{contexts.error()};
  return std::unique_ptr<Dialer>(std::make_unique<tls::TlsDialer>(*this, tls_parts(), std::move(*contexts), settings.server_name));
}

bool LoopOutside::work(Executor on, std::string_view about, std::function<void()> task, std::function<void()> done) {
  return io::work(loop_, executor(on), std::move(task), std::move(done), about);
}

void LoopOutside::at_turn_end(std::function<void()> call) { loop_.at_turn_end(std::move(call)); }

}  // namespace wharf::server
