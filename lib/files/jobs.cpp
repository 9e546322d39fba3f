#include "files/jobs.h"

#include <algorithm>
#include <utility>

#include "files/mount.h"

namespace wharf::server {

/// A job that is under way, or waits for its turn.
struct FileJobs::Waiting {
  enum class Stage : std::uint8_t { queued, running };

  const FileMount* mount;
  std::string path;
  std::shared_ptr<FileJob> job;
  std::list<Waiter*> waiters;
  Stage stage = Stage::queued;
};

/// The responder of an exchange that waits; it leaves the job's list if the exchange ends before the job does.
class FileJobs::Waiter final : public session::Responder {
 public:
  Waiter(session::Exchange& exchange, std::list<Waiter*>& waiters) : exchange_(exchange), waiters_(&waiters) {
    place_ = waiters.insert(waiters.end(), this);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  ~Waiter() override { leave(); }

  void ended(const session::ExchangeEnd& /*end*/) override { leave(); }

  void leave() {
    if (waiters_ != nullptr) std::exchange(waiters_, nullptr)->erase(place_);
  }
  [[nodiscard]] session::Exchange& exchange() const { return exchange_; }

 private:
  session::Exchange& exchange_;
  std::list<Waiter*>* waiters_;
  std::list<Waiter*>::iterator place_;
};

FileJobs::FileJobs(Outside* outside, const Bounds& bounds)
    : outside_(outside), bounds_(bounds), self_(std::make_shared<FileJobs*>(this)) {}

FileJobs::~FileJobs() {
  for (const auto& each : waiting_)
    while (!each->waiters.empty()) each->waiters.front()->leave();
}

bool FileJobs::join(const FileMount& mount, std::string_view path, session::Exchange& exchange) {
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& each) { return each->mount == &mount && each->path == path; });
  if (found == waiting_.end()) return false;
  exchange.set_responder(std::make_unique<Waiter>(exchange, (*found)->waiters));
  return true;
}

bool FileJobs::has_room(const FileMount& mount) const {
  if (outside_ == nullptr) return false;
  std::size_t running = 0;
  std::size_t of_mount = 0;
  for (const auto& each : waiting_) {
    if (each->stage != Waiting::Stage::running) continue;
    ++running;
    if (each->mount == &mount) ++of_mount;
  }
  return running < bounds_.most && of_mount < bounds_.most_of_mount;
}

bool FileJobs::may_wait() const {
  if (outside_ == nullptr || bounds_.most == 0 || bounds_.most_of_mount == 0) return false;
  const auto queued =
      std::count_if(waiting_.begin(), waiting_.end(), [](const auto& each) { return each->stage == Waiting::Stage::queued; });
  return static_cast<std::size_t>(queued) < bounds_.most_waiting;
}

void FileJobs::start(const FileMount& mount, std::string_view path, std::unique_ptr<FileJob> job, session::Exchange& exchange) {
  const bool at_once = has_room(mount);
  auto waiting = std::make_unique<Waiting>(Waiting{&mount, std::string(path), std::move(job), {}});
  if (at_once && !begin(*waiting)) {
    waiting->job->answer(exchange);
    return waiting->job->over();
  }
  // The exchange last: those who wait are in a list that stays.
  std::list<Waiter*>& waiters = waiting->waiters;
  waiting_.push_back(std::move(waiting));
  exchange.set_responder(std::make_unique<Waiter>(exchange, waiters));
}

/// False: no thread takes it, or there is no memory for that.
bool FileJobs::begin(Waiting& waiting) noexcept {
  const std::shared_ptr<FileJob> job = waiting.job;
  const auto done = [job, jobs = std::weak_ptr<FileJobs*>(self_)] {
    if (const auto there = jobs.lock()) (*there)->finished(*job);
  };
  try {
    if (!outside_->work(
            Executor::files, waiting.mount->folder(), [job] { job->run(); }, done))
      return false;
  } catch (...) {
    return false;
  }
  waiting.stage = Waiting::Stage::running;
  return true;
}

/// In the order they came, skipping mounts that have enough under way. A job that nobody waits for any more is not begun.
void FileJobs::begin_next() {
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    const auto here = each++;
    if ((*here)->stage != Waiting::Stage::queued) continue;
    if ((*here)->waiters.empty()) {
      waiting_.erase(here);
    } else if (has_room(*(*here)->mount) && !begin(**here)) {
      const std::unique_ptr<Waiting> refused = std::move(*here);
      waiting_.erase(here);
      answer_all(*refused);
    }
  }
}

/// If there is no memory for one of the responses, that costs one connection; the others still wait.
template <class Answer>
void FileJobs::each_leaves(Waiting& left, Answer&& answer) noexcept {
  while (!left.waiters.empty()) {
    Waiter& waiter = *left.waiters.front();
    waiter.leave();
    session::Exchange& exchange = waiter.exchange();
    try {
      answer(exchange);
    } catch (...) {
      exchange.abort();
    }
  }
}

void FileJobs::answer_all(Waiting& done) noexcept {
  each_leaves(done, [&done](session::Exchange& exchange) { done.job->answer(exchange); });
  try {
    done.job->over();
  } catch (...) {  // the result is not kept
  }
}

void FileJobs::run_here(FileJob& job, session::Exchange& exchange) {
  job.run();
  job.answer(exchange);
  job.over();
}

/// The job may have been forgotten meanwhile.
void FileJobs::finished(const FileJob& job) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&job](const auto& each) { return each->job.get() == &job; });
  if (found == waiting_.end()) return;
  const std::unique_ptr<Waiting> done = std::move(*found);
  waiting_.erase(found);
  answer_all(*done);
  begin_next();
}

void FileJobs::forget(const FileMount& mount) {
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    if ((*each)->mount != &mount) {
      ++each;
      continue;
    }
    each_leaves(**each, [](session::Exchange& exchange) {
      exchange.respond(session::text_response(503, "The server is being set up anew."));
    });
    each = waiting_.erase(each);
  }
}

}  // namespace wharf::server
