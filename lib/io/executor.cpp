#include "io/executor.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/stay_loaded.h"

namespace wharf::io {
namespace {

struct Job {
  Executor::Task task;
  std::string about;
};

/// The waiting tasks of one party.
struct Queue {
  const void* party;
  std::deque<Job> jobs;
};

/// While it exists, new threads get no signals except those of their own faults: the others are for the program's threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

/// What the threads share with the executor; the last of them to end destroys it.
struct Executor::Pool {
  struct Thread {
    std::thread thread;
    bool busy = false;
    std::string about;  ///< what the thread's task is about
  };

  explicit Pool(const Bounds& most)
      : bounds{std::max<std::size_t>(1, most.threads), most.waiting, std::max<std::size_t>(1, most.of_one)} {}

  bool make_thread(const std::shared_ptr<Pool>& self);
  void serve(Thread& own);
  [[nodiscard]] bool may_begin(const Job& job) const;
  std::optional<Job> take();

  const Bounds bounds;
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::list<Queue> queues;  // none is empty; the first is the next to be served
  std::size_t waiting = 0;
  std::list<Thread> threads;
  std::size_t idle = 0;
  bool closed = false;
};

Executor::Executor(const Bounds& bounds) : pool_(std::make_shared<Pool>(bounds)) {}

Executor::~Executor() {
  std::list<Queue> dropped;
  std::list<Pool::Thread> threads;
  bool abandons = false;
  {
    const std::lock_guard lock(pool_->mutex);
    pool_->closed = true;
    dropped.swap(pool_->queues);
    for (auto each = pool_->threads.begin(); each != pool_->threads.end();) {
      const auto next = std::next(each);
      if (each->busy) {
        each->thread.detach();
        abandons = true;
      } else {
        threads.splice(threads.end(), pool_->threads, each);
      }
      each = next;
    }
    if (abandons) base::stay_loaded();
  }
  pool_->changed.notify_all();
  for (Pool::Thread& each : threads) each.thread.join();
}

bool Executor::run(const void* party, Task task, std::string_view about) {
  Pool& pool = *pool_;
  const std::lock_guard lock(pool.mutex);
  const bool needs_thread = pool.idle <= pool.waiting && pool.threads.size() < pool.bounds.threads;
  if (needs_thread && !pool.make_thread(pool_) && pool.threads.empty()) return false;
  auto queue = std::find_if(pool.queues.begin(), pool.queues.end(), [party](const Queue& each) { return each.party == party; });
  if (queue == pool.queues.end()) {
    Queue made{party, {}};
    made.jobs.push_back({std::move(task), std::string(about)});
    pool.queues.push_back(std::move(made));
  } else {
    if (queue->jobs.size() >= pool.bounds.waiting && pool.waiting >= pool.idle) return false;
    queue->jobs.push_back({std::move(task), std::string(about)});
  }
  ++pool.waiting;
  pool.changed.notify_one();
  return true;
}

void Executor::forget(const void* party) {
  std::list<Queue> dropped;  // without the lock, because destructors of tasks may do anything
  const std::lock_guard lock(pool_->mutex);
  const auto queue =
      std::find_if(pool_->queues.begin(), pool_->queues.end(), [party](const Queue& each) { return each.party == party; });
  if (queue == pool_->queues.end()) return;
  pool_->waiting -= queue->jobs.size();
  dropped.splice(dropped.end(), pool_->queues, queue);
}

std::size_t Executor::threads() const { return pool_->bounds.threads; }

// ---- The threads ----

/// With the lock. The thread begins when the lock is released.
bool Executor::Pool::make_thread(const std::shared_ptr<Pool>& self) {
  const SignalsBlocked blocked;
  Thread& made = threads.emplace_back();
  try {
    made.thread = std::thread([self, &made] { self->serve(made); });
    ++idle;
    return true;
  } catch (...) {  // the system has no thread, or there is no memory: a task that waited for it would wait for ever
    threads.pop_back();
    return false;
  }
}

void Executor::Pool::serve(Thread& own) {
  std::unique_lock lock(mutex);
  for (;;) {
    std::optional<Job> job;
    changed.wait(lock, [this, &job] { return closed || (job = take()); });
    if (closed) return;
    own.busy = true;
    own.about = std::move(job->about);
    --idle;
    lock.unlock();
    try {
      job->task();
    } catch (...) {  // nobody is there to hear of it
    }
    job.reset();
    lock.lock();
    own.busy = false;
    ++idle;
  }
}

bool Executor::Pool::may_begin(const Job& job) const {
  const auto is_at_it = [&job](const Thread& each) { return each.busy && each.about == job.about; };
  return job.about.empty() || static_cast<std::size_t>(std::count_if(threads.begin(), threads.end(), is_at_it)) < bounds.of_one;
}

/// With the lock. A task of the first party that has one that may begin.
std::optional<Job> Executor::Pool::take() {
  for (auto queue = queues.begin(); queue != queues.end(); ++queue) {
    const auto found = std::find_if(queue->jobs.begin(), queue->jobs.end(), [this](const Job& each) { return may_begin(each); });
    if (found == queue->jobs.end()) continue;
    Job job = std::move(*found);
    queue->jobs.erase(found);
    --waiting;
    if (queue->jobs.empty()) queues.erase(queue);
    else queues.splice(queues.end(), queues, queue);
    return job;
  }
  return std::nullopt;
}

}  // namespace wharf::io
