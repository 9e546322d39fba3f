/// How a server hands its listening sockets over to a new process, and how systemd hears of that and the rest of its life.

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/implementation.h"
#include "server/life/inherited_sockets.h"

namespace wharf {

using server::Takeover;

/// On the thread that calls run().
void Server::Implementation::begin_serving(io::Loop& own) {
  if (manager_.watch_period() != base::never) watchdog_.emplace(own, manager_.watch_period(), [this] { watch_loops(); });
  const std::lock_guard lock(mutex_);
  serving_ = true;
}

/// When the loops have ended, or are about to. A new process that does not serve yet is waited for.
void Server::Implementation::end_serving() {
  watchdog_.reset();
  doors_.close_kept();
  std::unique_ptr<Takeover> last;
  const std::unique_lock lock(mutex_);
  serving_ = false;
  last = std::move(takeover_);
}

/// On the thread that calls run(), when everything is served.
void Server::Implementation::tell_serving() {
  server::InheritedSockets& inherited = server::InheritedSockets::of_process();
  const bool succeeds = inherited.has_predecessor();
  inherited.tell_ready();
  doors_.claim_files();
  for (const std::string& line : inherited.close_the_rest()) log_.warn(line);
  // Of a successor, the predecessor tells: until then, systemd takes nobody else's word.
  if (!succeeds) manager_.tell("READY=1\nSTATUS=Serving");
}

Error Server::Implementation::hand_over(Successor successor) {
  server::Program program = server::Program::of_process();
  if (!successor.program.empty()) {
    program.path = successor.program;
    program.arguments = std::move(successor.arguments);
    program.arguments.insert(program.arguments.begin(), successor.program);
  } else if (!successor.arguments.empty()) {
    return {"a successor's arguments need its program"};
  }
  const std::string path = program.path;
  if (Error error = begin_takeover(std::move(program))) return error;
  log_.info("starting '", path, "' to take over");
  return {};
}

/// Nothing is logged here: where the log goes, somebody may stop the server.
Error Server::Implementation::begin_takeover(server::Program program) {
  std::unique_ptr<Takeover> before;  // is waited for without the lock, which its end may take
  const std::unique_lock lock(mutex_);
  if (!serving_) return {"only a server that runs, by run(), can hand over"};
  if (asked_ != Asked::nothing) return {"the server stops, and cannot hand over any more"};
  if (takeover_ && !takeover_->over()) return {"a new process is about to take over already"};
  before = std::exchange(takeover_, nullptr);
  auto passed = doors_.passed();
  if (!passed) return {passed.error()};
  const auto limit = std::max(options_.limits.takeover_time, std::chrono::milliseconds(1));
  auto begun =
      Takeover::begin(std::move(program), std::move(*passed), limit,
                      {[this](pid_t process) { handed_over(process); }, [this](std::string_view why) { not_handed_over(why); }});
  if (!begun) return {begun.error()};
  takeover_ = std::move(*begun);
  return {};
}

/// On the takeover's thread.
void Server::Implementation::not_handed_over(std::string_view why) {
  log_.error("this server goes on, for it was not taken over: ", why);
  manager_.tell(base::concat("STATUS=Serving; not taken over: ", why));
}

/// On the takeover's thread.
void Server::Implementation::handed_over(pid_t successor) {
  doors_.leave_files();
  log_.info("process ", successor, " has taken over; this one drains");
  manager_.tell(base::concat("MAINPID=", successor, "\nSTATUS=Serving, taken over"));
  {
    const std::lock_guard lock(mutex_);
    backlog_ = io::Backlog::left;
  }
  drain({});
}

/// On the first loop's thread.
void Server::Implementation::hung_up() {
  manager_.tell_reloading();
  reopen_logs();
  reload();
  manager_.tell("READY=1");
}

void Server::Implementation::replaced() {
  if (const Error error = hand_over({})) log_.error("SIGUSR2: ", error.message);
}

/// On the first loop's thread. Each loop is asked to turn, and has to have done so by the next time: otherwise systemd hears
/// nothing, and ends a server of which a part stands still.
void Server::Implementation::watch_loops() {
  bool all = true;
  {
    const std::lock_guard lock(mutex_);
    for (const Place& place : places_) all = all && place.turned;
    for (Place& place : places_) {
      if (!place.turned) continue;
      place.turned = false;
      const auto turn = [&place] { place.turned = true; };
      if (!place.worker || !place.worker->loop().mailbox().post(turn)) turn();
    }
  }
  if (all) manager_.tell(server::ServiceManager::alive);
}

}  // namespace wharf
