#include "server/loop_outside.h"

#include <utility>

#include "io/connector.h"
#include "io/work.h"

namespace wharf::server {

std::unique_ptr<Attempt> LoopOutside::connect(const base::Endpoint& to, base::Time limit, session::SessionMaker connected,
                                              std::function<void(std::string_view)> failed) {
  return io::Connector::start(loop_, resolver_, to, limit, std::move(connected), std::move(failed));
}

bool LoopOutside::work(Executor on, std::string_view about, std::function<void()> task, std::function<void()> done) {
  return io::work(loop_, executor(on), std::move(task), std::move(done), about);
}

void LoopOutside::at_turn_end(std::function<void()> call) { loop_.at_turn_end(std::move(call)); }

}  // namespace wharf::server
