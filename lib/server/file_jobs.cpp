#include "server/file_jobs.h"

#include <algorithm>
#include <utility>

namespace wharf::server {

/// A job that is under way.
struct FileJobs::Waiting {
  const FileMount* mount;
  std::string path;
  std::shared_ptr<FileJob> job;
  std::list<Waiter*> waiters;
};

/// Stands in an exchange that waits, and leaves the job's list when the exchange ends before the job does.
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

FileJobs::FileJobs(Outside* outside, std::size_t most) : outside_(outside), most_(most), self_(std::make_shared<FileJobs*>(this)) {}

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

void FileJobs::start(const FileMount& mount, std::string_view path, std::unique_ptr<FileJob> job, session::Exchange& exchange) {
  const std::shared_ptr<FileJob> shared = std::move(job);
  const auto done = [shared, jobs = std::weak_ptr<FileJobs*>(self_)] {
    if (const auto there = jobs.lock()) (*there)->finished(*shared);
  };
  if (!outside_->work(
          Executor::files, [shared] { shared->run(); }, done)) {
    shared->answer(exchange);
    return shared->over();
  }
  waiting_.push_back(std::make_unique<Waiting>(Waiting{&mount, std::string(path), shared, {}}));
  exchange.set_responder(std::make_unique<Waiter>(exchange, waiting_.back()->waiters));
}

void FileJobs::run_here(FileJob& job, session::Exchange& exchange) {
  job.run();
  job.answer(exchange);
  job.over();
}

/// It may have been forgotten meanwhile.
void FileJobs::finished(const FileJob& job) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&job](const auto& each) { return each->job.get() == &job; });
  if (found == waiting_.end()) return;
  const std::unique_ptr<Waiting> done = std::move(*found);
  waiting_.erase(found);
  while (!done->waiters.empty()) {
    Waiter& waiter = *done->waiters.front();
    waiter.leave();
    done->job->answer(waiter.exchange());
  }
  done->job->over();
}

void FileJobs::forget(const FileMount& mount) {
  for (auto each = waiting_.begin(); each != waiting_.end();) {
    if ((*each)->mount != &mount) {
      ++each;
      continue;
    }
    while (!(*each)->waiters.empty()) {
      Waiter& waiter = *(*each)->waiters.front();
      waiter.leave();
      waiter.exchange().respond(session::text_response(503, "The server is being set up anew."));
    }
    each = waiting_.erase(each);
  }
}

}  // namespace wharf::server
